//! Nodes to be linked, and how to wait for what they tell.

use crate::{
    Config, Event, Events, Fingerprint, LinkId, LinkStatus, PeerConfig, PrivateKey, Session, Transport,
    Unsent,
};
use presence::Eid;
use presence::link::{Frame, Standing};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub(crate) const BOTH: [Transport; 2] = [Transport::Udp, Transport::Tcp];

/// The only peer of most nodes.
pub(crate) const PEER: LinkId = LinkId(0);

pub(crate) const KEEPALIVE: Duration = Duration::from_millis(200);
/// So long that no link is taken for dead because this machine is busy.
pub(crate) const HOLD: Duration = Duration::from_secs(30);
/// When something that should happen has not.
const DEADLINE: Duration = Duration::from_secs(60);

/// A key of its own.
pub(crate) fn key() -> PrivateKey {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("asterism-link-{}-{number}.key", std::process::id()));
    // From another run that was killed.
    let _ = std::fs::remove_file(&path);
    let key = PrivateKey::create(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    key
}

/// A node that listens by both transports, and its events.
pub(crate) struct Node {
    pub(crate) session: Session,
    pub(crate) events: Events,
}

/// A peer that dials us.
pub(crate) fn awaits(key: &PrivateKey) -> PeerConfig {
    peer(None, Transport::Udp, key.fingerprint())
}

/// A peer that we dial.
pub(crate) fn dials(key: &PrivateKey, address: SocketAddr, transport: Transport) -> PeerConfig {
    peer(Some(address), transport, key.fingerprint())
}

fn peer(address: Option<SocketAddr>, transport: Transport, key: Fingerprint) -> PeerConfig {
    let dial = address.map(|address| address.to_string().parse().unwrap());
    PeerConfig { name: "peer".to_owned(), dial, transport, keys: vec![key] }
}

pub(crate) fn config(key: &PrivateKey, peers: Vec<PeerConfig>) -> Config {
    let any = Some("127.0.0.1:0".parse().unwrap());
    Config { key: key.clone(), listen_udp: any, listen_tcp: any, peers, keepalive: KEEPALIVE, hold: HOLD }
}

impl Node {
    pub(crate) fn start(key: &PrivateKey, peers: Vec<PeerConfig>) -> Self {
        Self::start_with(config(key, peers))
    }

    pub(crate) fn start_with(config: Config) -> Self {
        let (session, events) = Session::start(config).unwrap();
        Self { session, events }
    }

    pub(crate) fn address(&self, transport: Transport) -> SocketAddr {
        let (udp, tcp) = self.session.local_addresses();
        match transport {
            Transport::Udp => udp.unwrap(),
            Transport::Tcp => tcp.unwrap(),
        }
    }

    /// Takes events until one of them is it.
    pub(crate) async fn until<T>(&mut self, it: impl Fn(&Event) -> Option<T>) -> T {
        within(async {
            loop {
                let event = self.events.recv().await.expect("the session runs");
                if let Some(found) = it(&event) {
                    return found;
                }
            }
        })
        .await
    }

    pub(crate) async fn until_up(&mut self, link: LinkId) -> (SocketAddr, Transport) {
        self.until(|event| {
            let Event::Up { link: up, remote, transport } = event else { return None };
            (*up == link).then_some((*remote, *transport))
        })
        .await
    }

    pub(crate) async fn until_down(&mut self, link: LinkId) -> Down {
        self.until(|event| {
            let Event::Down { link: down, silent, why, retry } = event else { return None };
            (*down == link).then(|| Down { silent: *silent, why: why.clone(), retry: *retry })
        })
        .await
    }

    /// The number of the next frame.
    pub(crate) async fn until_frame(&mut self) -> u32 {
        self.until(|event| if let Event::Frame { frame, .. } = event { Some(number(frame)) } else { None })
            .await
    }

    pub(crate) fn send(&self, number: u32) -> Result<(), Unsent> {
        self.session.send(PEER, &frame(number, 1))
    }

    pub(crate) fn status(&self) -> LinkStatus {
        self.session.status().swap_remove(0)
    }
}

/// What a down event tells.
#[derive(Debug)]
pub(crate) struct Down {
    pub(crate) silent: Duration,
    pub(crate) why: String,
    pub(crate) retry: Option<Duration>,
}

/// Two nodes of which the first dials the second, both up.
pub(crate) async fn linked(transport: Transport) -> (Node, Node) {
    linked_with(transport, HOLD).await
}

pub(crate) async fn linked_with(transport: Transport, hold: Duration) -> (Node, Node) {
    let (key_a, key_b) = (key(), key());
    let start = |config| Node::start_with(Config { hold, ..config });
    let mut b = start(config(&key_b, vec![awaits(&key_a)]));
    let mut a = start(config(&key_a, vec![dials(&key_b, b.address(transport), transport)]));
    a.until_up(PEER).await;
    b.until_up(PEER).await;
    (a, b)
}

/// A frame with a number, and a length by its standings.
pub(crate) fn frame(number: u32, standings: usize) -> Frame {
    let standing = Standing { eid: Eid([1; 6]), states: number, fingerprint: 0 };
    Frame::Digest(vec![standing; standings])
}

pub(crate) fn number(frame: &Frame) -> u32 {
    let Frame::Digest(standings) = frame else { panic!("tests send digests: {frame:?}") };
    standings[0].states
}

/// Waits for something, but not for ever.
pub(crate) async fn within<T>(it: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, it).await.expect("it happens in time")
}

/// Looks again and again until something is so.
pub(crate) async fn eventually(mut it: impl FnMut() -> bool) {
    within(async {
        while !it() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

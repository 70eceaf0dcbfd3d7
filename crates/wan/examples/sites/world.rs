//! Two sites and the relay between them.

use crate::meter::{Passed, passed};
use crate::site::{Place, Seen, Site};
use crate::{Failure, Way};
use link::{Config, PeerConfig, PrivateKey, Transport};
use presence::Change;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use wan::{Protocol, Relay, Running};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// As the node has them unless it is configured otherwise.
const KEEPALIVE: Duration = Duration::from_secs(3);
const HOLD: Duration = Duration::from_secs(15);
/// How long two sites may take to be linked.
const LINKED_MAX: Duration = Duration::from_secs(60);

/// The names of the relays, as their metrics have them.
const LINK: &str = "link";
const PROBE: &str = "probe";

/// West dials east over a relay, and has states to tell.
pub(crate) struct World {
    pub(crate) east: Site,
    pub(crate) west: Site,
    /// When both ends knew that they are linked.
    pub(crate) linked: Instant,
    /// Where bare datagrams go the same way, and where they come out.
    pub(crate) probe: (SocketAddr, UdpSocket),
    control: SocketAddr,
    /// Ends the relay.
    _end: oneshot::Sender<()>,
}

impl World {
    /// Links the two sites, of which one knows these states before.
    pub(crate) fn start(way: &Way, known: Vec<Change>) -> Result<Self, Failure> {
        let keys = [key()?, key()?];
        let transport = way.carrier.transport();
        let east = Site::start(Place::East, Vec::new(), config(&keys[0], peer(&keys[1], None, transport)?));
        let Seen::Listens([udp, tcp]) = east.seen.recv()? else { return Err("east does not listen".into()) };
        let (protocol, target) = match transport {
            Transport::Udp => (Protocol::Udp, udp),
            Transport::Tcp => (Protocol::Tcp, tcp),
        };
        let heard = UdpSocket::bind(ANY)?;
        let relays = vec![
            relay(LINK, protocol, target.ok_or("east does not listen by this carrier")?),
            relay(PROBE, Protocol::Udp, heard.local_addr()?),
        ];
        let (relays, control, end) = start_relays(way, relays)?;
        let west =
            Site::start(Place::West, known, config(&keys[1], peer(&keys[0], Some(relays[0]), transport)?));
        let linked = up(&east)?.max(up(&west)?);
        Ok(Self { east, west, linked, probe: (relays[1], heard), control, _end: end })
    }

    /// What the relay has carried for the link, from west to east and back.
    pub(crate) fn passed(&self) -> Result<[Passed; 2], Failure> {
        passed(self.control, LINK)
    }
}

fn up(site: &Site) -> Result<Instant, Failure> {
    let deadline = Instant::now() + LINKED_MAX;
    loop {
        let seen = site.seen.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        if let Seen::Up(at) = seen.map_err(|_| "the sites do not get linked")? {
            return Ok(at);
        }
    }
}

/// The relays run on a thread of their own until the sender is dropped.
type Relays = (Vec<SocketAddr>, SocketAddr, oneshot::Sender<()>);

fn start_relays(way: &Way, relays: Vec<Relay>) -> Result<Relays, Failure> {
    let config = wan::Config { relays, control: ANY, conditions: way.conditions, seed: way.seed };
    let (tell, told) = mpsc::channel();
    let (end, ended) = oneshot::channel::<()>();
    std::thread::spawn(move || -> Result<(), Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let running = wan::start(config).await;
            let addresses = |running: &Running| (running.relays.clone(), running.control);
            tell.send(running.as_ref().map(addresses).map_err(ToString::to_string))?;
            Ok(running?.run(async { drop(ended.await) }).await?)
        })
    });
    let (relays, control) = told.recv()??;
    Ok((relays, control, end))
}

fn relay(name: &str, protocol: Protocol, target: SocketAddr) -> Relay {
    Relay { name: name.to_owned(), protocol, listen: ANY.to_string(), target: target.to_string() }
}

fn peer(key: &PrivateKey, dial: Option<SocketAddr>, transport: Transport) -> Result<PeerConfig, Failure> {
    let dial = dial.map(|address| address.to_string().parse()).transpose()?;
    Ok(PeerConfig { name: "peer".to_owned(), dial, transport, keys: vec![key.fingerprint()] })
}

fn config(key: &PrivateKey, peer: PeerConfig) -> Config {
    let (listen_udp, listen_tcp) = (Some(ANY), Some(ANY));
    Config { key: key.clone(), listen_udp, listen_tcp, peers: vec![peer], keepalive: KEEPALIVE, hold: HOLD }
}

/// A new key, which no file keeps.
fn key() -> Result<PrivateKey, Failure> {
    let name = format!("asterism-sites-{}-{:x}.key", std::process::id(), fastrand::u64(..));
    let path = std::env::temp_dir().join(Path::new(&name));
    let key = PrivateKey::create(&path)?;
    std::fs::remove_file(&path)?;
    Ok(key)
}

//! A peer with the right key that says what it may not, and somebody who recorded its datagrams and sends them again.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use lab::{NODES, WEST_NODES, WEST_SERVERS};
use link::{Event, Events, LinkId};
use presence::link::{Adjacency, Frame, Hello, Statement, Version};
use presence::{Change, Device, DeviceState, Eid, Stamp};
use tokio::net::UdpSocket;

use super::dialer::{self, ABUSED};
use super::{at, linked};
use crate::stage::{SOON, STARTED, Stage, eventually};

/// Scraped, judged, told.
const FIRES: Duration = Duration::from_secs(60);
/// An EID that no server of the lab has.
const FOREIGN: &str = "02:00:00:00:66:66";

pub(super) async fn run(stage: Stage) -> Result<()> {
    let prometheus = stage.lab.prometheus()?;
    let node = stage.node(1)?;
    stage.lab.docker().stop(&[WEST_NODES[ABUSED].name]).await?;
    let wire = Recorder::before(dialer::door(&stage)?).await?;
    let (session, mut events) = dialer::dial(wire.address, dialer::key_of_west_node1()?)?;
    until_up(&mut events).await?;

    let (allowed, foreign) = (stage.new_lamp().await?, stage.new_lamp().await?);
    let east = at(&stage, lab::Site::East);
    let calm = foreign.is_calm(&east);
    let server = WEST_SERVERS[ABUSED].eid;
    for frame in introduction()? {
        session.send(LinkId(0), &frame)?;
    }
    let words =
        vec![word(FOREIGN, &foreign.device)?, word(server, "Secret/1")?, word(server, &allowed.device)?];
    session.send(LinkId(0), &Frame::States(words))?;
    allowed.lit(&east, SOON).await?;
    calm.held()?;
    let secret = node.states("Secret/1").await?;
    ensure!(secret.is_none(), "it took what its filter forbids: {secret:?}");
    let metrics = node.metrics().await?;
    for rule in ["eid", "name"] {
        let labels = ["link=\"west-node1\"", "direction=\"taken\"", &format!("rule=\"{rule}\"")];
        let barred = metrics.sum("asterism_node_link_barred_total", &labels);
        ensure!(barred > 0.0, "what rule {rule} forbids is not counted");
    }
    eventually("PeerOutsideFilter fires for both rules", FIRES, || async {
        Ok(prometheus.firing("PeerOutsideFilter").await?.len() >= 2)
    })
    .await?;

    let frames = async || {
        let received = node.metrics().await?;
        anyhow::Ok(received.sum("asterism_node_link_received_frames_total", &["link=\"west-node1\""]))
    };
    let before = frames().await?;
    wire.replay().await?;
    allowed.lit(&east, SOON).await?;
    let told = frames().await? - before;
    ensure!(told == 0.0, "{told} frames came from a recording");
    ensure!(session.status_of(LinkId(0)).up, "a recording has taken the link down");
    session.stop(SOON).await;
    stage.lab.docker().start(&[WEST_NODES[ABUSED].name]).await?;
    linked(&stage.lab, STARTED).await
}

async fn until_up(events: &mut Events) -> Result<()> {
    let up = async { while !matches!(events.recv().await, Some(Event::Up { .. }) | None) {} };
    tokio::time::timeout(STARTED, up).await.context("the link does not come up")
}

/// What a node says first, and that it vouches for the first server of west and for one that is none of its.
fn introduction() -> Result<[Frame; 2]> {
    let node: Eid = WEST_NODES[ABUSED].eid.parse()?;
    let hello = Hello { node, site: "west".into(), incarnation: now_us()? };
    let adjacency = Adjacency {
        node,
        site: "west".into(),
        version: now_us()?,
        neighbours: vec![NODES[0].eid.parse()?],
        servers: vec![WEST_SERVERS[ABUSED].eid.parse()?, FOREIGN.parse()?],
    };
    Ok([Frame::Hello(hello), Frame::Adjacency(adjacency)])
}

/// Some server says that a device is in use.
fn word(eid: &str, device: &str) -> Result<Statement> {
    let change =
        Change::DeviceState { device: Device::new(device)?, state: DeviceState::InUse, cachable: true };
    let version = Version { clock: now_us()?, writer: WEST_NODES[ABUSED].eid.parse()? };
    Ok(Statement { eid: eid.parse()?, change, withdrawn: false, version, origin: Stamp::default() })
}

fn now_us() -> Result<u64> {
    Ok(u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?)
}

/// Stands between a session and a node, and keeps every datagram that the session sends.
struct Recorder {
    address: SocketAddr,
    target: SocketAddr,
    out: Arc<UdpSocket>,
    recorded: Arc<Mutex<Vec<Vec<u8>>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Recorder {
    async fn before(target: SocketAddr) -> Result<Self> {
        let inner = UdpSocket::bind("127.0.0.1:0").await?;
        let out = Arc::new(UdpSocket::bind("0.0.0.0:0").await?);
        let recorded = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let address = inner.local_addr()?;
        let task = tokio::spawn(relay(inner, out.clone(), target, recorded.clone()));
        Ok(Self { address, target, out, recorded, task })
    }

    /// Sends all of it again, from the address it came from and from another one.
    async fn replay(&self) -> Result<()> {
        let recorded = self.recorded.lock().expect("nobody panics").clone();
        ensure!(recorded.len() > 3, "there is nothing to send again");
        let other = UdpSocket::bind("0.0.0.0:0").await?;
        for datagram in &recorded {
            self.out.send_to(datagram, self.target).await?;
            other.send_to(datagram, self.target).await?;
        }
        Ok(())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(
    inner: UdpSocket,
    out: Arc<UdpSocket>,
    target: SocketAddr,
    recorded: Arc<Mutex<Vec<Vec<u8>>>>,
) {
    let (mut here, mut there) = (vec![0; 65_536], vec![0; 65_536]);
    let mut client = None;
    loop {
        // An error is that of an earlier datagram, and a lost one is sent again.
        tokio::select! {
            Ok((length, from)) = inner.recv_from(&mut here) => {
                client = Some(from);
                recorded.lock().expect("nobody panics").push(here[..length].to_vec());
                drop(out.send_to(&here[..length], target).await);
            }
            Ok((length, _)) = out.recv_from(&mut there) => {
                if let Some(client) = client {
                    drop(inner.send_to(&there[..length], client).await);
                }
            }
        }
    }
}

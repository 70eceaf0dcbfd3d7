//! All links of a node: what its user holds.

use crate::accept::{self, Alive};
use crate::config::{Config, LinkId, StartError, Transport};
use crate::dial::Dialler;
use crate::event::{EVENTS_MAX, Events, Unsent};
use crate::gate::Gate;
use crate::shared::Shared;
use crate::slot::Slot;
use crate::status::{LinkStatus, Totals};
use crate::{quic, tcp, tls};
use quinn::Endpoint;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use wire::link::Frame;

/// All links of a node. Dropped without [`Session::stop`], they end at once.
#[derive(Debug)]
pub struct Session {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    /// Nothing comes from here, and that when all tasks are through.
    tasks: mpsc::Receiver<Infallible>,
    endpoint: Option<Endpoint>,
    local_tcp: Option<SocketAddr>,
}

impl Session {
    /// Listens, and dials who is to be dialled. Has to be called on a Tokio runtime, on which it then runs. Events have to
    /// be taken as they come: links whose events are not taken are not read any further.
    ///
    /// # Errors
    /// When the configuration contradicts itself or a socket cannot be had; then nothing runs.
    pub fn start(config: Config) -> Result<(Self, Events), StartError> {
        let owners = config.owners()?;
        let known: Vec<_> = owners.keys().copied().collect();
        let endpoint =
            config.listen_udp.map(|address| quic::listen(&config, known.clone(), address)).transpose()?;
        let listener = config.listen_tcp.map(listen_tcp).transpose()?;
        let (stop, stopped) = watch::channel(false);
        let (events, told) = mpsc::channel(EVENTS_MAX);
        let slots: Vec<Arc<Slot>> = config
            .peers
            .iter()
            .enumerate()
            .map(|(place, peer)| Arc::new(Slot::new(LinkId(place), peer)))
            .collect();
        let shared = Arc::new(Shared {
            own_key: config.key.fingerprint(),
            keepalive: config.keepalive,
            hold: config.hold,
            slots: slots.clone(),
            owners,
            gate: Gate::new(events.clone()),
            events,
            stop: stopped,
        });
        let (alive, tasks) = mpsc::channel(1);
        for (slot, peer) in slots.iter().zip(&config.peers) {
            if let Some(dialler) = Dialler::new(&config, peer) {
                dial(&shared, Arc::clone(slot), dialler, alive.clone());
            }
        }
        let local_tcp = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        if let Some(listener) = listener {
            let server = Arc::new(tls::server(&config.key, known));
            tokio::spawn(accept::by_tcp(Arc::clone(&shared), listener, server, alive.clone()));
        }
        if let Some(endpoint) = &endpoint {
            tokio::spawn(accept::by_quic(Arc::clone(&shared), endpoint.clone(), alive));
        }
        Ok((Self { shared, stop, tasks, endpoint, local_tcp }, Events { told, slots }))
    }

    /// Where peers can dial us: UDP, and TCP. The ports are those that the system chose where the configuration has zero.
    #[must_use]
    pub fn local_addresses(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        (self.endpoint.as_ref().and_then(|endpoint| endpoint.local_addr().ok()), self.local_tcp)
    }

    /// Sends a frame to a peer. Frames arrive in the order of the calls, for as long as the link is up.
    ///
    /// # Errors
    /// [`Unsent`]; the frame is not sent.
    ///
    /// # Panics
    /// If there is no such peer.
    pub fn send(&self, link: LinkId, frame: &presence::link::Frame) -> Result<(), Unsent> {
        let mut bytes = Vec::new();
        wire::link::encode(&Frame::Said(frame.clone()), &mut bytes);
        self.shared.slots[link.0].send(bytes)
    }

    /// Ends a connection with a peer, which is told why; it may be linked again soon.
    ///
    /// # Panics
    /// If there is no such peer.
    pub fn end(&self, link: LinkId, why: &str) {
        self.shared.slots[link.0].end(why);
    }

    /// All links, each at the place of its peer in the configuration.
    #[must_use]
    pub fn status(&self) -> Vec<LinkStatus> {
        self.shared.slots.iter().map(|slot| slot.status()).collect()
    }

    /// One of them.
    ///
    /// # Panics
    /// If there is no such peer.
    #[must_use]
    pub fn status_of(&self, link: LinkId) -> LinkStatus {
        self.shared.slots[link.0].status()
    }

    /// What is counted of all links together.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.shared.gate.totals()
    }

    /// Tells all peers that this node stops, and ends all connections; within the given time, whether or not they have heard it.
    pub async fn stop(mut self, within: Duration) {
        let deadline = Instant::now() + within;
        self.stop.send_replace(true);
        // Nobody sends.
        let _ = tokio::time::timeout_at(deadline, self.tasks.recv()).await;
        if let Some(endpoint) = &self.endpoint {
            endpoint.close(0_u32.into(), b"the node stops");
            let _ = tokio::time::timeout_at(deadline, endpoint.wait_idle()).await;
        }
    }
}

fn dial(shared: &Arc<Shared>, slot: Arc<Slot>, dialler: Dialler, alive: Alive) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        dialler.run(&shared, &slot).await;
        drop(alive);
    });
}

fn listen_tcp(address: SocketAddr) -> Result<TcpListener, StartError> {
    tcp::listen(address).map_err(|source| StartError::Listen { address, transport: Transport::Tcp, source })
}

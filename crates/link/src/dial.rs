//! Dialling one peer, again and again.

use crate::config::{Address, Config, PeerConfig, Transport};
use crate::event::{Event, Told};
use crate::pipe::Pipe;
use crate::shared::Shared;
use crate::slot::{Dialled, Slot};
use crate::tls::Verifier;
use crate::{connection, quic, tcp, tls};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use wire::link::Frame;

/// How long a handshake may take, until the peer's first word.
pub(crate) const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// How one peer is dialled.
pub(crate) struct Dialler {
    address: Address,
    how: How,
    verifier: Arc<Verifier>,
    /// Counts attempts: each takes the next of the addresses that a name has.
    attempts: usize,
}

enum How {
    Udp { client: quinn::ClientConfig, from: Option<SocketAddr> },
    Tcp { client: Arc<rustls::ClientConfig>, from: Option<SocketAddr> },
}

impl Dialler {
    /// `None` if the peer dials us.
    pub(crate) fn new(config: &Config, peer: &PeerConfig) -> Option<Self> {
        let address = peer.dial.clone()?;
        let (client, verifier) = tls::client(&config.key, peer.keys.clone());
        let how = match peer.transport {
            Transport::Udp => How::Udp { client: quic::client(client, config.hold), from: config.listen_udp },
            Transport::Tcp => How::Tcp { client: Arc::new(client), from: config.listen_tcp },
        };
        Some(Self { address, how, verifier, attempts: 0 })
    }

    /// Keeps the peer linked until the session ends.
    pub(crate) async fn run(mut self, shared: &Shared, slot: &Slot) {
        loop {
            tokio::select! {
                () = shared.stopped() => return,
                () = slot.wait_to_dial() => {}
            }
            tokio::select! {
                biased;
                () = shared.stopped() => return,
                // The peer was faster.
                () = slot.wait_until_taken() => {}
                dialled = self.dial(slot) => match dialled {
                    Ok((pipe, first)) => {
                        connection::carry(shared, slot, pipe, first, Dialled::ByUs, None).await;
                    }
                    Err(why) => failed(shared, slot, why).await,
                }
            }
        }
    }

    /// Dials once, until the peer says something: only then has it let us in.
    async fn dial(&mut self, slot: &Slot) -> Result<(Pipe, Frame), String> {
        self.verifier.take_stranger();
        let dialled = tokio::time::timeout(HANDSHAKE_MAX, self.try_dial(slot)).await;
        let why = match dialled {
            Ok(Ok(dialled)) => return Ok(dialled),
            Ok(Err(why)) => why,
            Err(_) => format!("no answer within {}", connection::text(HANDSHAKE_MAX)),
        };
        Err(match self.verifier.take_stranger() {
            Some(key) => format!("{} has the key {key}, which is not the peer's", self.address),
            None => format!("{}: {why}", self.address),
        })
    }

    async fn try_dial(&mut self, slot: &Slot) -> Result<(Pipe, Frame), String> {
        let remote = self.resolve().await?;
        let mut pipe = self.connect(remote).await?;
        let _calling = slot.call();
        // QUIC tells the peer of a stream with its first byte.
        pipe.outgoing.put(&connection::unmeasured_ping());
        pipe.outgoing.flush().await.map_err(|error| pipe.carrier.explain(&error))?;
        let first = pipe.first_frame().await.map_err(|why| why.to_string())?;
        Ok((pipe, first))
    }

    async fn resolve(&mut self) -> Result<SocketAddr, String> {
        let Address { host, port } = &self.address;
        let found =
            tokio::net::lookup_host((host.as_str(), *port)).await.map_err(|error| error.to_string())?;
        let addresses: Vec<SocketAddr> = found.collect();
        self.attempts = self.attempts.wrapping_add(1);
        let place = self.attempts.checked_rem(addresses.len()).ok_or("the name has no address")?;
        Ok(addresses[place])
    }

    pub(crate) async fn connect(&self, remote: SocketAddr) -> Result<Pipe, String> {
        match &self.how {
            How::Udp { client, from } => quic::dial(client, *from, remote).await,
            How::Tcp { client, from } => tcp::dial(client, *from, remote).await,
        }
    }
}

/// Tells of an attempt that failed; unless the peer is linked by now, or about to be.
async fn failed(shared: &Shared, slot: &Slot, why: String) {
    let Ok(_turn) = slot.turn.try_lock() else { return };
    let (silent, retry) = slot.fall(Duration::ZERO, false);
    shared.tell(Told { event: Event::Down { link: slot.link, silent, why, retry }, outbox: None }).await;
}

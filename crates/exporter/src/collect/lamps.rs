//! The lamps of one server, watched as a phone does it.

use super::{Ending, Input, Inputs, report};
use crate::clock::Clock;
use crate::config;
use crate::place::ServerId;
use crate::sources::{Answer, Collector};
use crate::watch::Dropped;
use asterisk::Credentials;
use asterisk::lamp::{Event, Lost, Watched, Watcher, WatcherConfig};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{sleep, sleep_until};

/// How long a subscription lasts: so long may a restarted server go unnoticed.
const EXPIRES_S: u32 = 60;
const RETRY: Duration = Duration::from_secs(5);
const DATAGRAM_BYTES_MAX: usize = 65_536;

/// The collector of one server's lamps.
pub(crate) struct Lamps {
    server: ServerId,
    name: String,
    address: SocketAddr,
    watched: Watched,
    clock: Clock,
    inputs: Inputs,
}

impl Lamps {
    pub(crate) fn new(
        server: ServerId,
        name: &str,
        config: &config::Lamps,
        clock: Clock,
        inputs: Inputs,
    ) -> Self {
        let credentials = config.credentials.as_ref().map(|(user, password)| Credentials {
            user: user.clone(),
            password: password.expose().to_owned(),
        });
        let watched = Watched { address: config.sip, credentials, extensions: config.extensions.clone() };
        Self { server, name: name.to_owned(), address: config.sip, watched, clock, inputs }
    }

    /// Watches until the exporter ends.
    pub(crate) async fn run(self) {
        loop {
            let why = match self.socket().await {
                Ok((socket, local)) => match Line::new(&self, socket, local).run().await {
                    Ok(why) => why,
                    Err(Ending) => return,
                },
                Err(error) => format!("no socket towards {}: {error}", self.address),
            };
            if self.answered(Answer::Badly(why)).await.is_err() {
                return;
            }
            sleep(RETRY).await;
        }
    }

    /// A socket of its own for each server, so that its address is the one by which that server reaches us.
    async fn socket(&self) -> std::io::Result<(UdpSocket, SocketAddr)> {
        let any: IpAddr =
            if self.address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = UdpSocket::bind((any, 0)).await?;
        socket.connect(self.address).await?;
        let local = socket.local_addr()?;
        Ok((socket, local))
    }

    async fn answered(&self, answer: Answer) -> Result<(), Ending> {
        let source = Input::Source { collector: Collector::Lamps, target: self.name.clone(), answer };
        report(&self.inputs, source).await
    }
}

/// One socket and the subscriptions on it.
struct Line<'a> {
    owner: &'a Lamps,
    socket: UdpSocket,
    watcher: Watcher,
    begun: Duration,
    /// Lamps whose next state is no change.
    fresh: BTreeSet<String>,
    lost: BTreeMap<String, Lost>,
    answered: bool,
    dropped: u64,
}

impl<'a> Line<'a> {
    fn new(owner: &'a Lamps, socket: UdpSocket, local: SocketAddr) -> Self {
        let begun = owner.clock.now();
        let servers = vec![owner.watched.clone()];
        let seed = RandomState::new().hash_one(begun);
        let watcher = Watcher::new(WatcherConfig { local, servers, expires_s: EXPIRES_S, seed }, begun);
        let (fresh, lost) = (BTreeSet::new(), BTreeMap::new());
        Self { owner, socket, watcher, begun, fresh, lost, answered: false, dropped: 0 }
    }

    /// Gives why the socket is of no use any more.
    async fn run(mut self) -> Result<String, Ending> {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            while let Some(transmit) = self.watcher.poll_transmit() {
                // What the network does not take is sent again, as if it had been lost there.
                let _ = self.socket.send(&transmit.payload).await;
            }
            let clock = self.owner.clock;
            let due = self.watcher.poll_timeout().map(|due| clock.at(due));
            let now = tokio::select! {
                received = self.socket.recv(&mut buffer) => {
                    let now = clock.now();
                    match received {
                        Ok(length) => self.watcher.handle_datagram(now, self.owner.address, &buffer[..length]),
                        // Nobody listens at the other end; the watcher finds out that nothing comes.
                        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {}
                        Err(error) => return Ok(error.to_string()),
                    }
                    now
                }
                () = sleep_until(due.unwrap_or_else(|| clock.at(clock.now() + RETRY))) => clock.now(),
                () = self.owner.inputs.closed() => return Err(Ending),
            };
            self.watcher.handle_timeout(now);
            self.handle_events(now).await?;
        }
    }

    async fn handle_events(&mut self, at: Duration) -> Result<(), Ending> {
        let (server, mut changed) = (self.owner.server, false);
        while let Some(event) = self.watcher.poll_event() {
            let input = match event {
                Event::Subscribed { exten, .. } => {
                    self.fresh.insert(exten);
                    continue;
                }
                Event::Lamp { exten, state, .. } => {
                    changed |= self.lost.remove(&exten).is_some() || !self.answered;
                    let first = self.fresh.remove(&exten);
                    Input::Lamp { server, exten, state, first, at }
                }
                Event::Lost { exten, reason, .. } => {
                    changed |= self.lost.insert(exten.clone(), reason) != Some(reason);
                    Input::LampGone { server, exten }
                }
            };
            report(&self.owner.inputs, input).await?;
        }
        if changed {
            self.tell(at).await?;
        }
        let dropped = self.watcher.counters().drops.values().sum();
        let count = dropped - std::mem::replace(&mut self.dropped, dropped);
        if count > 0 {
            report(&self.owner.inputs, Input::Dropped { server, reason: Dropped::Lamp, count }).await?;
        }
        Ok(())
    }

    async fn tell(&mut self, at: Duration) -> Result<(), Ending> {
        let first = !std::mem::replace(&mut self.answered, true);
        let answer = match self.lost.first_key_value() {
            Some((exten, reason)) => Answer::Badly(format!("lamp {exten}: {reason}")),
            None => Answer::Well(first.then_some(at - self.begun)),
        };
        self.owner.answered(answer).await
    }
}

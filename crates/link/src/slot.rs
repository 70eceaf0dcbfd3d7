//! The place of one peer: which of its connections counts, and what is known of it.
//!
//! A newer connection takes the place of an older one: the peer was restarted or has another address, and we have not
//! noticed yet. Where both ends dial, two connections may meet, and both ends have to keep the same: the node with the greater
//! fingerprint keeps the one that it dialled itself.

use crate::backoff::Backoff;
use crate::config::{LinkId, PeerConfig, Transport};
use crate::event::Unsent;
use crate::measure::Measure;
use crate::outbox::Outbox;
use crate::status::{Counters, LinkStatus};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// So long a connection that the other end dialled at the same moment may be on its way.
const CROSSING: Duration = Duration::from_secs(5);

/// Who dialled a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialled {
    ByUs,
    ByPeer,
}

/// What ends a connection from here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// There is a newer one.
    Replaced,
    /// Our user wants it to.
    Asked(String),
}

/// The place of one peer.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) link: LinkId,
    pub(crate) counters: Counters,
    /// How the peer is dialled.
    transport: Transport,
    dials: bool,
    started: Instant,
    /// Whoever is linked, or tells that nobody is, holds this: what is told of a link is in order.
    pub(crate) turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
    pub(crate) measure: Mutex<Measure>,
    /// Where our user's frames go.
    outbox: Mutex<Option<Outbox>>,
    /// Whether there is a connection, be it one that waits for its turn.
    taken: watch::Sender<bool>,
}

#[derive(Debug)]
struct State {
    newest: Option<Newest>,
    /// Counts connections.
    number: u64,
    /// We have dialled, and the peer has not said anything yet.
    calling: bool,
    path: Option<Path>,
    heard: Option<Instant>,
    backoff: Backoff,
    /// Not to dial before this.
    dial_at: Instant,
}

#[derive(Debug)]
struct Newest {
    number: u64,
    dialled: Dialled,
    since: Instant,
    /// Used once.
    end: Option<oneshot::Sender<End>>,
}

/// Where a linked peer is.
#[derive(Debug)]
pub(crate) struct Path {
    pub(crate) remote: SocketAddr,
    pub(crate) transport: Transport,
    pub(crate) quic: Option<quinn::Connection>,
}

/// A connection that counts until there is a newer one.
#[derive(Debug)]
pub(crate) struct Entry {
    number: u64,
    /// Says when it is to end.
    pub(crate) end: oneshot::Receiver<End>,
}

impl Slot {
    pub(crate) fn new(link: LinkId, peer: &PeerConfig) -> Self {
        let started = Instant::now();
        Self {
            link,
            counters: Counters::default(),
            transport: peer.transport,
            dials: peer.dial.is_some(),
            started,
            turn: tokio::sync::Mutex::new(()),
            state: Mutex::new(State {
                newest: None,
                number: 0,
                calling: false,
                path: None,
                heard: None,
                backoff: Backoff::new(),
                dial_at: started,
            }),
            measure: Mutex::default(),
            outbox: Mutex::default(),
            taken: watch::Sender::new(false),
        }
    }

    /// A connection has been proved to be the peer's. `None` when it is to be closed for the sake of one that we dialled.
    pub(crate) fn enter(&self, dialled: Dialled, we_are_greater: bool) -> Option<Entry> {
        let mut state = self.state();
        let now = Instant::now();
        let current = state.newest.as_ref().map(|newest| (newest.dialled, now - newest.since));
        if !admits(we_are_greater, state.calling, current, dialled) {
            return None;
        }
        state.number += 1;
        let number = state.number;
        let (end, ended) = oneshot::channel();
        let before = state.newest.replace(Newest { number, dialled, since: now, end: Some(end) });
        if let Some(end) = before.and_then(|before| before.end) {
            // It may have ended by itself.
            let _ = end.send(End::Replaced);
        }
        self.taken.send_replace(true);
        Some(Entry { number, end: ended })
    }

    /// A connection that entered is over.
    pub(crate) fn leave(&self, entry: &Entry) {
        let mut state = self.state();
        if state.newest.as_ref().is_some_and(|newest| newest.number == entry.number) {
            state.newest = None;
            self.taken.send_replace(false);
        }
    }

    /// Ends the connection that counts, if there is one.
    pub(crate) fn end(&self, why: &str) {
        // It keeps its place until it is over, so that nobody dials before.
        if let Some(end) = self.state().newest.as_mut().and_then(|newest| newest.end.take()) {
            let _ = end.send(End::Asked(why.to_owned()));
        }
    }

    /// The peer is linked on this path from now on. Whoever calls this has the turn.
    pub(crate) fn rise(&self, path: Path) {
        *lock(&self.measure) = Measure::default();
        self.state().path = Some(path);
        self.counters.connects.add(1);
        self.heard();
    }

    /// The peer is not linked any more, after so long. Tells how long nothing was heard, and when it will be dialled again.
    pub(crate) fn fall(&self, up: Duration, replaced: bool) -> (Duration, Option<Duration>) {
        let mut state = self.state();
        if let Some(path) = state.path.take() {
            self.counters.lost_packets.add(path.lost_packets());
        }
        let now = Instant::now();
        let silent = now - state.heard.unwrap_or(self.started);
        let retry = (self.dials && !replaced).then(|| state.backoff.after(up, fastrand::f64()));
        if let Some(retry) = retry {
            state.dial_at = now + retry;
        }
        (silent, retry)
    }

    /// Something was received.
    pub(crate) fn heard(&self) {
        self.state().heard = Some(Instant::now());
    }

    /// We have dialled and wait for the peer's first word, until this is dropped.
    pub(crate) fn call(&self) -> Calling<'_> {
        self.state().calling = true;
        Calling(self)
    }

    /// Waits until it is time to dial.
    pub(crate) async fn wait_to_dial(&self) {
        let mut taken = self.taken.subscribe();
        loop {
            // The sender is ours.
            let _ = taken.wait_for(|taken| !taken).await;
            let dial_at = self.state().dial_at;
            if Instant::now() >= dial_at {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(dial_at.into()) => {}
                _ = taken.wait_for(|taken| *taken) => {}
            }
        }
    }

    /// Waits until there is a connection.
    pub(crate) async fn wait_until_taken(&self) {
        let _ = self.taken.subscribe().wait_for(|taken| *taken).await;
    }

    pub(crate) fn set_outbox(&self, outbox: Option<Outbox>) {
        *lock(&self.outbox) = outbox;
    }

    pub(crate) fn send(&self, frame: Vec<u8>) -> Result<(), Unsent> {
        lock(&self.outbox).as_ref().ok_or(Unsent::Gone)?.put(frame)
    }

    pub(crate) fn status(&self) -> LinkStatus {
        let state = self.state();
        let path = state.path.as_ref();
        let measure = lock(&self.measure);
        let counters = &self.counters;
        LinkStatus {
            up: path.is_some(),
            transport: path.map_or(self.transport, |path| path.transport),
            remote: path.map(Path::remote),
            rtt: path.and(measure.rtt()),
            clock_offset_us: path.and(measure.clock_offset_us()),
            sent_bytes: counters.sent_bytes.get(),
            received_bytes: counters.received_bytes.get(),
            sent_frames: counters.sent_frames.get(),
            received_frames: counters.received_frames.get(),
            skipped_frames: counters.skipped_frames.get(),
            queued_frames: lock(&self.outbox).as_ref().map_or(0, Outbox::len),
            connects_total: counters.connects.get(),
            lost_packets: counters.lost_packets.get() + path.map_or(0, Path::lost_packets),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Path {
    /// A QUIC connection may have moved.
    fn remote(&self) -> SocketAddr {
        self.quic.as_ref().map_or(self.remote, quinn::Connection::remote_address)
    }

    pub(crate) fn lost_packets(&self) -> u64 {
        self.quic.as_ref().map_or(0, |quic| quic.stats().path.lost_packets)
    }
}

/// See [`Slot::call`].
pub(crate) struct Calling<'a>(&'a Slot);

impl Drop for Calling<'_> {
    fn drop(&mut self) {
        self.0.state().calling = false;
    }
}

/// Whether a new connection is to be taken. Only the greater node ever says no, so it is never both; and it does so only while
/// the other end may not have seen the connection that we dialled: whoever dials later than that has lost it.
fn admits(
    we_are_greater: bool,
    calling: bool,
    current: Option<(Dialled, Duration)>,
    newcomer: Dialled,
) -> bool {
    let ours = calling || matches!(current, Some((Dialled::ByUs, age)) if age < CROSSING);
    newcomer == Dialled::ByUs || !we_are_greater || !ours
}

/// Nothing that panics is done under a lock here.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_connections_that_cross_both_ends_keep_the_one_that_the_greater_node_dialled() {
        let young = Some((Dialled::ByUs, Duration::from_secs(1)));
        for (calling, current) in [(true, None), (false, young)] {
            assert!(!admits(true, calling, current, Dialled::ByPeer), "the greater node keeps its own");
            assert!(
                admits(false, calling, current, Dialled::ByPeer),
                "the other one takes the greater one's"
            );
        }
    }

    #[test]
    fn whoever_dials_an_end_that_is_linked_has_lost_the_link() {
        for greater in [true, false] {
            for current in [(Dialled::ByUs, CROSSING), (Dialled::ByPeer, Duration::ZERO)] {
                assert!(admits(greater, false, Some(current), Dialled::ByPeer));
            }
            assert!(admits(greater, false, None, Dialled::ByPeer));
            assert!(admits(greater, true, Some((Dialled::ByPeer, Duration::ZERO)), Dialled::ByUs));
        }
    }
}

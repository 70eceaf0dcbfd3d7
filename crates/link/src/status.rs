//! What there is to know of links.

use crate::config::Transport;
use crate::event::Refusal;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One link as it is now. What is counted is counted since the session started, over all connections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkStatus {
    /// Whether the peer is linked.
    pub up: bool,
    /// By what it is linked, or is dialled.
    pub transport: Transport,
    /// Where it is, while it is linked.
    pub remote: Option<SocketAddr>,
    /// How long a ping and its answer take, smoothed.
    pub rtt: Option<Duration>,
    /// The peer's clock minus ours, in microseconds; wrong by at most half of the fastest of the last round trips.
    pub clock_offset_us: Option<i64>,
    /// Bytes of frames, before encryption.
    pub sent_bytes: u64,
    /// Bytes of frames, after decryption.
    pub received_bytes: u64,
    /// Frames of the core.
    pub sent_frames: u64,
    /// Frames of the core.
    pub received_frames: u64,
    /// Frames of types that this version does not know.
    pub skipped_frames: u64,
    /// Frames that wait for their turn to be sent.
    pub queued_frames: usize,
    /// How often it came up.
    pub connects_total: u64,
    /// QUIC packets that had to be sent again. What TCP lost the kernel knows.
    pub lost_packets: u64,
}

/// What is counted of all links together.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Totals {
    /// How many were not let in, in the order of [`Refusal::ALL`].
    pub refused: [u64; Refusal::ALL.len()],
}

impl Totals {
    /// How many were not let in for this reason.
    #[must_use]
    pub fn refused(&self, why: Refusal) -> u64 {
        Refusal::ALL
            .iter()
            .zip(self.refused)
            .find_map(|(kind, count)| (*kind == why).then_some(count))
            .unwrap_or(0)
    }
}

/// What is counted of one link.
#[derive(Default, Debug)]
pub(crate) struct Counters {
    pub(crate) sent_bytes: Counter,
    pub(crate) received_bytes: Counter,
    pub(crate) sent_frames: Counter,
    pub(crate) received_frames: Counter,
    pub(crate) skipped_frames: Counter,
    pub(crate) connects: Counter,
    /// Of connections that are over.
    pub(crate) lost_packets: Counter,
}

/// Only goes up.
#[derive(Default, Debug)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

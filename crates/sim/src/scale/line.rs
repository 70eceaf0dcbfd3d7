//! A link that is up: what is sent arrives in order, late, and as fast as the link is.

use crate::wan::Flow;
use presence::link::PeerId;
use std::time::Duration;

/// One way, as between towns.
const DELAY: Duration = Duration::from_millis(20);
/// 100 Mbit/s.
const BYTES_PER_SECOND: f64 = 12_500_000.0;
/// Bytes that may be under way, as over QUIC.
const WINDOW: usize = 262_144;

pub(super) struct Line {
    /// Sites, and which of its peers the other one is to each.
    pub(super) ends: [(usize, PeerId); 2],
    /// What each end sends.
    flows: [Flow; 2],
}

impl Line {
    pub(super) fn new(ends: [(usize, PeerId); 2]) -> Self {
        Self { ends, flows: Default::default() }
    }

    pub(super) fn has_room(&self, end: usize) -> bool {
        self.flows[end].under_way < WINDOW
    }

    /// Returns when it arrives.
    pub(super) fn send(&mut self, now: Duration, end: usize, bytes: usize) -> Duration {
        let flow = &mut self.flows[end];
        flow.under_way += bytes;
        flow.busy_until = flow.busy_until.max(now) + Duration::from_secs_f64(bytes as f64 / BYTES_PER_SECOND);
        flow.busy_until + DELAY
    }

    pub(super) fn arrived(&mut self, from: usize, bytes: usize) {
        self.flows[from].under_way -= bytes;
    }
}

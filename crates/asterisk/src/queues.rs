//! What the agent and the watcher have for their drivers: datagrams, events and counts, within bounds.

use crate::compose::Transmit;
use crate::ids::Ids;
use std::collections::VecDeque;

/// Queues towards the driver of events `E`, and what all parts on this side of them share.
pub(crate) struct Queues<E, C> {
    pub(crate) transmits: VecDeque<Transmit>,
    pub(crate) events: VecDeque<E>,
    pub(crate) counters: C,
    pub(crate) ids: Ids,
}

/// Counts what was too much.
pub(crate) trait Overload: Default {
    fn overloaded(&mut self);
}

impl<E, C: Overload> Queues<E, C> {
    /// Enough for a driver that empties the queues after each call, with room for a thousand servers.
    const LENGTH_MAX: usize = 4096;

    pub(crate) fn new(seed: u64) -> Self {
        let (transmits, events) = (VecDeque::new(), VecDeque::new());
        Self { transmits, events, counters: C::default(), ids: Ids::new(seed) }
    }

    /// Queues a datagram; one too many is lost, as the network might lose it.
    pub(crate) fn send(&mut self, transmit: Transmit) {
        if self.transmits.len() < Self::LENGTH_MAX {
            self.transmits.push_back(transmit);
        } else {
            self.counters.overloaded();
        }
    }

    /// True when the driver does not take events; then nothing may come in that makes more of them.
    pub(crate) fn is_full(&self) -> bool {
        self.events.len() >= Self::LENGTH_MAX
    }
}

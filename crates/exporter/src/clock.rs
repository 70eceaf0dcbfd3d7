//! The only clocks of the exporter. All latencies are differences of one monotonic clock in one process.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time since the exporter's start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Since the start; never jumps.
    pub(crate) fn now(self) -> Duration {
        self.start.elapsed()
    }

    /// Since the epoch, to compare with other machines.
    pub(crate) fn unix(self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// The moment that is so long after the start.
    pub(crate) fn at(self, since_start: Duration) -> tokio::time::Instant {
        (self.start + since_start).into()
    }
}

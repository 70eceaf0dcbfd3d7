//! When to dial again.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LAST: Duration = Duration::from_secs(10);

/// How long to wait after each failure: twice as long as before, to an end, and never quite the same, so that nodes which
/// lost their links in one moment do not come back in one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { next: FIRST }
    }

    /// The wait after a link that was up for so long (zero: it never was). `random` is from 0 to 1. A link counts as good when
    /// it was up for longer than the longest wait.
    pub(crate) fn after(&mut self, up: Duration, random: f64) -> Duration {
        if up >= LAST {
            self.next = FIRST;
        }
        let wait = self.next.mul_f64(0.75 + 0.5 * random.clamp(0.0, 1.0));
        self.next = (self.next * 2).min(LAST);
        wait.min(LAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_an_end_and_begin_anew_after_a_good_link() {
        let mut backoff = Backoff::new();
        let mut wait = |up_s, random| backoff.after(Duration::from_secs(up_s), random).as_millis();
        let waits: Vec<_> = (0..8).map(|_| wait(0, 0.5)).collect();
        assert_eq!(waits, [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
        assert_eq!(wait(9, 0.5), 10_000, "it fell at once");
        assert_eq!((wait(10, 0.0), wait(10, 1.0)), (150, 250));
    }
}

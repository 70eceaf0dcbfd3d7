//! Rests between slices. A server remembers each PUBLISH that came over UDP for 32 s (timer J of RFC 3261), which is likely where its memory goes:
//! a benchmark that never rests would measure the end of the lab's.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const MEMORY: Duration = Duration::from_secs(35);
const CHANGES_MAX: u32 = 12_000;

/// What was changed of late.
#[derive(Debug, Default)]
pub(super) struct Rest(VecDeque<(Instant, u32)>);

impl Rest {
    /// Waits until so many more changes may come, and counts them.
    pub(super) async fn before(&mut self, changes: u32) {
        tokio::time::sleep(self.pause(changes, Instant::now())).await;
        self.spent(changes);
    }

    /// These have come anyway.
    pub(super) fn spent(&mut self, changes: u32) {
        self.0.push_back((Instant::now(), changes));
    }

    fn pause(&mut self, changes: u32, now: Instant) -> Duration {
        while self.0.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > MEMORY) {
            self.0.pop_front();
        }
        let mut sum: u32 = changes + self.0.iter().map(|(_, changes)| changes).sum::<u32>();
        let mut pause = Duration::ZERO;
        for (at, changes) in &self.0 {
            if sum <= CHANGES_MAX {
                break;
            }
            sum -= changes;
            pause = (*at + MEMORY).saturating_duration_since(now);
        }
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_lasts_until_enough_is_forgotten() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut rest = Rest(VecDeque::from([(at(0), 5000), (at(10), 5000), (at(20), 100)]));
        assert_eq!(rest.pause(1000, at(20)), Duration::ZERO);
        assert_eq!(rest.pause(5000, at(20)), Duration::from_secs(15));
        assert_eq!(rest.pause(11_000, at(20)), Duration::from_secs(25));
        assert_eq!(rest.pause(5000, at(40)), Duration::ZERO);
    }
}

//! How far away a peer is, and its clock from ours: by pings and their answers.

use std::collections::VecDeque;
use std::time::{Duration, Instant};
use wire::link::{Ping, Pong};

/// Pings whose answers are waited for; older ones are given up.
const WAITING_MAX: usize = 8;
/// So many answers are remembered, of which the fastest tells most of the clock.
const SAMPLES_MAX: usize = 16;

/// Of one connection.
#[derive(Default, Debug)]
pub(crate) struct Measure {
    number: u32,
    waiting: VecDeque<(u32, Instant)>,
    smoothed: Option<Duration>,
    /// Round trips and the peer's clock minus ours, in microseconds.
    samples: VecDeque<(Duration, i64)>,
}

impl Measure {
    /// The next ping. `now_us` is our clock: microseconds since 1970.
    pub(crate) fn ping(&mut self, now: Instant, now_us: u64) -> Ping {
        self.number = self.number.wrapping_add(1);
        if self.waiting.len() == WAITING_MAX {
            self.waiting.pop_front();
        }
        self.waiting.push_back((self.number, now));
        Ping { number: self.number, sent_us: now_us }
    }

    /// An answer. One that answers nothing that was asked tells nothing.
    pub(crate) fn pong(&mut self, now: Instant, pong: Pong) {
        let Some(place) = self.waiting.iter().position(|(number, _)| *number == pong.number) else { return };
        let (_, sent) = self.waiting[place];
        self.waiting.drain(..=place);
        let rtt = now.saturating_duration_since(sent);
        self.smoothed = Some(self.smoothed.map_or(rtt, |before| (before * 7 + rtt) / 8));
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back((rtt, offset_us(pong, rtt)));
    }

    /// How long a ping and its answer take, smoothed.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.smoothed
    }

    /// The peer's clock minus ours, wrong by at most half of the fastest of the last round trips.
    pub(crate) fn clock_offset_us(&self) -> Option<i64> {
        self.samples.iter().min_by_key(|(rtt, _)| *rtt).map(|(_, offset)| *offset)
    }
}

/// As if the way there took as long as the way back.
fn offset_us(pong: Pong, rtt: Duration) -> i64 {
    let middle = i128::from(pong.sent_us) + i128::try_from(rtt.as_micros() / 2).unwrap_or(i128::MAX / 2);
    let offset = i128::from(pong.answered_us) - middle;
    i64::try_from(offset).unwrap_or(if offset < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_round_trip_is_smoothed_and_the_fastest_tells_the_clock() {
        let (mut measure, start) = (Measure::default(), Instant::now());
        assert_eq!((measure.rtt(), measure.clock_offset_us()), (None, None));
        let mut answer = |at_us: u64, rtt_ms: u64, answered_us: u64| {
            let sent = start + Duration::from_micros(at_us);
            let Ping { number, sent_us } = measure.ping(sent, at_us);
            measure.pong(sent + ms(rtt_ms), Pong { number, sent_us, answered_us });
            (measure.rtt(), measure.clock_offset_us())
        };
        assert_eq!(answer(1_000_000, 80, 1_540_000), (Some(ms(80)), Some(500_000)));
        assert_eq!(answer(2_000_000, 160, 2_600_000), (Some(ms(90)), Some(500_000)), "a slow one tells less");
        assert_eq!(answer(3_000_000, 10, 3_000_000).1, Some(-5_000), "the fastest");
    }

    #[test]
    fn an_answer_that_was_not_asked_for_tells_nothing() {
        let (mut measure, now) = (Measure::default(), Instant::now());
        for _ in 0..20 {
            measure.ping(now, 0);
        }
        for number in [0, 12, 21] {
            measure.pong(now, Pong { number, sent_us: 0, answered_us: 0 });
            assert_eq!(measure.rtt(), None);
        }
        measure.pong(now, Pong { number: 20, sent_us: 0, answered_us: u64::MAX });
        assert_eq!((measure.rtt(), measure.clock_offset_us()), (Some(Duration::ZERO), Some(i64::MAX)));
        measure.pong(now, Pong { number: 20, sent_us: 0, answered_us: 0 });
        assert_eq!(measure.clock_offset_us(), Some(i64::MAX), "once is enough");
    }
}

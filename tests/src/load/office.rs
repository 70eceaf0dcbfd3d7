//! Offices at work: devices that ring, are answered, put on hold, taken back and hung up, each in its own time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// A state, how it is set, and for how much of a device's day it lasts. The order is that of a call.
const DAY: [(&str, f64); 5] =
    [("RINGING", 0.05), ("INUSE", 0.2), ("ONHOLD", 0.05), ("INUSE", 0.1), ("NOT_INUSE", 0.6)];

/// A change that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Since the beginning.
    pub(super) after: Duration,
    pub(super) device: u32,
    pub(super) state: &'static str,
}

/// All changes of all devices in the order in which they are due, for ever.
pub(super) struct Office {
    /// When, which device, and which state of its day comes then.
    next: BinaryHeap<Reverse<(Duration, u32, usize)>>,
    /// From one ring to the next, on average.
    day: Duration,
    random: Random,
}

impl Office {
    /// So many devices that together change so many times a second on average.
    pub(super) fn new(rate: f64, devices: u32, seed: u64) -> Self {
        let day = Duration::from_secs_f64(DAY.len() as f64 * f64::from(devices) / rate);
        let mut office = Self { next: BinaryHeap::new(), day, random: Random(seed) };
        // Nobody begins to ring at the same moment as all others.
        for device in 0..devices {
            let (state, share) = office.somewhere();
            let first = day.mul_f64(share * office.random.share());
            office.next.push(Reverse((first, device, state)));
        }
        office
    }

    /// A state to begin with and how long the one before it lasts: as likely as a look at a random moment of a day finds it.
    fn somewhere(&mut self) -> (usize, f64) {
        let mut left = self.random.share();
        for (index, (_, share)) in DAY.iter().enumerate() {
            if left < *share {
                return ((index + 1) % DAY.len(), *share);
            }
            left -= share;
        }
        (0, DAY[DAY.len() - 1].1)
    }
}

impl Iterator for Office {
    type Item = Change;

    fn next(&mut self) -> Option<Change> {
        let Reverse((after, device, index)) = self.next.pop()?;
        let (state, share) = DAY[index];
        // From a quarter to seven quarters of the average.
        let lasts = self.day.mul_f64(share * (0.25 + 1.5 * self.random.share()));
        self.next.push(Reverse((after + lasts, device, (index + 1) % DAY.len())));
        Some(Change { after, device, state })
    }
}

/// SplitMix64: the same seed gives the same office.
struct Random(u64);

impl Random {
    /// From 0 to less than 1.
    #[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_office_is_as_fast_as_asked_from_the_first_second() {
        let changes: Vec<_> = Office::new(100.0, 1000, 1)
            .take_while(|change| change.after < Duration::from_secs(100))
            .collect();
        assert!((9_000..11_000).contains(&changes.len()), "{}", changes.len());
        let first = changes.iter().filter(|change| change.after < Duration::from_secs(10)).count();
        assert!((800..1200).contains(&first), "{first}");
    }

    #[test]
    fn changes_come_in_order_and_each_device_lives_call_by_call() {
        let changes: Vec<_> = Office::new(50.0, 10, 7).take(500).collect();
        assert!(changes.is_sorted_by_key(|change| change.after));
        let mine: Vec<_> =
            changes.iter().filter(|change| change.device == 3).map(|change| change.state).collect();
        let day: Vec<_> = DAY.iter().map(|(state, _)| *state).collect();
        let ring = mine.iter().position(|state| *state == "RINGING").unwrap();
        assert!(mine.len() > 20);
        assert!(mine[ring..].chunks_exact(5).all(|call| call == day));
    }

    #[test]
    fn the_same_seed_gives_the_same_office() {
        let office = |seed| Office::new(10.0, 20, seed).take(100).collect::<Vec<_>>();
        assert_eq!(office(1), office(1));
        assert_ne!(office(1), office(2));
    }
}

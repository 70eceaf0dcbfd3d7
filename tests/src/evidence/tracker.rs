//! Tells which change a sighting shows. Every device alternates between in use and not in use, so that a change that two
//! others hide is missed and not mistaken.

use std::collections::VecDeque;
use std::time::Instant;

/// Where a change can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The origin's own AMI event.
    Origin,
    /// The target's AMI event.
    Device,
    /// The NOTIFY to a phone at the target.
    Lamp,
}

const PLACES: usize = 3;

/// What became of a change at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Nobody looks there, or there is nothing to see.
    Unwatched,
    Awaited,
    At(Instant),
    /// A later change of the device was seen instead, or none in time.
    Missed,
}

/// A change about which nothing more will be learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) due: Instant,
    lit: bool,
    seen: [Seen; PLACES],
}

impl Change {
    pub(super) fn at(&self, place: Place) -> Seen {
        self.seen[place as usize]
    }

    fn is_settled(&self) -> bool {
        !self.seen.contains(&Seen::Awaited)
    }
}

/// The devices of one path.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    devices: Vec<Device>,
    awaited: usize,
}

#[derive(Debug, Default)]
struct Device {
    lit: bool,
    shown: [bool; PLACES],
    has_lamp: bool,
    changes: VecDeque<Change>,
}

impl Tracker {
    /// Changes a device; its new state.
    pub(super) fn change(&mut self, n: u32, due: Instant, has_lamp: bool) -> bool {
        let index = n as usize;
        if self.devices.len() <= index {
            self.devices.resize_with(index + 1, Device::default);
        }
        let device = &mut self.devices[index];
        device.lit = !device.lit;
        device.has_lamp = has_lamp;
        let lamp = if has_lamp { Seen::Awaited } else { Seen::Unwatched };
        let seen = [Seen::Awaited, Seen::Awaited, lamp];
        device.changes.push_back(Change { due, lit: device.lit, seen });
        self.awaited += 1;
        device.lit
    }

    /// A sighting: it shows the oldest change to this state that is still awaited there. Returns what is settled by it.
    pub(super) fn saw(&mut self, n: u32, place: Place, lit: bool, at: Instant) -> Vec<Change> {
        let Some(device) = self.devices.get_mut(n as usize) else { return Vec::new() };
        device.shown[place as usize] = lit;
        let awaited = |change: &Change| change.at(place) == Seen::Awaited;
        let fits = device.changes.iter().position(|change| awaited(change) && change.lit == lit);
        let Some(fits) = fits else { return Vec::new() };
        for change in device.changes.iter_mut().take(fits).filter(|change| awaited(change)) {
            change.seen[place as usize] = Seen::Missed;
        }
        device.changes[fits].seen[place as usize] = Seen::At(at);
        self.settle(n as usize)
    }

    /// Gives up what was due before a moment. Where the change before was lost a place shows the state already, and has nothing
    /// to tell of this one.
    pub(super) fn expire(&mut self, before: Instant) -> Vec<Change> {
        let mut settled = Vec::new();
        for index in 0..self.devices.len() {
            let device = &mut self.devices[index];
            for change in device.changes.iter_mut().filter(|change| change.due < before) {
                for (seen, shown) in change.seen.iter_mut().zip(device.shown) {
                    if *seen == Seen::Awaited {
                        *seen = if shown == change.lit { Seen::Unwatched } else { Seen::Missed };
                    }
                }
            }
            settled.extend(self.settle(index));
        }
        settled
    }

    /// Changes of which something is still awaited.
    pub(super) fn awaited(&self) -> usize {
        self.awaited
    }

    /// Devices that show something else there than what they were set to last.
    pub(super) fn wrong(&self, place: Place) -> u64 {
        let watched = self.devices.iter().filter(|device| place != Place::Lamp || device.has_lamp);
        watched.map(|device| u64::from(device.shown[place as usize] != device.lit)).sum()
    }

    /// The devices that were set to in use last.
    pub(super) fn lit(&self) -> Vec<u32> {
        (0..).zip(&self.devices).filter(|(_, device)| device.lit).map(|(n, _)| n).collect()
    }

    /// All devices there ever were.
    pub(super) fn devices(&self) -> u32 {
        u32::try_from(self.devices.len()).unwrap_or(u32::MAX)
    }

    fn settle(&mut self, index: usize) -> Vec<Change> {
        let changes = &mut self.devices[index].changes;
        let mut settled = Vec::new();
        while changes.front().is_some_and(Change::is_settled) {
            settled.extend(changes.pop_front());
        }
        self.awaited -= settled.len();
        settled
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Place::{Device, Lamp, Origin};
    use super::*;

    fn after(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_change_is_settled_when_every_place_has_shown_it_in_any_order() {
        let (mut tracker, start) = (Tracker::default(), Instant::now());
        assert!(tracker.change(3, start, true));
        assert_eq!(tracker.saw(3, Device, true, after(start, 2)), []);
        assert_eq!(tracker.saw(3, Lamp, true, after(start, 3)), []);
        let settled = tracker.saw(3, Origin, true, after(start, 1));
        assert_eq!(settled.len(), 1);
        assert_eq!(settled[0].at(Lamp), Seen::At(after(start, 3)));
        assert_eq!((tracker.awaited(), tracker.wrong(Lamp), tracker.lit()), (0, 0, vec![3]));
    }

    #[test]
    fn a_change_that_a_later_one_overtook_is_missed() {
        let (mut tracker, start) = (Tracker::default(), Instant::now());
        for millisecond in 0..3 {
            tracker.change(0, after(start, millisecond), false);
        }
        for lit in [true, false, true] {
            tracker.saw(0, Origin, lit, after(start, 5));
        }
        // On, off, on: the target shows only an off and an on.
        let settled = tracker.saw(0, Device, false, after(start, 8));
        let seen: Vec<_> = settled.iter().map(|change| change.at(Device)).collect();
        assert_eq!(seen, [Seen::Missed, Seen::At(after(start, 8))]);
        assert_eq!(tracker.saw(0, Device, true, after(start, 9)).len(), 1);
        assert_eq!((tracker.awaited(), tracker.wrong(Device)), (0, 0));
    }

    #[test]
    fn a_repeated_sighting_shows_no_change() {
        let (mut tracker, start) = (Tracker::default(), Instant::now());
        tracker.change(0, start, false);
        tracker.saw(0, Origin, true, start);
        assert_eq!(tracker.saw(0, Device, false, after(start, 1)), [], "what it was before");
        assert_eq!(tracker.saw(0, Device, true, after(start, 2)).len(), 1);
        assert_eq!(tracker.saw(0, Device, true, after(start, 3)), []);
        assert_eq!(tracker.saw(9, Device, true, start), [], "never changed");
    }

    #[test]
    fn what_does_not_come_in_time_is_missed_and_the_last_word_is_wrong() {
        let (mut tracker, start) = (Tracker::default(), Instant::now());
        tracker.change(0, start, true);
        tracker.change(1, after(start, 50), false);
        tracker.saw(0, Origin, true, after(start, 1));
        let settled = tracker.expire(after(start, 20));
        assert_eq!(settled.len(), 1);
        assert_eq!(settled[0].at(Device), Seen::Missed);
        assert_eq!(tracker.awaited(), 1);
        assert_eq!((tracker.wrong(Device), tracker.wrong(Lamp)), (2, 1));
    }

    #[test]
    fn the_change_after_a_lost_one_is_not_lost_too() {
        let (mut tracker, start) = (Tracker::default(), Instant::now());
        for lit in [true, false] {
            tracker.change(0, start, false);
            tracker.saw(0, Origin, lit, start);
            assert_eq!(
                tracker.expire(after(start, 1))[0].at(Device),
                if lit { Seen::Missed } else { Seen::Unwatched }
            );
        }
        assert_eq!(tracker.wrong(Device), 0);
    }
}

//! The wall clocks of the machines that are watched, and our own. Nothing is measured by them, but people put logs side
//! by side: a clock that is wrong or is set should be named.

use crate::place::NodeId;
use std::collections::BTreeMap;
use std::time::Duration;

/// Clocks are not read better than this: a node's answer takes its time.
pub(crate) const ERROR_MAX: Duration = Duration::from_millis(500);
/// A clock that differs so much from what it was or from ours is named, in seconds.
pub(crate) const APART_S: f64 = 1.0;

/// Whose clock it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Owner {
    /// This machine's.
    Own,
    Node(NodeId),
}

/// What is known of one clock.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Wall {
    /// How far it is ahead of our clock that never jumps, in seconds.
    base_s: f64,
    /// How often it was set.
    pub(crate) jumps: u64,
    /// When it was set last, and by how many seconds.
    pub(crate) last: Option<(Duration, f64)>,
}

/// All clocks that were read.
#[derive(Default)]
pub(crate) struct Clocks {
    all: BTreeMap<Owner, Wall>,
}

impl Clocks {
    /// A clock showed `unix` when it was `now` for us. Gives by how many seconds it was set since it was read last, if it
    /// was.
    pub(crate) fn saw(&mut self, owner: Owner, unix: Duration, now: Duration) -> Option<f64> {
        let base_s = unix.as_secs_f64() - now.as_secs_f64();
        let wall = self.all.entry(owner).or_insert(Wall { base_s, jumps: 0, last: None });
        let by_s = base_s - std::mem::replace(&mut wall.base_s, base_s);
        let jumped = by_s.abs() >= APART_S;
        if jumped {
            wall.jumps += 1;
            wall.last = Some((now, by_s));
        }
        jumped.then_some(by_s)
    }

    /// How many seconds a clock is ahead of this machine's.
    pub(crate) fn ahead_s(&self, owner: Owner) -> Option<f64> {
        Some(self.all.get(&owner)?.base_s - self.all.get(&Owner::Own)?.base_s)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (Owner, &Wall)> {
        self.all.iter().map(|(owner, wall)| (*owner, wall))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: Owner = Owner::Node(NodeId(0));

    #[test]
    fn a_clock_that_is_set_is_told_once_and_for_both_directions() {
        let mut clocks = Clocks::default();
        let (start, second) = (Duration::from_secs(1_700_000_000), Duration::from_secs(1));
        assert_eq!(clocks.saw(Owner::Own, start, second), None, "nobody knows what it was before");
        assert_eq!(clocks.saw(Owner::Own, start + second, second * 2), None);
        assert_eq!(clocks.saw(Owner::Own, start + second * 3_602, second * 3), Some(3_600.0));
        assert_eq!(clocks.saw(Owner::Own, start + second * 3_603, second * 4), None);
        assert_eq!(clocks.saw(Owner::Own, start + second * 4, second * 5), Some(-3_600.0));
        let (_, wall) = clocks.all().next().unwrap();
        assert_eq!((wall.jumps, wall.last), (2, Some((second * 5, -3_600.0))));
    }

    #[test]
    fn a_clock_that_drifts_is_ahead_and_has_not_jumped() {
        let mut clocks = Clocks::default();
        let (start, step) = (Duration::from_secs(1_700_000_000), Duration::from_secs(5));
        for turn in 0..100 {
            clocks.saw(Owner::Own, start + step * turn, step * turn);
            assert_eq!(clocks.saw(NODE, start + step * turn * 21 / 20, step * turn), None);
        }
        assert!((clocks.ahead_s(NODE).unwrap() - 24.75).abs() < 0.001);
        assert_eq!(clocks.ahead_s(Owner::Own), Some(0.0));
        assert_eq!(clocks.ahead_s(Owner::Node(NodeId(1))), None, "it has not been read");
    }
}

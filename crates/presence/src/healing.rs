//! What a node owes to stock servers: to put out what the dead had lit, and to make the living say again what was lost.

use crate::{Change, Eid, Subject};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

/// How long the node of each rank lets the ones before it do what one node has to do.
const STANDBY: Duration = Duration::from_millis(500);

/// How long a server that is back may take to say what it still stands for; a plain join in between included.
const RETURN_WAIT: Duration = Duration::from_secs(5);

/// How long after a merge senders may still be blocked: what stock members say in this time may be lost.
const UNSETTLED: Duration = Duration::from_millis(500);

/// How long a server that is back after a merge may take to introduce itself.
const INTRODUCTION_WAIT: Duration = Duration::from_secs(1);

/// How long after a merge, and after a plain join that did not come, the next one is due; once more for each rank.
const TOUCH_WAIT: Duration = Duration::from_secs(1);

/// Words that are kept after they have been said, in all.
const KEPT_MAX: usize = 1_000_000;

/// Plain joins that are tried without one being seen; beyond, something is wrong with this machine.
const TOUCHES_MAX: u32 = 5;

#[derive(Default)]
pub(crate) struct Healing {
    /// What is to be taken back in the group for each server that is gone, unless another node says it first, or the
    /// server itself says something newer.
    debts: BTreeMap<Eid, Debt>,
    /// The words of all debts.
    words: usize,
    touch: Option<Touch>,
}

#[derive(Default)]
struct Debt {
    /// When it is due for the node of rank 0.
    due: Duration,
    words: BTreeMap<Subject, Owed>,
    unsaid: usize,
}

struct Owed {
    change: Change,
    lit: bool,
    /// It has been said; it is kept because members that are out of reach have not heard it.
    said: bool,
}

/// A plain join is wanted.
#[derive(Clone, Copy)]
struct Touch {
    since: Duration,
    tried: u32,
}

/// Taking back.
impl Healing {
    /// Owes something from now on; `lit` says whether a person may be looking at what it puts out.
    pub(crate) fn owe(&mut self, now: Duration, eid: Eid, change: Change, lit: bool) {
        let debt = self.debts.entry(eid).or_default();
        debt.due = now;
        debt.unsaid += 1;
        let owed = Owed { lit, said: false, change: change.clone() };
        match debt.words.insert(change.subject(), owed) {
            None => self.words += 1,
            Some(before) => debt.unsaid -= usize::from(!before.said),
        }
    }

    /// A server is gone again that was given time.
    pub(crate) fn hurry(&mut self, now: Duration, eid: Eid) {
        if let Some(debt) = self.debts.get_mut(&eid) {
            debt.due = now;
        }
    }

    /// A server may be back: it is given time to say what it still stands for.
    pub(crate) fn wait_for(&mut self, now: Duration, eid: Eid) {
        if let Some(debt) = self.debts.get_mut(&eid) {
            debt.due = now + RETURN_WAIT;
        }
    }

    /// The same for all: we have come into the group, and do not know who is in it.
    pub(crate) fn wait_for_all(&mut self, now: Duration) {
        self.debts.values_mut().for_each(|debt| debt.due = now + RETURN_WAIT);
    }

    /// Members have come that had been out of reach: what was said before is owed to them. The servers may be among them.
    pub(crate) fn owe_found(&mut self, now: Duration) {
        self.owe_all_again(now);
        self.debts.values_mut().for_each(|debt| debt.due = debt.due.max(now + INTRODUCTION_WAIT));
    }

    /// A node has come that knows nothing: what was said before is owed to it. Its coming makes stock members say what they stand for,
    /// one of which may be back unnoticed: they come first.
    pub(crate) fn owe_all_again(&mut self, now: Duration) {
        for debt in self.debts.values_mut() {
            if debt.unsaid == 0 {
                debt.due = now + STANDBY;
            }
            debt.words.values_mut().for_each(|owed| owed.said = false);
            debt.unsaid = debt.words.len();
        }
    }

    /// The server says something newer itself. Tells whether anything was owed, or said already.
    pub(crate) fn forgive(&mut self, eid: Eid, subject: &Subject) -> bool {
        let Some(debt) = self.debts.get_mut(&eid) else { return false };
        let Some(owed) = debt.words.remove(subject) else { return false };
        debt.unsaid -= usize::from(!owed.said);
        self.words -= 1;
        if debt.words.is_empty() {
            self.debts.remove(&eid);
        }
        true
    }

    /// Somebody has said it.
    pub(crate) fn settle(&mut self, eid: Eid, subject: &Subject) {
        if self.words > KEPT_MAX {
            self.forgive(eid, subject);
            return;
        }
        let Some(debt) = self.debts.get_mut(&eid) else { return };
        if let Some(owed) = debt.words.get_mut(subject) {
            debt.unsaid -= usize::from(!owed.said);
            owed.said = true;
        }
    }

    /// Whether it is known that this was taken back.
    pub(crate) fn knows(&self, eid: Eid, subject: &Subject) -> bool {
        self.debts.get(&eid).is_some_and(|debt| debt.words.contains_key(subject))
    }

    /// All that is known to be taken back, said already or not.
    pub(crate) fn taken_back(&self) -> impl Iterator<Item = (Eid, &Change)> {
        self.debts.iter().flat_map(|(eid, debt)| debt.words.values().map(|owed| (*eid, &owed.change)))
    }

    /// When something is due for a node of this rank.
    pub(crate) fn due_at(&self, rank: u32) -> Option<Duration> {
        let debts = self.debts.values().filter(|debt| debt.unsaid > 0);
        debts.map(|debt| debt.due + STANDBY * rank).min()
    }

    /// What is owed, due or not, what is lit first.
    pub(crate) fn take_all(&mut self) -> Vec<(Eid, Change)> {
        self.take_due(Duration::MAX, 0)
    }

    /// What is due, what is lit first.
    pub(crate) fn take_due(&mut self, now: Duration, rank: u32) -> Vec<(Eid, Change)> {
        let mut words = Vec::new();
        for (eid, debt) in &mut self.debts {
            if debt.unsaid == 0 || now < debt.due + STANDBY * rank {
                continue;
            }
            debt.unsaid = 0;
            for owed in debt.words.values_mut().filter(|owed| !owed.said) {
                owed.said = true;
                words.push((!owed.lit, *eid, owed.change.clone()));
            }
        }
        words.sort_by_key(|(idle, ..)| *idle);
        words.into_iter().map(|(_, eid, change)| (eid, change)).collect()
    }
}

/// Plain joins.
impl Healing {
    /// Stock members may have lost words of each other.
    pub(crate) fn want_touch(&mut self, now: Duration) {
        self.touch = Some(Touch { since: now, tried: 0 });
    }

    /// A process has joined: every stock member says all again, unless it may not send yet.
    pub(crate) fn touched(&mut self, now: Duration) {
        self.touch = self.touch.filter(|touch| now < touch.since + UNSETTLED && touch.tried == 0);
    }

    /// When a node of this rank has to bring a plain join about.
    pub(crate) fn touch_at(&self, rank: u32) -> Option<Duration> {
        self.touch.map(|touch| touch.since + TOUCH_WAIT * (rank + 1))
    }

    /// Whether a node of this rank has to bring a plain join about now. It is wanted until it is seen.
    pub(crate) fn take_touch(&mut self, now: Duration, rank: u32) -> bool {
        let due = self.touch_at(rank).is_some_and(|at| at <= now);
        if due {
            let tried = self.touch.map_or(0, |touch| touch.tried) + 1;
            self.touch = (tried < TOUCHES_MAX).then_some(Touch { since: now, tried });
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, DeviceState};

    const PBX1: Eid = Eid([2, 0, 0, 0, 1, 1]);
    const NOW: Duration = Duration::from_secs(100);

    fn lamp(name: &str) -> Change {
        let device = Device::new(name).unwrap();
        Change::DeviceState { device, state: DeviceState::Unavailable, cachable: true }
    }

    #[test]
    fn the_first_node_takes_back_at_once_and_the_others_what_it_leaves() {
        let mut healing = Healing::default();
        healing.owe(NOW, PBX1, lamp("a"), true);
        healing.owe(NOW, PBX1, lamp("b"), true);
        assert_eq!(healing.due_at(0), Some(NOW));
        assert_eq!(healing.take_due(NOW, 1), []);
        healing.settle(PBX1, &lamp("a").subject());
        assert_eq!(healing.take_due(NOW + STANDBY, 1), [(PBX1, lamp("b"))]);
        assert_eq!(healing.due_at(0), None);
    }

    #[test]
    fn members_that_were_out_of_reach_are_told_what_was_said_meanwhile() {
        let mut healing = Healing::default();
        healing.owe(NOW, PBX1, lamp("a"), true);
        healing.owe(NOW, PBX1, lamp("b"), true);
        assert_eq!(healing.take_due(NOW, 0).len(), 2);
        healing.owe_found(NOW);
        healing.forgive(PBX1, &lamp("a").subject());
        assert_eq!(healing.take_due(NOW, 0), [], "it may be back");
        assert_eq!(healing.take_due(NOW + INTRODUCTION_WAIT, 0), [(PBX1, lamp("b"))]);
        healing.forgive(PBX1, &lamp("b").subject());
        assert!(healing.debts.is_empty());
    }

    #[test]
    fn however_many_nodes_come_what_is_owed_is_said() {
        let mut healing = Healing::default();
        healing.owe(NOW, PBX1, lamp("a"), true);
        healing.owe_all_again(NOW + STANDBY);
        assert_eq!(healing.take_due(NOW + STANDBY, 1).len(), 1);
        healing.owe_all_again(NOW * 2);
        assert_eq!(healing.take_due(NOW * 2, 0), [], "the server may be back");
        assert_eq!(healing.take_due(NOW * 2 + STANDBY, 0).len(), 1);
    }

    #[test]
    fn a_server_that_is_back_is_given_time() {
        let mut healing = Healing::default();
        healing.owe(NOW, PBX1, lamp("a"), true);
        healing.wait_for(NOW, PBX1);
        assert_eq!(healing.take_due(NOW + STANDBY, 0), []);
        assert_eq!(healing.take_due(NOW + RETURN_WAIT, 0).len(), 1);
    }

    #[test]
    fn a_plain_join_is_brought_about_unless_one_is_seen() {
        let mut healing = Healing::default();
        healing.want_touch(NOW);
        healing.touched(NOW);
        assert_eq!(healing.touch_at(1), Some(NOW + TOUCH_WAIT * 2), "so early it does not count");
        assert!(!healing.take_touch(NOW, 0));
        assert!(healing.take_touch(NOW + TOUCH_WAIT, 0));
        healing.touched(NOW + TOUCH_WAIT);
        assert_eq!(healing.touch_at(0), None);
    }

    #[test]
    fn a_machine_that_brings_no_plain_join_about_gives_up() {
        let mut healing = Healing::default();
        healing.want_touch(NOW);
        let tries = (1..100).filter(|second| healing.take_touch(NOW + TOUCH_WAIT * *second, 0)).count();
        assert_eq!(tries, TOUCHES_MAX as usize);
    }
}

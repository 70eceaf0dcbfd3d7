//! How nodes see what they lack of each other's servers, so that a newcomer is told once, and only what it lacks.
//!
//! Each node numbers its words. After each change of membership it says in a *digest*, for each of its servers, which number was
//! the last that the newcomers cannot have heard; a newcomer that was there before compares that with what it had heard until
//! it went, and requests the states of servers of which it has missed something.
//!
//! Members that are no nodes request nothing, so they are told all that our servers say, once for all newcomers, as soon as
//! they show that they are none.

use crate::{Eid, Member, Membership, States, Summary};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

/// How long a newcomer may be silent before it counts as no node.
const INTRODUCTION_WAIT: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Replication {
    /// Members that came and have not shown whether they are nodes, with the time since when.
    newcomers: BTreeMap<Member, Duration>,
    /// Of each server of ours, the number of its last word that was delivered since we are in the group.
    delivered: BTreeMap<Eid, u64>,
    /// The same as it was when the latest newcomers came.
    baseline: BTreeMap<Eid, u64>,
    /// Of each server of other nodes of which nothing was missing before we were away, the run of its node and the last number heard.
    known: BTreeMap<Eid, (u64, u64)>,
    /// Servers of other nodes of which nothing is missing, with the number up to which that was told apart from what we hear.
    complete: BTreeMap<Eid, u64>,
    /// Of each server of other nodes, the number of the first word heard since we are in the group.
    first: BTreeMap<Eid, u64>,
    /// What was requested from each node, by the number of the request.
    requested: BTreeMap<Member, (u64, BTreeSet<Eid>)>,
    requests: u64,
    /// The last request of each member that we have fulfilled, and its own EID.
    answered: BTreeMap<Member, (Eid, u64)>,
    /// The same of those that we are about to fulfil.
    promised: BTreeMap<Member, (Eid, u64)>,
    /// The parts of our servers' states that have not come back yet.
    parts: BTreeSet<(Eid, usize)>,
}

/// What a digest says about one of its server's states here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    /// Nothing is missing.
    Complete,
    /// Something may be missing.
    Lacking,
    /// It has been requested already.
    Awaited,
}

/// Towards newcomers.
impl Replication {
    /// We are in the group. What we tell to all has no newcomers to distinguish.
    pub(crate) fn join(&mut self, states: &States) {
        let latest = |eid: &Eid| states.of(*eid).map(|server| (*eid, server.latest()));
        let known = self.complete.keys().filter_map(latest);
        self.known = known.map(|(eid, stamp)| (eid, (stamp.incarnation, stamp.sequence))).collect();
        self.newcomers.clear();
        self.delivered.clear();
        self.baseline.clear();
        self.complete.clear();
        self.first.clear();
        self.requested.clear();
        self.answered.clear();
        self.promised.clear();
        self.parts.clear();
    }

    /// Members have come.
    pub(crate) fn welcome(&mut self, now: Duration, members: impl Iterator<Item = Member>) {
        self.newcomers.extend(members.map(|member| (member, now)));
        self.baseline = self.delivered.clone();
    }

    /// A member has shown what it is. Tells whether it is a newcomer to whom everything must be told, because it is no node.
    pub(crate) fn introduced(&mut self, member: Member, node: bool) -> bool {
        let new = self.newcomers.remove(&member).is_some();
        if new && !node {
            // The others, if they are none either, hear the same.
            self.newcomers.clear();
        }
        new && !node
    }

    /// When a newcomer counts as no node.
    pub(crate) fn silent_at(&self) -> Option<Duration> {
        self.newcomers.values().min().map(|since| *since + INTRODUCTION_WAIT)
    }

    /// Tells, once, that there are newcomers that count as no nodes.
    pub(crate) fn give_up(&mut self, now: Duration) -> bool {
        let silent = self.silent_at().is_some_and(|at| at <= now);
        if silent {
            self.newcomers.clear();
        }
        silent
    }

    /// A word of one of our servers has come back.
    pub(crate) fn confirm(&mut self, eid: Eid, sequence: u64) {
        let last = self.delivered.entry(eid).or_default();
        *last = sequence.max(*last);
    }

    pub(crate) fn summaries(&self, eids: impl Iterator<Item = Eid>) -> Vec<Summary> {
        eids.map(|eid| Summary { eid, sequence: self.baseline.get(&eid).copied().unwrap_or(0) }).collect()
    }

    /// The request of a member, which calls itself `node`, is about to be fulfilled.
    pub(crate) fn promise(&mut self, from: Member, node: Eid, number: u64) {
        self.promised.insert(from, (node, number));
    }

    /// A part of what a server of ours says is on its way to those who have requested it.
    pub(crate) fn send(&mut self, eid: Eid, part: usize) {
        self.parts.insert((eid, part));
    }

    /// Tells, once, that requests are fulfilled, for nothing of what was requested is on its way any more: corosync may swallow a part, and not
    /// the digest behind it.
    pub(crate) fn answer(&mut self, is_on_its_way: impl Fn(Eid, usize) -> bool) -> bool {
        while self.parts.first().is_some_and(|(eid, part)| !is_on_its_way(*eid, *part)) {
            self.parts.pop_first();
        }
        let fulfilled = self.parts.is_empty() && !self.promised.is_empty();
        if fulfilled {
            self.answered.append(&mut self.promised);
        }
        fulfilled
    }

    pub(crate) fn answered(&self) -> Vec<(Eid, u64)> {
        self.answered.values().copied().collect()
    }
}

/// As a newcomer.
impl Replication {
    /// What a digest of the node `from` means for one of its servers.
    pub(crate) fn judge(&mut self, from: Member, incarnation: u64, summary: Summary) -> Standing {
        let Summary { eid, sequence } = summary;
        let heard =
            self.known.get(&eid).filter(|(known, _)| *known == incarnation).map_or(0, |known| known.1);
        if self.is_complete(eid, heard, sequence) {
            self.complete.entry(eid).or_insert(heard);
            return Standing::Complete;
        }
        self.complete.remove(&eid);
        let awaited = self.requested.get(&from).is_some_and(|(_, wanted)| wanted.contains(&eid));
        if awaited { Standing::Awaited } else { Standing::Lacking }
    }

    /// Whether nothing is missing of what a server said up to a number. A digest that was on its way when we came does not count what its node
    /// had said before; the one after it does, and names a number before all that we have heard.
    fn is_complete(&self, eid: Eid, heard: u64, sequence: u64) -> bool {
        match self.complete.get(&eid) {
            Some(told) => sequence <= *told || self.first.get(&eid).is_some_and(|first| *first <= sequence),
            None => sequence <= heard,
        }
    }

    /// A server of another node has said something.
    pub(crate) fn hear(&mut self, eid: Eid, sequence: u64) {
        self.first.entry(eid).or_insert(sequence);
    }

    /// Whether we have heard a server in this run of its node before we were away, and not only of it from elsewhere.
    pub(crate) fn knew(&self, eid: Eid, incarnation: u64) -> bool {
        self.known.get(&eid).is_some_and(|(known, _)| *known == incarnation)
    }

    /// Requests servers' states from their node.
    pub(crate) fn request(&mut self, from: Member, wanted: &[Eid]) {
        self.requests += 1;
        let entry = self.requested.entry(from).or_default();
        entry.0 = self.requests;
        entry.1.extend(wanted);
    }

    /// A node has fulfilled our requests up to this number. Returns the servers that are complete now.
    pub(crate) fn fulfilled(&mut self, from: Member, number: u64) -> BTreeSet<Eid> {
        let Some((asked, _)) = self.requested.get(&from) else { return BTreeSet::new() };
        if *asked > number {
            return BTreeSet::new();
        }
        let (_, eids) = self.requested.remove(&from).unwrap_or_default();
        self.complete.extend(eids.iter().map(|eid| (*eid, u64::MAX)));
        eids
    }

    /// Whether something was requested from a member and has not come.
    pub(crate) fn awaits(&self, from: Member) -> bool {
        self.requested.contains_key(&from)
    }

    /// The number of the latest request, and all that is requested.
    pub(crate) fn wanted(&self) -> (u64, Vec<Eid>) {
        (self.requests, self.requested.values().flat_map(|(_, wanted)| wanted).copied().collect())
    }

    /// A member has gone, and the servers that it spoke for.
    pub(crate) fn forget(&mut self, member: Member, eids: &[Eid]) {
        self.newcomers.remove(&member);
        self.requested.remove(&member);
        self.answered.remove(&member);
        self.promised.remove(&member);
        self.forget_servers(eids);
    }

    /// Nobody speaks for these servers any more.
    pub(crate) fn forget_servers(&mut self, eids: &[Eid]) {
        for eid in eids {
            self.complete.remove(eid);
            self.first.remove(eid);
            self.known.remove(eid);
            self.requested.values_mut().for_each(|(_, wanted)| {
                wanted.remove(eid);
            });
        }
    }

    /// The servers whose states nobody has confirmed since we are in the group: those of stock members that do not say, and
    /// those of members that are gone. What was requested will come.
    pub(crate) fn unconfirmed(&self, states: &States, membership: &Membership, own: &[Eid]) -> Vec<Eid> {
        let awaited = |eid: &Eid| self.requested.values().any(|(_, wanted)| wanted.contains(eid));
        let node = |eid: &Eid| membership.speaker(*eid).is_some_and(|member| membership.is_node(member));
        states.eids().filter(|eid| !own.contains(eid) && !node(eid) && !awaited(eid)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Change, Device, DeviceState, Stamp};

    const PBX3: Eid = Eid([2, 0, 0, 0, 1, 3]);
    const NODE: Member = Member { nodeid: 21, pid: 1 };
    const ONE: Member = Member { nodeid: 1, pid: 7 };
    const NOW: Duration = Duration::from_secs(5);

    fn heard(incarnation: u64, sequence: u64) -> Replication {
        let mut states = States::new(0);
        let device = Device::new("a").unwrap();
        let change = Change::DeviceState { device, state: DeviceState::InUse, cachable: true };
        states.enter(PBX3, &change, Stamp { incarnation, sequence, time: 0 });
        let mut replication = Replication::default();
        replication.complete.insert(PBX3, 0);
        replication.join(&states);
        replication
    }

    fn judge(replication: &mut Replication, incarnation: u64, sequence: u64) -> Standing {
        replication.judge(NODE, incarnation, Summary { eid: PBX3, sequence })
    }

    #[test]
    fn who_missed_nothing_requests_nothing() {
        assert_eq!(judge(&mut heard(1, 9), 1, 9), Standing::Complete);
        assert_eq!(judge(&mut heard(1, 9), 1, 10), Standing::Lacking);
        assert_eq!(judge(&mut heard(1, 9), 2, 3), Standing::Lacking, "another run of the node");
        assert_eq!(judge(&mut heard(1, 9), 2, 0), Standing::Complete, "it has said nothing before we came");
    }

    #[test]
    fn a_digest_that_was_on_its_way_when_we_came_is_corrected_by_the_next() {
        let mut replication = Replication::default();
        assert_eq!(judge(&mut replication, 1, 0), Standing::Complete);
        replication.hear(PBX3, 21);
        assert_eq!(judge(&mut replication, 1, 20), Standing::Lacking);
        replication.request(NODE, &[PBX3]);
        replication.fulfilled(NODE, 1);
        assert_eq!(judge(&mut replication, 1, 20), Standing::Complete);
    }

    #[test]
    fn what_was_said_since_we_came_we_have_heard_whoever_comes_after_us() {
        let mut replication = Replication::default();
        assert_eq!(judge(&mut replication, 1, 0), Standing::Complete);
        (3..=9).for_each(|sequence| replication.hear(PBX3, sequence));
        assert_eq!(judge(&mut replication, 1, 7), Standing::Complete);
    }

    #[test]
    fn the_last_word_heard_says_nothing_of_those_before_unless_all_was_there() {
        let mut replication = heard(1, 9);
        replication.join(&States::new(0));
        assert_eq!(judge(&mut replication, 1, 4), Standing::Lacking);
    }

    #[test]
    fn a_request_is_made_once_and_ends_with_its_answer() {
        let mut replication = Replication::default();
        assert_eq!(judge(&mut replication, 1, 9), Standing::Lacking);
        replication.request(NODE, &[PBX3]);
        assert_eq!(judge(&mut replication, 1, 9), Standing::Awaited);
        assert_eq!(replication.wanted(), (1, Vec::from([PBX3])));
        assert!(replication.fulfilled(NODE, 0).is_empty(), "a digest from before");
        assert_eq!(replication.fulfilled(NODE, 1), [PBX3].into());
        assert_eq!(judge(&mut replication, 1, 9), Standing::Complete);
        assert!(!replication.awaits(NODE));
    }

    #[test]
    fn what_was_requested_of_a_server_that_went_meanwhile_completes_nothing() {
        let mut replication = Replication::default();
        replication.request(NODE, &[PBX3]);
        replication.forget_servers(&[PBX3]);
        assert!(replication.fulfilled(NODE, 1).is_empty());
        assert_eq!(judge(&mut replication, 1, 9), Standing::Lacking);
    }

    #[test]
    fn a_member_has_one_request_answered_whatever_it_calls_itself_and_none_when_it_is_gone() {
        let mut replication = Replication::default();
        for last in 0..=255 {
            replication.promise(NODE, Eid([2, 0, 0, 0, 1, last]), 7);
        }
        assert!(replication.answer(|_, _| false));
        assert_eq!(replication.answered(), [(Eid([2, 0, 0, 0, 1, 255]), 7)]);
        replication.forget(NODE, &[]);
        assert_eq!(replication.answered(), [], "its next run counts its requests anew");
    }

    #[test]
    fn a_request_is_answered_once_all_parts_have_come_back() {
        let mut replication = Replication::default();
        (0..3).for_each(|part| replication.send(PBX3, part));
        replication.promise(NODE, PBX3, 1);
        assert!(!replication.answer(|_, part| part == 1));
        assert_eq!(replication.answered(), []);
        assert!(replication.answer(|_, _| false));
        assert_eq!(replication.answered(), [(PBX3, 1)]);
        assert!(!replication.answer(|_, _| false), "it has been told");
    }

    #[test]
    fn newcomers_that_are_no_nodes_are_told_once() {
        let mut replication = Replication::default();
        replication.welcome(NOW, [ONE, NODE].into_iter());
        assert!(!replication.introduced(NODE, true));
        assert!(replication.introduced(ONE, false));
        assert!(!replication.introduced(ONE, false));
        replication.welcome(NOW, [ONE].into_iter());
        assert!(!replication.give_up(NOW));
        assert!(replication.give_up(NOW + INTRODUCTION_WAIT));
        assert_eq!(replication.silent_at(), None);
    }

    #[test]
    fn a_digest_tells_what_was_said_before_the_newcomers_came() {
        let mut replication = Replication::default();
        replication.confirm(PBX3, 4);
        replication.welcome(NOW, [NODE].into_iter());
        replication.confirm(PBX3, 5);
        assert_eq!(replication.summaries([PBX3].into_iter()), [Summary { eid: PBX3, sequence: 4 }]);
    }
}

//! Who is in the group, and who speaks for which server.

use crate::Eid;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;

/// A process in the group, as corosync names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Member {
    /// The corosync nodeid of its machine.
    pub nodeid: u32,
    /// Its process id, as it sees it itself.
    pub pid: u32,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.nodeid, self.pid)
    }
}

/// What is known of a member.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Peer {
    /// The address it introduced itself with; `None` until it has.
    pub address: Option<Box<str>>,
}

/// The group as its last configuration change left it.
///
/// An EID belongs to the member that first spoke for it, learned from any message and not only from a discovery;
/// it goes when that very member goes, whatever else leaves the same machine.
#[derive(Default)]
pub struct Membership {
    me: Option<Member>,
    members: BTreeMap<Member, Peer>,
    speakers: BTreeMap<Eid, Member>,
}

impl Membership {
    /// We are in the group, which has these members (ourselves among them). Returns the EIDs whose speaker
    /// is not: it went while we were away.
    pub(crate) fn join(&mut self, me: Member, members: Vec<Member>) -> Vec<Eid> {
        self.me = Some(me);
        self.members = members.into_iter().map(|member| (member, Peer::default())).collect();
        let gone: Vec<_> =
            self.speakers.iter().filter(|(_, member)| !self.members.contains_key(member)).collect();
        let gone: Vec<_> = gone.into_iter().map(|(eid, _)| *eid).collect();
        for eid in &gone {
            self.speakers.remove(eid);
        }
        gone
    }

    /// We are out of the group. Speakers are kept: they may be there when we are back.
    pub(crate) fn lose(&mut self) {
        self.me = None;
        self.members.clear();
    }

    /// A member has come.
    pub(crate) fn add(&mut self, member: Member) {
        self.members.insert(member, Peer::default());
    }

    /// A member has gone. Returns the EIDs that it spoke for.
    pub(crate) fn remove(&mut self, member: Member) -> Vec<Eid> {
        self.members.remove(&member);
        let gone: Vec<_> = self.eids_of(member).collect();
        for eid in &gone {
            self.speakers.remove(eid);
        }
        gone
    }

    /// Forgets who spoke for whom and returns those EIDs.
    pub(crate) fn forget_speakers(&mut self) -> Vec<Eid> {
        core::mem::take(&mut self.speakers).into_keys().collect()
    }

    /// A member speaks for an EID.
    ///
    /// # Errors
    /// The member that speaks for it already: two servers have the same EID.
    pub(crate) fn claim(&mut self, eid: Eid, member: Member) -> Result<(), Member> {
        match *self.speakers.entry(eid).or_insert(member) {
            speaker if speaker == member => Ok(()),
            speaker => Err(speaker),
        }
    }

    /// A member introduces itself; tells whether it had not before.
    pub(crate) fn introduce(&mut self, member: Member, address: &str) -> bool {
        let Some(peer) = self.members.get_mut(&member) else { return false };
        peer.address.replace(address.into()).is_none()
    }

    /// Ourselves, while we are in the group.
    #[must_use]
    pub fn me(&self) -> Option<Member> {
        self.me
    }

    /// The members, ourselves among them, in order.
    pub fn members(&self) -> impl Iterator<Item = (Member, &Peer)> {
        self.members.iter().map(|(member, peer)| (*member, peer))
    }

    /// The member that speaks for an EID.
    #[must_use]
    pub fn speaker(&self, eid: Eid) -> Option<Member> {
        self.speakers.get(&eid).copied()
    }

    /// The EIDs that a member speaks for.
    pub fn eids_of(&self, member: Member) -> impl Iterator<Item = Eid> {
        self.speakers.iter().filter(move |(_, speaker)| **speaker == member).map(|(eid, _)| *eid)
    }

    /// All members but ourselves.
    pub(crate) fn others(&self) -> BTreeSet<Member> {
        self.members.keys().copied().filter(|member| Some(*member) != self.me).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    const A: Eid = Eid([0, 0, 0, 0, 0, 1]);
    const ME: Member = Member { nodeid: 21, pid: 1 };
    const ONE: Member = Member { nodeid: 1, pid: 7 };
    const HELPER: Member = Member { nodeid: 1, pid: 8 };

    #[test]
    fn an_eid_goes_with_its_speaker_and_not_with_a_helper_beside_it() {
        let mut membership = Membership::default();
        membership.join(ME, vec![ME, ONE, HELPER]);
        membership.claim(A, ONE).unwrap();
        assert_eq!(membership.remove(HELPER), []);
        assert_eq!(membership.remove(ONE), [A]);
        assert_eq!(membership.speaker(A), None);
    }

    #[test]
    fn a_second_speaker_for_an_eid_is_told_of_the_first() {
        let mut membership = Membership::default();
        membership.join(ME, vec![ME, ONE, HELPER]);
        membership.claim(A, ONE).unwrap();
        assert_eq!(membership.claim(A, HELPER), Err(ONE));
        assert_eq!(membership.claim(A, ONE), Ok(()));
    }

    #[test]
    fn who_went_while_we_were_away_is_found_at_the_next_join() {
        let mut membership = Membership::default();
        membership.join(ME, vec![ME, ONE]);
        membership.claim(A, ONE).unwrap();
        membership.lose();
        assert_eq!(membership.join(ME, vec![ME, HELPER]), [A]);
        assert_eq!(membership.others(), [HELPER].into());
    }

    #[test]
    fn a_member_is_new_until_it_has_introduced_itself() {
        let mut membership = Membership::default();
        membership.join(ME, vec![ME, ONE]);
        assert!(membership.introduce(ONE, "192.0.2.1"));
        assert!(!membership.introduce(ONE, "192.0.2.1"));
        assert!(!membership.introduce(HELPER, "192.0.2.1"), "not a member");
    }
}

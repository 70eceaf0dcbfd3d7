//! Who is in the group, and who speaks for which server.

use crate::{EIDS_MAX, Eid};
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
    /// Whether it is a node, and in which incarnation; a member that has said nothing may still be one.
    pub node: Option<u64>,
    /// The EID it introduced itself with.
    pub eid: Option<Eid>,
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

/// A member may not speak for an EID.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Claim {
    /// It is no member.
    NotAMember,
    /// This member speaks for it already: two servers have the same EID.
    Taken(Member),
    /// There are too many EIDs.
    Full,
}

/// Changes.
impl Membership {
    /// We are in the group, which has these members (ourselves among them). Returns the EIDs whose speaker
    /// is not: it went while we were away.
    pub(crate) fn join(&mut self, me: Member, members: Vec<Member>) -> Vec<Eid> {
        self.me = Some(me);
        self.members = members.into_iter().map(|member| (member, Peer::default())).collect();
        let gone = self.speakers.iter().filter(|(_, member)| !self.members.contains_key(member));
        let gone: Vec<_> = gone.map(|(eid, _)| *eid).collect();
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
        self.release(member, |_| false)
    }

    /// A member speaks for these servers and, if it is a node, for itself. Returns those for which it does not any more.
    pub(crate) fn release(&mut self, node: Member, speaks_for: impl Fn(Eid) -> bool) -> Vec<Eid> {
        let own = self.node_of(node);
        let is_gone =
            |eid: &Eid, speaker: &mut Member| *speaker == node && Some(*eid) != own && !speaks_for(*eid);
        self.speakers.extract_if(.., is_gone).map(|(eid, _)| eid).collect()
    }

    /// Forgets who spoke for whom and returns those EIDs.
    pub(crate) fn forget_speakers(&mut self) -> Vec<Eid> {
        core::mem::take(&mut self.speakers).into_keys().collect()
    }

    /// A member speaks for an EID; tells whether it had not before.
    pub(crate) fn claim(&mut self, eid: Eid, member: Member) -> Result<bool, Claim> {
        match self.speakers.get(&eid) {
            Some(speaker) if *speaker == member => Ok(false),
            _ if !self.members.contains_key(&member) => Err(Claim::NotAMember),
            Some(speaker) => Err(Claim::Taken(*speaker)),
            None if self.speakers.len() >= EIDS_MAX => Err(Claim::Full),
            None => {
                self.speakers.insert(eid, member);
                Ok(true)
            }
        }
    }

    /// A member introduces itself; tells whether it had not before.
    pub(crate) fn introduce(&mut self, member: Member, eid: Eid, address: &str, node: Option<u64>) -> bool {
        let Some(peer) = self.members.get_mut(&member) else { return false };
        peer.node = node;
        peer.eid = Some(eid);
        peer.address.replace(address.into()).is_none()
    }
}

/// Views.
impl Membership {
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

    /// The EIDs that somebody speaks for.
    pub fn spoken(&self) -> impl Iterator<Item = Eid> {
        self.speakers.keys().copied()
    }

    /// Whether a member is known to be a node.
    #[must_use]
    pub fn is_node(&self, member: Member) -> bool {
        self.me == Some(member) || self.members.get(&member).is_some_and(|peer| peer.node.is_some())
    }

    /// The EID of a member that is a node.
    pub(crate) fn node_of(&self, member: Member) -> Option<Eid> {
        self.members.get(&member).filter(|peer| peer.node.is_some())?.eid
    }

    /// All members but ourselves.
    pub(crate) fn others(&self) -> BTreeSet<Member> {
        self.members.keys().copied().filter(|member| Some(*member) != self.me).collect()
    }

    /// Members that are no nodes, as far as is known: stock servers, or what stands beside them.
    pub(crate) fn stock(&self) -> impl Iterator<Item = Member> {
        self.members.keys().copied().filter(|member| !self.is_node(*member))
    }

    /// Our place among the nodes of the group, whose first does what one of them has to do.
    pub(crate) fn rank(&self) -> u32 {
        let before = self.members.keys().take_while(|member| Some(**member) != self.me);
        before.map(|member| u32::from(self.is_node(*member))).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    const A: Eid = Eid([0, 0, 0, 0, 0, 1]);
    const B: Eid = Eid([0, 0, 0, 0, 0, 2]);
    const C: Eid = Eid([0, 0, 0, 0, 0, 3]);
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
    fn who_tells_that_it_speaks_for_a_server_no_more_speaks_for_itself() {
        let mut membership = Membership::default();
        membership.join(ME, vec![ME, ONE]);
        membership.introduce(ONE, B, "192.0.2.1", Some(1));
        [A, B, C].into_iter().for_each(|eid| assert!(membership.claim(eid, ONE).unwrap()));
        assert_eq!(membership.release(ONE, |eid| eid == C), [A]);
        assert_eq!(membership.eids_of(ONE).collect::<Vec<_>>(), [B, C]);
        assert_eq!(membership.claim(A, ME), Ok(true));
    }

    #[test]
    fn a_second_speaker_for_an_eid_is_told_of_the_first() {
        let mut membership = Membership::default();
        membership.join(ME, vec![ME, ONE, HELPER]);
        membership.claim(A, ONE).unwrap();
        assert_eq!(membership.claim(A, HELPER), Err(Claim::Taken(ONE)));
        assert_eq!(membership.claim(A, ONE), Ok(false));
        assert_eq!(membership.claim(A, Member { nodeid: 9, pid: 9 }), Err(Claim::NotAMember));
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
        assert!(membership.introduce(ONE, A, "192.0.2.1", None));
        assert!(!membership.introduce(ONE, A, "192.0.2.1", None));
        assert!(!membership.introduce(HELPER, A, "192.0.2.1", None), "not a member");
    }

    #[test]
    fn nodes_have_ranks_in_the_order_of_the_members() {
        let mut membership = Membership::default();
        membership.join(ME, vec![ME, ONE, HELPER]);
        assert_eq!(membership.rank(), 0, "no other node is known");
        membership.introduce(HELPER, A, "192.0.2.1", Some(1));
        assert_eq!(membership.rank(), 1);
        assert_eq!(membership.stock().collect::<Vec<_>>(), [ONE]);
    }

    #[test]
    fn a_member_that_invents_servers_is_stopped() {
        let mut membership = Membership::default();
        membership.join(ME, vec![ME, ONE]);
        for number in 0..EIDS_MAX {
            let [a, b, ..] = number.to_le_bytes();
            membership.claim(Eid([1, 0, 0, 0, b, a]), ONE).unwrap();
        }
        assert_eq!(membership.claim(A, ONE), Err(Claim::Full));
    }
}

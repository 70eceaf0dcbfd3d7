//! What the group tells the node.

use super::Node;
use crate::membership::Member;
use crate::outbox::Word;
use crate::output::{Drop, Holder, Note};
use crate::states::Effect;
use crate::{Eid, Kind, Message};
use alloc::vec::Vec;
use core::time::Duration;

impl Node {
    /// The node is in the group, which has these members, ourselves among them.
    pub fn group_joined(&mut self, now: Duration, me: Member, members: Vec<Member>) {
        self.note(Note::Joined { members: members.len() });
        let gone = self.group.membership.join(me, members);
        self.retire(&gone);
        self.group.begin_sync(now);
        self.told.clear();
        self.introduce();
    }

    /// Members have come or gone.
    pub fn group_changed(&mut self, joined: &[Member], left: &[Member]) {
        for &member in left {
            let eids = self.group.membership.remove(member);
            self.group.heard(member);
            self.told.retain(|(_, second)| *second != Holder::Member(member));
            self.retire(&eids);
            self.note(Note::MemberLeft { member, eids });
        }
        for &member in joined {
            self.group.membership.add(member);
            self.note(Note::MemberJoined(member));
        }
        if !joined.is_empty() {
            self.introduce();
        }
    }

    /// The node is out of the group, or cannot come in.
    pub fn group_lost(&mut self, now: Duration) {
        if self.group.joined() {
            self.note(Note::GroupLost);
            self.group.lose(now);
        }
    }

    /// A message was delivered, our own ones included, in the total order of the group.
    pub fn deliver(&mut self, now: Duration, from: Member, message: Message) {
        if Some(from) == self.group.membership.me() {
            return self.confirm(now, from, &message);
        }
        if self.stopping {
            return self.drop_for(Drop::Stopping);
        }
        match message {
            Message::Aggregate { .. } => self.note(Note::Ignored(Kind::Aggregate)),
            Message::Ping { eid } => self.note(Note::PingHeard { eid, member: from }),
            Message::Discovery { eid, address, .. } => {
                if self.claim(eid, from) && self.group.membership.introduce(from, &address) {
                    self.push_to_group(Word::Discovery);
                    self.group.heard(from);
                    self.end_sync(now);
                }
            }
            Message::Change { eid, change } => {
                if self.claim(eid, from) {
                    match self.states.enter(eid, &change) {
                        Effect::News => self.tell_servers(eid, &change),
                        Effect::Known => self.note(Note::Ignored(Message::Change { eid, change }.kind())),
                        Effect::Full => self.drop_for(Drop::TableFull),
                    }
                }
            }
        }
    }

    /// Sends a sign of life to the group, for an operator.
    pub fn ping(&mut self) {
        self.push_to_group(Word::Ping);
    }

    /// Says who we are and all that our servers say. The introduction comes last: it says that the rest is here.
    pub(super) fn introduce(&mut self) {
        for eid in self.own_eids() {
            for change in
                self.states.of(eid).into_iter().flat_map(|server| server.changes()).collect::<Vec<_>>()
            {
                self.push_to_group(Word::Change { eid, change });
            }
        }
        self.push_to_group(Word::Discovery);
    }

    fn confirm(&mut self, now: Duration, from: Member, message: &Message) {
        let word = match message {
            Message::Change { eid, change } => Word::Change { eid: *eid, change: change.clone() },
            Message::Discovery { address, .. } => {
                self.group.membership.introduce(from, address);
                Word::Discovery
            }
            Message::Ping { .. } => Word::Ping,
            Message::Aggregate { .. } => return,
        };
        let swallowed = self.group.confirm(&word.topic());
        self.note_repeated(swallowed);
        self.end_sync(now);
    }

    pub(super) fn end_sync(&mut self, now: Duration) {
        if let Some(silent) = self.group.end_sync(now) {
            self.note(Note::Synced { silent });
        }
    }

    /// Whether a member may speak for an EID; it may not when the EID is somebody else's.
    fn claim(&mut self, eid: Eid, member: Member) -> bool {
        let known = self.group.membership.speaker(eid) == Some(member);
        if known {
            return true;
        }
        if !self.group.membership.members().any(|(present, _)| present == member) {
            self.drop_for(Drop::NotAMember);
            return false;
        }
        let holder = match self.holder_here(eid) {
            Some(holder) => holder,
            None => match self.group.membership.claim(eid, member) {
                Ok(()) => {
                    self.note(Note::SpeakerLearned { eid, member });
                    return true;
                }
                Err(speaker) => Holder::Member(speaker),
            },
        };
        self.refuse_equal(eid, holder, Holder::Member(member));
        false
    }
}

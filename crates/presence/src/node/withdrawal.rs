//! How the words of a server are taken back: it has departed, or does not stand for them any more.

use super::Node;
use crate::outbox::{Topic, Word};
use crate::output::{Holder, Note};
use crate::states::Taken;
use crate::{Change, Eid, Kind, Member, Message, ServerId, Stamp, Subject};
use alloc::vec::Vec;
use core::time::Duration;

impl Node {
    /// The node is to go: it withdraws from everybody what they know only through it, and takes nothing new.
    pub(super) fn stop(&mut self, now: Duration) {
        self.stopping = true;
        // Nobody else may be there to do it.
        for (eid, change) in self.healing.take_all() {
            if self.group.membership.speaker(eid).is_none() {
                self.say_withdrawal(now, eid, change);
            }
        }
        // A mailbox falls back to what others say of it; only to our own servers they are all gone.
        self.retire(now, &self.own_eids());
        self.retire(now, &self.states.eids().collect::<Vec<_>>());
    }

    /// Forgets servers and takes back what they had said.
    pub(super) fn retire(&mut self, now: Duration, eids: &[Eid]) {
        let mut gone = Vec::new();
        for &eid in eids {
            gone.extend(self.states.remove(eid).into_iter().map(|taken| (eid, taken)));
        }
        self.withdraw(now, gone);
    }

    /// Forgets what a server has not said again, and takes it back. Returns how much.
    pub(super) fn sweep(&mut self, now: Duration, eid: Eid) -> usize {
        let gone: Vec<_> = self.states.take_suspects(eid).into_iter().map(|taken| (eid, taken)).collect();
        let count = gone.len();
        self.withdraw(now, gone);
        count
    }

    /// Tells all that have heard of these states that they are gone: what they had lit goes out. Lit lamps come first: a
    /// person may be looking at them.
    pub(super) fn withdraw(&mut self, now: Duration, mut gone: Vec<(Eid, Taken)>) {
        gone.sort_by_key(|(_, taken)| !taken.lit);
        for (eid, Taken { withdrawal, news, lit }) in gone {
            let change = self.as_it_is(withdrawal);
            if !self.stopping || self.speaks_for(eid) {
                self.links.write_withdrawal(self.time(now), eid, &change.subject());
            }
            if news {
                self.tell_servers(eid, &change);
                self.tell_itself(eid, &change);
            }
            // A stock server that was out of touch may show what the server said before.
            let owed = news || matches!(change, Change::DeviceState { .. });
            if owed && !self.stopping {
                self.healing.owe(now, eid, change.clone(), lit);
            }
            if self.speaks_for(eid) || self.stopping && self.is_last_of(eid) {
                self.healing.settle(eid, &change.subject());
                self.say_withdrawal(now, eid, change);
            }
        }
    }

    /// A server of ours that began anew, and does not speak of a mailbox again, is told what another says of it.
    fn tell_itself(&mut self, eid: Eid, change: &Change) {
        let Change::Mwi { mailbox, .. } = change else { return };
        let server = self.servers.iter().position(|server| server.eid() == Some(eid)).map(ServerId);
        if let (Some(server), Some((latest, _))) = (server, self.states.latest_of(mailbox)) {
            self.tell_server(server, latest, change.clone());
        }
    }

    /// Takes a state back in the group.
    pub(super) fn say_withdrawal(&mut self, now: Duration, eid: Eid, change: Change) {
        let change = self.as_it_is(change);
        self.push_to_group(Word::Withdrawal { eid, change, time: self.time(now) });
    }

    /// What a withdrawal has to say now: a mailbox becomes what another server says of it, if one does, whatever that was when
    /// the withdrawal was decided on.
    pub(super) fn as_it_is(&self, withdrawal: Change) -> Change {
        match withdrawal {
            Change::DeviceState { .. } => withdrawal,
            Change::Mwi { mailbox, .. } => {
                let counts = self.states.latest_of(&mailbox).map(|(_, counts)| counts).unwrap_or_default();
                Change::Mwi { mailbox, counts }
            }
        }
    }

    /// Whether an EID is one of our servers'.
    pub(super) fn speaks_for(&self, eid: Eid) -> bool {
        self.servers.iter().any(|server| server.eid() == Some(eid))
    }

    /// A server says something newer of what was taken back, or is about to be.
    pub(super) fn forgive(&mut self, eid: Eid, subject: &Subject) {
        if self.healing.forgive(eid, subject) {
            self.group.outbox.cancel_withdrawal(eid, &Topic::Change(eid, subject.clone()));
        }
    }

    /// Whether nobody else tells stock servers what a server elsewhere says.
    fn is_last_of(&self, eid: Eid) -> bool {
        let mut others = self.group.membership.others().into_iter();
        self.links.carries(eid) && !others.any(|member| self.group.membership.is_node(member))
    }

    /// Somebody takes back a state, under an EID that it may or may not speak for.
    pub(super) fn hear_withdrawal(&mut self, now: Duration, from: Member, message: &Message) {
        let Message::Withdrawal { eid, change, stamp } = message else { return };
        let (eid, subject) = (*eid, change.subject());
        let known = self.healing.knows(eid, &subject);
        self.healing.settle(eid, &subject);
        if self.links.is_vouched_elsewhere(eid) {
            return self.contradict_elsewhere(now, eid, &subject);
        }
        let speaker = self.group.membership.speaker(eid);
        if let Some(Stamp { sequence, .. }) = stamp.filter(|_| speaker == Some(from)) {
            self.replication.hear(eid, sequence);
        }
        let ours = matches!(self.holder_here(eid), Some(Holder::Server(_)));
        if speaker == Some(from) || speaker.is_none() && !ours {
            let is_told = known || self.group.membership.me() == Some(from);
            self.take_back(now, eid, change, is_told);
        } else {
            self.contradict(now, eid, change);
        }
        self.correct(now, from, eid, change);
    }

    fn take_back(&mut self, now: Duration, eid: Eid, change: &Change, is_told: bool) {
        let taken = self.states.take(eid, &change.subject());
        if taken.is_some() {
            self.links.write_withdrawal(self.time(now), eid, &change.subject());
        }
        match taken {
            Some(Taken { withdrawal, news: true, .. }) => self.tell_servers(eid, &withdrawal),
            None if !is_told => {
                // Our servers may have been told of it before this node began.
                let change = self.as_it_is(change.clone());
                self.tell_servers(eid, &change);
                let subject = change.subject();
                self.healing.owe(now, eid, change, false);
                self.healing.settle(eid, &subject);
            }
            Some(_) | None => {}
        }
    }

    /// The server is there: if it stands for something else, stock servers have been told wrongly.
    pub(super) fn contradict(&mut self, now: Duration, eid: Eid, change: &Change) {
        let Some((stands, time)) =
            self.states.find(eid, &change.subject()).filter(|(stands, _)| stands != change)
        else {
            return self.note_ignored(Kind::Withdrawal);
        };
        self.note(Note::StaleWithdrawal { eid });
        if self.speaks_for(eid) {
            self.push_to_group(Word::Change { eid, change: stands, time });
        } else if self.group.membership.speaker(eid).is_some_and(|it| !self.group.membership.is_node(it)) {
            self.healing.want_touch(now);
        }
    }

    /// To a stock server a withdrawal is the last word about its mailbox, and what it falls back to may be news to other nodes.
    /// So whoever has the last word now says it again; if that is a stock server, it has forgotten what it said, and the
    /// withdrawal is said again as it should be.
    fn correct(&mut self, now: Duration, from: Member, eid: Eid, change: &Change) {
        let Change::Mwi { mailbox, counts } = change else { return };
        match self.last_word_of_ours(mailbox) {
            Some((latest, counts)) => {
                let change = Change::Mwi { mailbox: mailbox.clone(), counts };
                self.push_to_group(Word::Change { eid: latest, change, time: self.time(now) });
            }
            None => {
                let right = self.states.latest_of(mailbox).map(|(_, counts)| counts).unwrap_or_default();
                let stands = self.states.of_mailbox(mailbox).any(|(whose, _)| whose == eid);
                let said_by_us = self.group.membership.me() == Some(from) && !self.stopping;
                if said_by_us && right != *counts && !stands {
                    self.say_withdrawal(now, eid, change.clone());
                }
            }
        }
    }
}

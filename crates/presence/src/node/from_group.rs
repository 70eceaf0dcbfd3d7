//! What the group tells the node.

use super::Node;
use crate::membership::{Claim, Member};
use crate::outbox::{Topic, Word};
use crate::output::{Drop, Holder, Note};
use crate::replication::Standing;
use crate::states::Effect;
use crate::{Arrival, Change, Eid, Kind, Message, Stamp, Summary};
use alloc::vec::Vec;
use core::time::Duration;

/// States in one message between nodes: with names as they are about 8 KB, which corosync sends in a few packets.
const STATES_IN_ONE: usize = 250;

/// Coming and going.
impl Node {
    /// The node is in the group, which has these members, ourselves among them.
    pub(super) fn group_joined(&mut self, now: Duration, me: Member, members: Vec<Member>) {
        self.note(Note::Joined { members: members.len() });
        for eid in self.group.membership.join(me, members) {
            // Its server may be back already as another member, or its part of the group has not been found yet.
            self.states.suspect(eid);
        }
        self.told.clear();
        self.settle_site(now);
        self.meet_group();
        if !self.group.membership.others().is_empty() {
            self.group.find(now);
        }
        self.sync.begin(now, self.group.membership.others());
        self.replication.join(&self.states);
        self.healing.wait_for_all(now);
        for eid in self.unconfirmed() {
            self.states.suspect(eid);
        }
        self.tell_group_everything(now);
        self.introduce();
    }

    /// Members have come or gone.
    pub(super) fn group_changed(&mut self, now: Duration, joined: &[(Member, Arrival)], left: &[Member]) {
        for &member in left {
            let eids = self.group.membership.remove(member);
            self.replication.forget(member, &eids);
            self.sync.heard(member);
            self.told.retain(|(_, second)| *second != Holder::Member(member));
            self.judge_departure(now, member);
            self.retire(now, &eids);
            eids.iter().for_each(|eid| self.healing.hurry(now, *eid));
            self.note(Note::MemberLeft { member, eids });
        }
        for &(member, _) in joined {
            self.group.membership.add(member);
            self.note(Note::MemberJoined(member));
        }
        if !joined.is_empty() {
            self.replication.welcome(now, joined.iter().map(|(member, _)| *member));
            self.judge_arrivals(now, joined);
            self.introduce();
            self.meet_group();
        }
        self.site_changed = true;
        self.end_sync(now);
        self.heal(now);
    }

    /// Nodes that meet tell each other what they know of other sites, and of the order of words about mailboxes.
    fn meet_group(&mut self) {
        self.links.meet_group();
        self.share_orders();
    }

    /// The node is out of the group, or cannot come in.
    pub(super) fn group_lost(&mut self, now: Duration) {
        if self.group.joined() {
            self.note(Note::GroupLost);
            self.group.lose(now);
            self.links.leave_group(now);
            self.site_changed = true;
            self.sync = crate::sync::Sync::Out;
        }
    }

    /// Gives up the states of the others when the group, or their part of it, stays away.
    pub(super) fn end_absence(&mut self, now: Duration) {
        if !self.group.give_up(now) {
            return;
        }
        if self.group.joined() {
            self.unconfirmed().into_iter().for_each(|eid| self.sweep_and_tell(now, eid));
        } else {
            let mut eids = self.group.membership.forget_speakers();
            self.links.give_up_group();
            self.settle_site(now);
            eids.extend(self.unconfirmed());
            eids.sort_unstable();
            eids.dedup();
            eids.retain(|eid| !self.links.is_vouched_elsewhere(*eid));
            self.retire(now, &eids);
            self.note(Note::GroupWithdrawn { servers: eids.len() });
        }
    }

    /// Says who we are and how far we have come.
    fn introduce(&mut self) {
        self.push_to_group(Word::Discovery);
        self.push_last_to_group(Word::Digest);
    }

    /// Says all to members that came and ask for nothing.
    pub(super) fn tell_newcomers_everything(&mut self, now: Duration) {
        self.told_newcomers_at = Some(now);
        self.tell_group_everything(now);
    }

    /// Says all that our servers say.
    fn tell_group_everything(&mut self, now: Duration) {
        self.told_all_at = Some(now);
        let own: usize = self.own_eids().into_iter().map(|eid| self.tell_group(eid)).sum();
        let states = own + self.tell_group_of_others();
        self.note(Note::Dumped { states });
    }

    fn tell_group(&mut self, eid: Eid) -> usize {
        let changes = self.states.to_tell(eid);
        let states = changes.len();
        for (change, time) in changes {
            self.push_to_group(Word::Change { eid, change, time });
        }
        states
    }

    /// The same in few messages, which only nodes understand.
    fn tell_nodes(&mut self, eid: Eid) -> usize {
        let changes = self.states.to_tell(eid);
        for (part, changes) in changes.chunks(STATES_IN_ONE).enumerate() {
            let subjects = changes.iter().map(|(change, _)| change.subject()).collect();
            self.push_to_group(Word::States { eid, part, subjects });
            self.replication.send(eid, part);
        }
        changes.len()
    }

    pub(super) fn end_sync(&mut self, now: Duration) {
        let Some(silent) = self.sync.end(now) else { return };
        self.note(Note::Synced { silent });
    }

    fn sweep_and_tell(&mut self, now: Duration, eid: Eid) {
        let states = self.sweep(now, eid);
        self.note_swept(eid, states);
    }

    /// The servers of others that no node has confirmed.
    fn unconfirmed(&self) -> Vec<Eid> {
        let mut eids = self.replication.unconfirmed(&self.states, &self.group.membership, &self.own_eids());
        eids.retain(|eid| !self.links.is_vouched_elsewhere(*eid));
        eids
    }
}

/// Messages.
impl Node {
    /// A message was delivered, our own ones included, in the total order of the group.
    pub(super) fn deliver(&mut self, now: Duration, from: Member, message: Message) {
        if Some(from) == self.group.membership.me() {
            return self.confirm(now, from, &message);
        }
        if self.stopping {
            return self.drop_for(Drop::Stopping);
        }
        self.sync.progress(now, from);
        match message {
            Message::Change { eid, change, stamp } => self.hear_change(now, from, eid, change, stamp),
            Message::Withdrawal { .. } => self.hear_withdrawal(now, from, &message),
            Message::Aggregate { .. } => self.note_ignored(Kind::Aggregate),
            Message::Ping { eid } => self.note(Note::PingHeard { eid, member: from }),
            Message::Discovery { eid, address, node, .. } => {
                self.hear_discovery(now, from, eid, &address, node);
            }
            Message::Digest { incarnation, summaries, answered, .. } => {
                self.hear_digest(now, from, incarnation, &summaries, &answered);
            }
            Message::States { eid, states, stamp } => {
                for (change, time) in states {
                    self.hear_change(now, from, eid, change, Some(Stamp { time, ..stamp }));
                }
            }
            Message::Request { eid, number, wanted } => self.hear_request(from, eid, number, &wanted),
            Message::Told(statement) => self.hear_told(now, statement),
            Message::Link { frame, .. } => self.hear_mate(now, *frame),
        }
        self.end_sync(now);
    }

    fn hear_change(&mut self, now: Duration, from: Member, eid: Eid, change: Change, stamp: Option<Stamp>) {
        if self.is_ephemeral(&change) {
            return self.drop_for(Drop::Ephemeral);
        }
        if !self.claim(now, eid, from) {
            return;
        }
        let subject = change.subject();
        self.forgive(eid, &subject);
        let by_node = stamp.is_some();
        if let Some(Stamp { sequence, .. }) = stamp {
            self.replication.hear(eid, sequence);
        }
        let stamp = stamp.unwrap_or(Stamp { time: self.time(now), ..Stamp::default() });
        match self.states.enter(eid, &change, stamp) {
            Effect::New | Effect::News => {
                self.tell_servers(eid, &change);
                self.tell_links_of_other(now, from, eid, &change, stamp.time);
            }
            Effect::Known => self.note_ignored(change.kind()),
            // Of what nodes say the order of the group decides.
            Effect::Restated if by_node => self.settle_order(now, eid, &change),
            Effect::Restated => self.say_latest(now, eid, &change),
            Effect::Stale => self.drop_for(Drop::Stale),
            Effect::Full => self.drop_for(Drop::TableFull),
        }
    }

    /// A stock member has repeated what it had said of a mailbox before another server spoke of it, and stock servers take
    /// that for the latest word. If that other is ours, it says it again, and if it is elsewhere, the gate does; else it is the latest word,
    /// so that all agree.
    fn say_latest(&mut self, now: Duration, eid: Eid, change: &Change) {
        let Change::Mwi { mailbox, counts } = change else { return };
        if self.states.latest_of(mailbox).is_some_and(|(latest, _)| self.links.carries(latest)) {
            return self.correct_mailbox(now, mailbox, *counts);
        }
        match self.last_word_of_ours(mailbox) {
            Some((latest, right)) => {
                self.states.settle(eid, mailbox, *counts);
                let change = Change::Mwi { mailbox: mailbox.clone(), counts: right };
                self.push_to_group(Word::Change { eid: latest, change, time: 0 });
            }
            None => self.settle_order(now, eid, change),
        }
    }

    fn hear_discovery(&mut self, now: Duration, from: Member, eid: Eid, address: &str, node: Option<u64>) {
        if !self.claim(now, eid, from) {
            return;
        }
        let new = self.group.membership.introduce(from, eid, address, node);
        self.site_changed |= new;
        if self.replication.introduced(from, node.is_some()) {
            self.tell_newcomers_everything(now);
        }
        if new {
            self.push_to_group(Word::Discovery);
        }
        if new && node.is_some() {
            self.healing.owe_all_again(now);
        }
        if node.is_none() {
            self.sync.heard(from);
        }
    }

    fn hear_digest(
        &mut self,
        now: Duration,
        from: Member,
        incarnation: u64,
        summaries: &[Summary],
        answered: &[(Eid, u64)],
    ) {
        let answer = answered.iter().find(|(node, _)| *node == self.eid).map_or(0, |(_, number)| *number);
        for eid in self.replication.fulfilled(from, answer) {
            self.sweep_and_tell(now, eid);
        }
        let speaks_for = |eid| summaries.iter().any(|summary| summary.eid == eid);
        let gone = self.group.membership.release(from, speaks_for);
        self.site_changed |= !gone.is_empty();
        self.replication.forget_servers(&gone);
        self.retire(now, &gone);
        let mut lacking = Vec::new();
        for summary in summaries {
            if !self.claim(now, summary.eid, from) {
                continue;
            }
            match self.replication.judge(from, incarnation, *summary) {
                Standing::Lacking => {
                    // What does not come then is taken back.
                    self.adopted.remove(&summary.eid);
                    self.states.suspect(summary.eid);
                    lacking.push(summary.eid);
                }
                // It will not be said again.
                Standing::Complete if self.replication.knew(summary.eid, incarnation) => {
                    self.adopted.remove(&summary.eid);
                }
                Standing::Complete | Standing::Awaited => {}
            }
        }
        if !lacking.is_empty() {
            self.note(Note::Requested { from, eids: lacking.clone() });
            self.replication.request(from, &lacking);
            self.push_last_to_group(Word::Request);
        }
        if !self.replication.awaits(from) {
            self.sync.heard(from);
        }
    }

    /// Tells a node that came what it lacks, and then that this was all.
    fn hear_request(&mut self, from: Member, node: Eid, number: u64, wanted: &[Eid]) {
        let ours: Vec<_> = self.own_eids().into_iter().filter(|eid| wanted.contains(eid)).collect();
        if ours.is_empty() {
            return self.note_ignored(Kind::Request);
        }
        let states = ours.into_iter().map(|eid| self.tell_nodes(eid)).sum();
        self.note(Note::Dumped { states });
        self.replication.promise(from, node, number);
        self.end_answers();
    }

    /// Says that this was all, once it is.
    fn end_answers(&mut self) {
        let outbox = &self.group.outbox;
        if self.replication.answer(|eid, part| outbox.has(&Topic::States(eid, part))) {
            self.push_last_to_group(Word::Digest);
        }
    }

    fn confirm(&mut self, now: Duration, from: Member, message: &Message) {
        let (topic, sequence) = match message {
            Message::Change { eid, change, stamp } => {
                (Topic::Change(*eid, change.subject()), stamp.map(|stamp| stamp.sequence))
            }
            Message::Withdrawal { eid, change, stamp } => {
                self.hear_withdrawal(now, from, message);
                (Topic::Change(*eid, change.subject()), stamp.map(|stamp| stamp.sequence))
            }
            Message::Discovery { eid, address, node, .. } => {
                self.group.membership.introduce(from, *eid, address, *node);
                (Topic::Discovery, None)
            }
            Message::Digest { .. } => (Topic::Digest, None),
            // Its number says which part of them it is.
            Message::States { eid, stamp, .. } => (Topic::States(*eid, 0), Some(stamp.sequence)),
            Message::Request { .. } => (Topic::Request, None),
            Message::Told(statement) => (Topic::Change(statement.eid, statement.change.subject()), None),
            Message::Link { .. } => (Topic::Link, None),
            Message::Ping { .. } => (Topic::Ping, None),
            Message::Aggregate { .. } => return,
        };
        let swallowed = self.group.confirm(now, &topic, sequence);
        self.note_repeated(swallowed);
        match (&topic, sequence) {
            (Topic::Change(eid, _) | Topic::States(eid, _), Some(sequence)) => {
                self.replication.confirm(*eid, sequence);
                self.end_answers();
            }
            (Topic::Digest, _) => self.sync.told(),
            _ => {}
        }
        match message {
            Message::Change { eid, change, .. } => self.settle_order(now, *eid, change),
            Message::States { eid, states, .. } => {
                states.iter().for_each(|(change, _)| self.settle_order(now, *eid, change));
            }
            // Our own word is no news; if we do not know it any more, the server has been lost since.
            Message::Told(statement) if self.links.knows(statement) => self.hear_told(now, statement.clone()),
            Message::Told(_)
            | Message::Withdrawal { .. }
            | Message::Aggregate { .. }
            | Message::Ping { .. }
            | Message::Discovery { .. }
            | Message::Digest { .. }
            | Message::Link { .. }
            | Message::Request { .. } => {}
        }
        self.end_sync(now);
    }

    /// The group's order decides whose word about a mailbox is the latest. Where that is another than what our servers were
    /// told, they are told again: the one whose word it is under our own EID, for it takes nothing under its own.
    fn settle_order(&mut self, now: Duration, eid: Eid, change: &Change) {
        let Change::Mwi { mailbox, counts } = change else { return };
        match self.states.settle(eid, mailbox, *counts) {
            Effect::New | Effect::News => self.tell_servers(eid, change),
            // Nothing else shows, but its place is another.
            Effect::Restated => return self.tell_links(now, eid, change),
            Effect::Known | Effect::Stale | Effect::Full => return,
        }
        self.tell_links(now, eid, change);
        if let Some(Holder::Server(server)) = self.holder_here(eid) {
            self.tell_server(server, self.eid, change.clone());
        }
    }

    /// Whether a member may speak for an EID; it may not when the EID is somebody else's.
    fn claim(&mut self, now: Duration, eid: Eid, member: Member) -> bool {
        let holder = match self.holder_here(eid) {
            Some(holder) => holder,
            None => match self.group.membership.claim(eid, member) {
                Ok(false) => return true,
                Ok(true) => {
                    self.site_changed = true;
                    self.spare(now, eid);
                    self.adopt(now, eid);
                    self.note(Note::SpeakerLearned { eid, member });
                    return true;
                }
                Err(Claim::NotAMember) => {
                    self.drop_for(Drop::NotAMember);
                    return false;
                }
                Err(Claim::Full) => {
                    self.drop_for(Drop::TableFull);
                    return false;
                }
                Err(Claim::Taken(speaker)) => Holder::Member(speaker),
            },
        };
        self.refuse_equal(eid, holder, Holder::Member(member));
        false
    }
}

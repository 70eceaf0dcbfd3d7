//! What nodes of other sites tell the node, and what nodes of its own site tell it of those.

use super::Node;
use crate::link::{Effect, Frame, PeerId, Statement, Version, Way};
use crate::outbox::{Topic, Word};
use crate::output::{Drop, Holder, Note};
use crate::states;
use crate::{Change, DeviceState, Eid, Member, Stamp, Subject};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

/// What a node of the group says is taken for said when it says, if the clocks of the two are no further apart, in microseconds.
const JUST_NOW: u64 = 2_000_000;

/// How long nodes of a group may differ in whom they take for the gate of a server.
const HANDOVER: Duration = Duration::from_secs(5);

/// What comes.
impl Node {
    pub(super) fn link_down(&mut self, now: Duration, peer: PeerId, silent: Duration) {
        self.links.disconnected(now, peer, silent);
        self.site_changed = true;
    }

    pub(super) fn hear_frame(&mut self, now: Duration, way: Way, frame: Frame) {
        let effects = self.take_frame(now, way, frame);
        self.follow(now, effects);
    }

    /// A node of the group tells the nodes of the group something. Stock servers do not hear it: those that came a moment ago and were told what
    /// was known then are told now.
    pub(super) fn hear_mate(&mut self, now: Duration, frame: Frame) {
        let effects = self.take_frame(now, Way::Group, frame);
        let lack = self.told_newcomers_at.is_some_and(|at| now < at + HANDOVER);
        let news =
            effects.iter().filter_map(Effect::news).filter(|(eid, _)| lack && self.links.is_gate(*eid));
        let says: Vec<_> = news.map(|(eid, subject)| Effect::Say { eid, subject }).collect();
        self.follow(now, effects);
        self.follow(now, says);
    }

    fn take_frame(&mut self, now: Duration, way: Way, frame: Frame) -> Vec<Effect> {
        // States alone change nothing about who is in reach.
        self.site_changed |= !matches!(frame, Frame::States(_));
        let time = self.time(now);
        let linked = self.links.has_links();
        let effects = self.links.hear(now, time, way, frame, &self.states);
        if !linked && self.links.has_links() {
            self.order_mailboxes(now);
        }
        effects
    }

    /// A node of the group says what a server elsewhere says, for stock servers, too.
    pub(super) fn hear_told(&mut self, now: Duration, statement: Statement) {
        let (eid, change, withdrawn) = (statement.eid, statement.change.clone(), statement.withdrawn);
        self.links.heard_said(eid, &change.subject(), statement.version);
        self.hear_frame(now, Way::Group, Frame::States(Vec::from([statement])));
        if withdrawn {
            self.healing.settle(eid, &change.subject());
        }
        if self.speaks_for(eid) || self.group.membership.speaker(eid).is_some() {
            self.correct_told(now, eid, &change, withdrawn);
        }
        if let Change::Mwi { mailbox, counts } = change {
            self.correct_mailbox(now, &mailbox, counts);
        }
    }

    /// A node that was out of the group has said there what it had heard of a server of this site over links, before it knew that this is here.
    /// Stock servers have heard that, too.
    fn correct_told(&mut self, now: Duration, eid: Eid, change: &Change, withdrawn: bool) {
        if self.states.find(eid, &change.subject()).is_some() {
            self.contradict(now, eid, change);
        } else if let Change::DeviceState { device, .. } = change
            && !withdrawn
        {
            let nothing = Change::DeviceState {
                device: device.clone(),
                state: DeviceState::Unavailable,
                cachable: true,
            };
            self.healing.owe(now, eid, nothing, true);
        }
    }

    /// Corrects what others say of servers of this site: of our own ones, and of the others while we are in the group.
    pub(super) fn end_rumours(&mut self, now: Duration) {
        let (own, joined) = (self.own_eids(), self.group.joined());
        let corrected = self.links.end_rumours(now, self.time(now), |eid| joined || own.contains(&eid));
        self.follow(now, corrected);
    }

    pub(super) fn follow(&mut self, now: Duration, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Enter { eid, change, origin } => self.enter_elsewhere(eid, &change, origin),
                Effect::Withdraw { eid, subject } => {
                    let taken = self.states.take(eid, &subject);
                    self.withdraw(now, taken.into_iter().map(|taken| (eid, taken)).collect());
                }
                Effect::Say { eid, subject } => self.say(eid, &subject),
                Effect::Order(mailbox) => self.order_again(now, &mailbox),
                Effect::Refuse => self.drop_for(Drop::TableFull),
                Effect::Bar { peer, eid, rule, first } => {
                    self.drop_for(Drop::Barred);
                    if first {
                        self.note(Note::Barred { peer, eid, rule });
                    }
                }
            }
        }
    }

    fn enter_elsewhere(&mut self, eid: Eid, change: &Change, origin: Stamp) {
        if self.is_ephemeral(change) {
            return self.drop_for(Drop::Ephemeral);
        }
        let subject = change.subject();
        self.forgive(eid, &subject);
        let before = self.states.shown(&subject);
        let mut effect = self.states.enter(eid, change, origin);
        if effect == states::Effect::Stale {
            // Its version says that it is the newer one.
            effect = self.states.enter(eid, change, Stamp { sequence: 0, ..origin });
        }
        match (effect, &subject) {
            (states::Effect::Full, _) => self.drop_for(Drop::TableFull),
            (_, Subject::Mailbox(mailbox)) => {
                self.order(mailbox, before);
                self.share_order(mailbox);
            }
            (states::Effect::New | states::Effect::News, Subject::Device(_)) => {
                self.tell_servers(eid, change)
            }
            _ => self.note_ignored(change.kind()),
        }
    }
}

/// What goes.
impl Node {
    /// The next frame for a node of another site, when there is room for one.
    pub fn poll_frame(&mut self, peer: PeerId) -> Option<Frame> {
        self.links.poll_frame(Way::Link(peer), &self.states)
    }

    /// A server of this site says something new, or something counts as new.
    pub(super) fn tell_links(&mut self, now: Duration, eid: Eid, change: &Change) {
        self.tell_links_as_said(Version { clock: self.time(now), writer: self.eid }, eid, change);
    }

    /// A server of another node of the group says something new. All nodes give it one version: when its node says that it said so, unless that is not
    /// just now.
    pub(super) fn tell_links_of_other(
        &mut self,
        now: Duration,
        from: Member,
        eid: Eid,
        change: &Change,
        time: u64,
    ) {
        let here = Version { clock: self.time(now), writer: self.eid };
        let node = self.group.membership.node_of(from);
        let said = node.map(|writer| Version { clock: time, writer });
        let just_now = said.filter(|said| said.clock.abs_diff(here.clock) < JUST_NOW);
        self.tell_links_as_said(just_now.unwrap_or(here), eid, change);
    }

    fn tell_links_as_said(&mut self, said: Version, eid: Eid, change: &Change) {
        if !matches!(change, Change::DeviceState { cachable: false, .. }) {
            self.links.write(said, eid, &change.subject(), Some(change));
            if let Change::Mwi { mailbox, .. } = change {
                self.share_order(mailbox);
            }
        }
    }

    /// Says in the group what a server elsewhere says.
    pub(super) fn say(&mut self, eid: Eid, subject: &Subject) {
        if !self.group.joined() {
            return;
        }
        let Some(statement) = self.links.statement(eid, subject, &self.states) else { return };
        if statement.withdrawn {
            self.healing.settle(eid, subject);
        }
        self.push_to_group(Word::Told(Box::new(statement)));
    }

    /// What was to be said, or was said and lost, as it is now: another node of the group may have said something newer. Of a server
    /// that was lost since nothing stands.
    pub(super) fn told_now(&self, statement: Statement) -> Statement {
        let subject = statement.change.subject();
        let now = self.links.statement(statement.eid, &subject, &self.states);
        let mut now = now.unwrap_or_else(|| statement.taken_back());
        if now.withdrawn {
            now.change = self.as_it_is(now.change);
        }
        now
    }

    /// Says in the group what servers elsewhere say for which we are the gate. Returns how much.
    pub(super) fn tell_group_of_others(&mut self) -> usize {
        let (links, states) = (&self.links, &self.states);
        let others = states.eids().filter(|eid| links.carries(*eid));
        let (told, gateless) = others.partition::<Vec<_>, _>(|eid| links.has_gate(*eid));
        self.gateless = gateless.into_iter().collect();
        self.tell_group_of_ours(told)
    }

    /// The same of those among these.
    fn tell_group_of_ours(&mut self, eids: Vec<Eid>) -> usize {
        let ours = eids.into_iter().filter(|eid| self.links.is_gate(*eid)).collect::<Vec<_>>();
        ours.into_iter().map(|eid| self.tell_group_of(eid)).sum()
    }

    fn tell_group_of(&mut self, eid: Eid) -> usize {
        let changes = self.states.to_tell(eid);
        changes.iter().for_each(|(change, _)| self.say(eid, &change.subject()));
        changes.len()
    }

    /// Newcomers are told by the gate of each server. Where that is another node now, each of the two may have taken the other for it; and of some
    /// it is known only now.
    fn tell_newcomers(&mut self, now: Duration) {
        let mut late = self.links.taken_over();
        let links = &self.links;
        late.extend(self.gateless.extract_if(.., |eid| links.has_gate(*eid)));
        if self.told_all_at.is_some_and(|at| now < at + HANDOVER) {
            self.tell_group_of_ours(late);
        }
    }

    /// Somebody takes back in the group what a server elsewhere says, and a node in reach vouches for. It may be the gate itself, which began anew.
    pub(super) fn contradict_elsewhere(&mut self, now: Duration, eid: Eid, subject: &Subject) {
        if self.states.find(eid, subject).is_some() && self.links.falls_to_us(now, eid, subject) {
            self.note(Note::StaleWithdrawal { eid });
            self.say(eid, subject);
        }
    }

    /// One frame at a time waits for the group.
    pub(super) fn let_frame_wait(&mut self) {
        if self.group.joined()
            && !self.group.outbox.has(&Topic::Link)
            && let Some(frame) = self.links.poll_frame(Way::Group, &self.states)
        {
            self.push_to_group(Word::Link(Box::new(frame)));
        }
    }
}

/// Who is there.
impl Node {
    /// Tells the links who is in the group and who speaks for whom, and does what follows from it and from the time.
    pub(super) fn settle_site(&mut self, now: Duration) {
        let time = self.time(now);
        let nodes = self.nodes();
        let mut local: BTreeSet<Eid> = self.own_eids().into_iter().collect();
        local.extend(self.group.membership.spoken().filter(|eid| !nodes.contains(eid)));
        if self.links.settle_site(now, local, nodes) {
            self.share_orders();
        }
        self.links.refresh(now, time);
        let lost = self.links.take_lost(now);
        if !lost.is_empty() {
            self.retire(now, &lost);
            self.note(Note::OutOfReach { eids: lost });
        }
        self.tell_newcomers(now);
        let says = self.links.take_says(now);
        self.follow(now, says);
        for (eid, node) in self.links.doubled() {
            let holder =
                self.holder_here(eid).or_else(|| self.group.membership.speaker(eid).map(Holder::Member));
            if let Some(holder) = holder {
                self.note_equal(eid, holder, Holder::Elsewhere(node));
            }
        }
    }

    /// The nodes of the group in its order, ourselves among them.
    fn nodes(&self) -> Vec<Eid> {
        let me = self.group.membership.me();
        let eid = |member: Member, peer: &crate::Peer| match peer.node {
            _ if Some(member) == me => Some(self.eid),
            Some(_) => peer.eid,
            None => None,
        };
        self.group.membership.members().filter_map(|(member, peer)| eid(member, peer)).collect()
    }
}

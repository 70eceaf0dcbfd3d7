//! What is told over links.

use super::Links;
use super::frame::{Frame, Standing, Statement};
use super::ledger::{Entry, Version};
use super::peer::{Comparison, Next, PeerId};
use super::{AHEAD_WAIT, Effect, Rumour, Way, gate_of};
use crate::{Change, DeviceState, Eid, MessageCounts, States, Subject};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

/// Bytes of states in one frame, about. A frame has at most 65,536; what is urgent waits for no more than one.
const FRAME_BYTES: usize = 16_384;

/// What a statement takes on the wire beside its name, at most.
const STATEMENT_BYTES: usize = 64;

impl Links {
    /// A server of this site says something new of a subject, or stands for nothing about it any more; `said` is when, and which node says so.
    pub fn write(&mut self, said: Version, eid: Eid, subject: &Subject, change: Option<&Change>) {
        if !self.versions(subject) {
            return;
        }
        let withdrawn = change.is_none();
        self.corrected.remove(&(eid, subject.clone()));
        match self.rumours.remove(&(eid, subject.clone())) {
            // Another node of this site has heard it first.
            Some(rumour) if rumour.change.as_ref() == change => {
                self.ledger.put(eid, subject, Entry::heard(rumour.version, withdrawn));
            }
            // What is said here is newer than what others say.
            Some(rumour) if rumour.version.clock >= said.clock => {
                self.ledger.write_after(rumour.version, eid, subject, withdrawn);
            }
            Some(_) | None => drop(self.ledger.write(said, eid, subject, withdrawn)),
        }
        self.tell(eid, subject, None);
    }

    /// What was said of servers that were of this site, and are no more, is heard again from those who vouch for them.
    pub(super) fn drop_rumours(&mut self) {
        let Self { rumours, site, .. } = self;
        let dropped: BTreeSet<Eid> =
            rumours.extract_if(.., |(eid, _), _| !site.vouches_for(*eid)).map(|((eid, _), _)| eid).collect();
        dropped.into_iter().for_each(|eid| self.forget_for_now(eid));
    }

    /// Whether what servers of this site say of a subject has a version here. A node without links needs none of devices, which it never tells;
    /// of mailboxes it needs them, because words of several servers about one are put in their order.
    fn versions(&self, subject: &Subject) -> bool {
        !self.peers.is_empty() || self.has_links && matches!(subject, Subject::Mailbox(_))
    }

    /// Tells the other nodes of this site which version the word of a server of it about a mailbox has here: the highest counts.
    pub(crate) fn share(&mut self, eid: Eid, subject: &Subject) {
        let accompanied = self.site.nodes().len() > 1 && self.site.vouches_for(eid);
        let Some(version) = self.version(eid, subject).filter(|_| accompanied) else { return };
        if matches!(subject, Subject::Mailbox(_))
            && self.shared.insert((eid, subject.clone()), version) != Some(version)
        {
            self.group.push_state(eid, subject);
        }
    }

    /// This node has taken back a state by its own judgement: if it vouches for the server, that is said to all; else it
    /// may hear of the state again.
    pub fn write_withdrawal(&mut self, now_us: u64, eid: Eid, subject: &Subject) {
        if self.site.vouches_for(eid) {
            self.write(Version { clock: now_us, writer: self.hello.node }, eid, subject, None);
        } else if self.ledger.drop_standing(eid, subject) {
            self.forgotten.insert(eid);
        }
    }

    /// Corrects what others say of servers of this site and those have not said in time. Of a server that we do not hear now we know no better.
    pub fn end_rumours(&mut self, now: Duration, now_us: u64, hears: impl Fn(Eid) -> bool) -> Vec<Effect> {
        let mut effects = Vec::new();
        let unheard = self.rumours.iter_mut().filter(|((eid, _), it)| it.until <= now && !hears(*eid));
        unheard.for_each(|(_, rumour)| rumour.until = now + AHEAD_WAIT);
        let due = self.rumours.iter().filter(|(_, rumour)| rumour.until <= now).map(|(key, _)| key.clone());
        for (eid, subject) in due.collect::<Vec<_>>() {
            let key = (eid, subject.clone());
            let Some(Rumour { change, version, .. }) = self.rumours.remove(&key) else { continue };
            let corrected = !self.corrected.insert(key.clone());
            effects.extend(reordered(&subject));
            if corrected && self.site.seniors().contains(&version.writer) {
                // A node of our group hears the server as we do, and insists on something else: of two that correct each other for
                // ever one has to stop.
                self.corrected.remove(&key);
                self.ledger.put(eid, &subject, Entry::heard(version, change.is_none()));
                continue;
            }
            let withdrawn = self.ledger.of(eid, &subject).is_none_or(|ours| ours.withdrawn);
            match subject {
                Subject::Device(_) if now_us > version.clock => {
                    let said = Version { clock: now_us, writer: self.hello.node };
                    self.ledger.write(said, eid, &subject, withdrawn);
                }
                // It is no newer than before: a word about a mailbox is not to pass the word of another server.
                Subject::Device(_) | Subject::Mailbox(_) => {
                    self.ledger.write_after(version, eid, &subject, withdrawn);
                }
            }
            self.tell(eid, &subject, None);
            self.share(eid, &subject);
        }
        effects
    }

    /// What has come over links and is to be said in the group by us: it has become our turn, or nobody else has.
    pub fn take_says(&mut self, now: Duration) -> Vec<Effect> {
        let Self { standby, roster, gates, hello, .. } = self;
        let ours = |eid| gate_of(roster, gates, eid) == Some(hello.node);
        let says = standby.take(ours).into_iter().chain(standby.take_due(now));
        says.map(|(eid, subject)| Effect::Say { eid, subject }).collect()
    }

    /// One state of a server elsewhere as it is now, to be said in the group.
    #[must_use]
    pub fn statement(&self, eid: Eid, subject: &Subject, states: &States) -> Option<Statement> {
        let entry = self.ledger.of(eid, subject).filter(|_| self.carries(eid))?;
        statement(states, eid, subject.clone(), entry)
    }

    /// The next frame by this way, when there is room for one.
    pub fn poll_frame(&mut self, way: Way, states: &States) -> Option<Frame> {
        loop {
            match self.at(way).next() {
                Next::Hello(hello) => return Some(Frame::Hello(hello)),
                Next::Comparison(comparison) => return Some(self.comparison(way, comparison)),
                Next::Node(node) => {
                    if let Some(adjacency) = self.roster.of(node) {
                        return Some(Frame::Adjacency(adjacency.clone()));
                    }
                }
                Next::States => {
                    let statements = self.statements(way, states);
                    if !statements.is_empty() {
                        return Some(Frame::States(statements));
                    }
                }
                Next::Nothing => return None,
            }
        }
    }

    /// Whether nothing waits to be told over links.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.peers.iter().all(|peer| peer.waiting() == 0)
    }

    /// How many states wait to be told to a peer.
    #[must_use]
    pub fn waiting(&self, peer: PeerId) -> usize {
        self.peers[peer.0].waiting()
    }

    /// Tells by all ways but one what is known of a node.
    pub(super) fn tell_node(&mut self, node: Eid, but: Option<Way>) {
        let links = self.ids().map(Way::Link).chain([Way::Group]);
        links.filter(|way| Some(*way) != but).for_each(|way| self.at(way).push_node(node));
    }

    /// Tells all that is known of nodes.
    pub(super) fn tell_roster(&mut self, way: Way) {
        let nodes: Vec<Eid> = self.roster.all().map(|adjacency| adjacency.node).collect();
        nodes.into_iter().for_each(|node| self.at(way).push_node(node));
    }

    /// Tells a state over all links but the one by which it came.
    pub(super) fn tell(&mut self, eid: Eid, subject: &Subject, but: Option<Way>) {
        for peer in self.ids().filter(|peer| Some(Way::Link(*peer)) != but) {
            self.tell_one(peer, eid, subject);
        }
    }

    pub(super) fn tell_one(&mut self, peer: PeerId, eid: Eid, subject: &Subject) {
        if !self.site.vouches_for(eid) || self.speaks_to(peer, eid) {
            self.peers[peer.0].push_state(eid, subject);
        }
    }

    /// Tells how far we have come, so that whoever differs asks; to the nodes of our site, who hear our servers themselves, of others'
    /// servers only.
    pub(super) fn compare(&mut self, way: Way) {
        self.at(way).push_comparison(Comparison::All);
    }

    fn comparison(&self, way: Way, comparison: Comparison) -> Frame {
        let standing = |eid: Eid| {
            let (states, fingerprint) = self.ledger.summary(eid);
            Standing { eid, states: u32::try_from(states).unwrap_or(u32::MAX), fingerprint }
        };
        let told = |eid: &Eid| way != Way::Group || !self.site.vouches_for(*eid);
        match comparison {
            Comparison::All => Frame::Digest(self.ledger.eids().filter(told).map(standing).collect()),
            Comparison::One { eid, answer } => {
                Frame::Buckets { eid, fingerprints: self.ledger.fingerprints(eid), answer }
            }
        }
    }

    fn statements(&mut self, way: Way, states: &States) -> Vec<Statement> {
        let (mut statements, mut bytes) = (Vec::new(), 0);
        while bytes < FRAME_BYTES {
            let Some((eid, subject)) = self.at(way).next_state() else { break };
            let Some(entry) = self.ledger.of(eid, &subject) else { continue };
            let Some(statement) = statement(states, eid, subject, entry) else { continue };
            if self.at(way).told.admit(eid, &statement.change, false).is_err() {
                continue;
            }
            self.ledger.tell(eid, &statement.change.subject());
            bytes += STATEMENT_BYTES + statement.change.name().len();
            statements.push(statement);
        }
        statements
    }
}

impl Statement {
    /// The same, taken back.
    pub(crate) fn taken_back(self) -> Self {
        let change = blank(self.change.subject());
        Self { change, withdrawn: true, origin: crate::Stamp::default(), ..self }
    }
}

fn statement(states: &States, eid: Eid, subject: Subject, entry: Entry) -> Option<Statement> {
    let Entry { version, withdrawn, .. } = entry;
    let (change, origin) =
        if withdrawn { (blank(subject), crate::Stamp::default()) } else { states.said(eid, &subject)? };
    Some(Statement { eid, change, withdrawn, version, origin })
}

/// The version of this state is another: the words about a mailbox may stand in another order now.
pub(super) fn reordered(subject: &Subject) -> Option<Effect> {
    match subject {
        Subject::Device(_) => None,
        Subject::Mailbox(mailbox) => Some(Effect::Order(mailbox.clone())),
    }
}

/// What lights nothing.
fn blank(subject: Subject) -> Change {
    match subject {
        Subject::Device(device) => {
            Change::DeviceState { device, state: DeviceState::Unavailable, cachable: true }
        }
        Subject::Mailbox(mailbox) => Change::Mwi { mailbox, counts: MessageCounts::default() },
    }
}

//! What is told over links.

use super::Links;
use super::frame::{Frame, Standing, Statement};
use super::ledger::Entry;
use super::peer::{Next, PeerId};
use crate::{Change, DeviceState, Eid, MessageCounts, States, Subject};
use alloc::vec::Vec;
use core::time::Duration;

/// Bytes of states in one frame, about. A frame has at most 65,536; what is urgent waits for no more than one.
const FRAME_BYTES: usize = 16_384;

/// What a statement takes on the wire beside its name, at most.
const STATEMENT_BYTES: usize = 64;

impl Links {
    /// A server of this site says something new of a subject, or stands for nothing about it any more.
    pub fn write(&mut self, now_us: u64, eid: Eid, subject: &Subject, change: Option<&Change>) {
        let withdrawn = change.is_none();
        match self.rumours.remove(&(eid, subject.clone())) {
            // Another node of this site has heard it first.
            Some(rumour) if rumour.change.as_ref() == change => {
                self.ledger.put(eid, subject, Entry::heard(rumour.version, withdrawn));
            }
            Some(_) | None => drop(self.ledger.write(now_us, eid, subject, withdrawn)),
        }
        self.tell(eid, subject, None);
    }

    /// Corrects what others say of servers of this site and those have not said in time.
    pub fn end_rumours(&mut self, now: Duration, now_us: u64) {
        let due = self.rumours.iter().filter(|(_, rumour)| rumour.until <= now).map(|(key, _)| key.clone());
        for (eid, subject) in due.collect::<Vec<_>>() {
            self.rumours.remove(&(eid, subject.clone()));
            let withdrawn = self.ledger.of(eid, &subject).is_none_or(|ours| ours.withdrawn);
            self.ledger.write(now_us, eid, &subject, withdrawn);
            self.tell(eid, &subject, None);
        }
    }

    /// The next frame for a peer, when there is room for one.
    pub fn poll_frame(&mut self, peer: PeerId, states: &States) -> Option<Frame> {
        loop {
            match self.peers[peer.0].next() {
                Next::Frame(frame) => return Some(frame),
                Next::Node(node) => {
                    if let Some(adjacency) = self.roster.of(node) {
                        return Some(Frame::Adjacency(adjacency.clone()));
                    }
                }
                Next::States => {
                    let statements = self.statements(peer, states);
                    if !statements.is_empty() {
                        return Some(Frame::States(statements));
                    }
                }
                Next::Nothing => return None,
            }
        }
    }

    /// How many states wait to be told to a peer.
    #[must_use]
    pub fn waiting(&self, peer: PeerId) -> usize {
        self.peers[peer.0].waiting()
    }

    /// Tells all but one of the peers what is known of a node.
    pub(super) fn tell_node(&mut self, node: Eid, but: Option<PeerId>) {
        for (_, peer) in self.peers.iter_mut().enumerate().filter(|(id, _)| Some(PeerId(*id)) != but) {
            peer.push_node(node);
        }
    }

    /// Tells all but one of the peers a state.
    pub(super) fn tell(&mut self, eid: Eid, subject: &Subject, but: Option<PeerId>) {
        for peer in self.ids().filter(|peer| Some(*peer) != but) {
            self.tell_one(peer, eid, subject);
        }
    }

    pub(super) fn tell_one(&mut self, peer: PeerId, eid: Eid, subject: &Subject) {
        if !self.local.contains(&eid) || self.speaks_to(peer) {
            self.peers[peer.0].push_state(eid, subject);
        }
    }

    /// Tells a peer how far we have come, so that it asks where it differs.
    pub(super) fn compare(&mut self, peer: PeerId) {
        let standing = |eid: Eid| {
            let (states, fingerprint) = self.ledger.summary(eid);
            Standing { eid, states: u32::try_from(states).unwrap_or(u32::MAX), fingerprint }
        };
        let digest = Frame::Digest(self.ledger.eids().map(standing).collect());
        self.peers[peer.0].push_frame(digest);
    }

    fn statements(&mut self, peer: PeerId, states: &States) -> Vec<Statement> {
        let (mut statements, mut bytes) = (Vec::new(), 0);
        while bytes < FRAME_BYTES {
            let Some((eid, subject)) = self.peers[peer.0].next_state() else { break };
            let Some(entry) = self.ledger.tell(eid, &subject) else { continue };
            let Some(statement) = statement(states, eid, subject, entry) else { continue };
            bytes += STATEMENT_BYTES + name_bytes(&statement.change);
            statements.push(statement);
        }
        statements
    }
}

fn statement(states: &States, eid: Eid, subject: Subject, entry: Entry) -> Option<Statement> {
    let Entry { version, withdrawn, .. } = entry;
    let (change, origin) =
        if withdrawn { (blank(subject), crate::Stamp::default()) } else { states.said(eid, &subject)? };
    Some(Statement { eid, change, withdrawn, version, origin })
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

fn name_bytes(change: &Change) -> usize {
    match change {
        Change::DeviceState { device, .. } => device.as_str().len(),
        Change::Mwi { mailbox, .. } => mailbox.as_str().len(),
    }
}

//! What is taken from links.

use super::frame::{Frame, Hello, Standing, Statement};
use super::ledger::{BUCKETS, Entry};
use super::peer::PeerId;
use super::roster::Worth;
use super::{AHEAD_WAIT, Effect, Links, Rumour, SILENCE_WAIT};
use crate::{Eid, States};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

/// What others remember of this site's servers and those have not said again is taken back in turns, if it is more.
const RUMOURS_MAX: usize = 200_000;

impl Links {
    /// A frame came. Returns what it does to the table.
    pub fn hear(
        &mut self,
        now: Duration,
        now_us: u64,
        peer: PeerId,
        frame: Frame,
        states: &States,
    ) -> Vec<Effect> {
        match frame {
            Frame::Hello(hello) => self.meet(now, now_us, peer, &hello),
            Frame::Adjacency(adjacency) => {
                let node = adjacency.node;
                let silent = self.left_to_others();
                match self.roster.hear(now, adjacency) {
                    Worth::News => self.tell_node(node, Some(peer)),
                    Worth::Ours => self.tell_node(node, None),
                    Worth::Known => {}
                    Worth::Full => return Vec::from([Effect::Refuse]),
                }
                self.compare_where_we_speak(&silent);
            }
            Frame::Digest(standings) => self.compare_all(peer, &standings),
            Frame::Buckets { eid, fingerprints, answer } => {
                self.compare_one(peer, eid, &fingerprints, answer)
            }
            Frame::States(statements) => {
                let effects = statements.into_iter().filter_map(|it| self.take(now, peer, it, states));
                return effects.collect();
            }
        }
        Vec::new()
    }

    /// The node at the other end says who it is.
    fn meet(&mut self, now: Duration, now_us: u64, peer: PeerId, hello: &Hello) {
        self.peers[peer.0].meet(hello.node);
        self.refresh(now, now_us);
        for adjacency in self.roster.all() {
            self.peers[peer.0].push_node(adjacency.node);
        }
        // One of the two begins.
        if self.hello.node < hello.node {
            self.compare(peer);
        }
    }

    fn compare_all(&mut self, peer: PeerId, theirs: &[Standing]) {
        let mut eids: BTreeSet<Eid> = self.ledger.eids().collect();
        eids.extend(theirs.iter().map(|standing| standing.eid));
        for eid in eids {
            let told = theirs.iter().find(|standing| standing.eid == eid).map_or(0, |it| it.fingerprint);
            if told != self.ledger.summary(eid).1 {
                self.push_buckets(peer, eid, false);
            }
        }
    }

    fn compare_one(&mut self, peer: PeerId, eid: Eid, theirs: &[u64; BUCKETS], answer: bool) {
        for subject in self.ledger.differing(eid, theirs) {
            self.tell_one(peer, eid, &subject);
        }
        if !answer {
            self.push_buckets(peer, eid, true);
        }
    }

    fn push_buckets(&mut self, peer: PeerId, eid: Eid, answer: bool) {
        let fingerprints: Box<[u64; BUCKETS]> = self.ledger.fingerprints(eid);
        self.peers[peer.0].push_frame(Frame::Buckets { eid, fingerprints, answer });
    }

    fn take(&mut self, now: Duration, peer: PeerId, statement: Statement, states: &States) -> Option<Effect> {
        if self.local.contains(&statement.eid) {
            return self.judge_rumour(now, peer, statement, states);
        }
        let Statement { eid, change, withdrawn, version, origin } = statement;
        let subject = change.subject();
        if let Some(known) = self.ledger.of(eid, &subject).filter(|known| known.version >= version) {
            if known.version > version {
                // It may have said so before it heard us, or never hear it from anybody else.
                self.peers[peer.0].push_state(eid, &subject);
            }
            return None;
        }
        if !self.ledger.has_room(eid, &subject) {
            return Some(Effect::Refuse);
        }
        self.ledger.put(eid, &subject, Entry::heard(version, withdrawn));
        self.tell(eid, &subject, Some(peer));
        Some(if withdrawn {
            Effect::Withdraw { eid, subject }
        } else {
            Effect::Enter { eid, change, origin }
        })
    }

    /// Somebody says something of a server of this site, which we hear ourselves.
    fn judge_rumour(
        &mut self,
        now: Duration,
        peer: PeerId,
        statement: Statement,
        states: &States,
    ) -> Option<Effect> {
        let Statement { eid, change, withdrawn, version, .. } = statement;
        let subject = change.subject();
        self.ledger.outdo(version);
        let key = (eid, subject.clone());
        if self.rumours.get(&key).is_some_and(|rumour| rumour.version >= version) {
            return None;
        }
        if self.rumours.len() >= RUMOURS_MAX && !self.rumours.contains_key(&key)
            || !self.ledger.has_room(eid, &subject)
        {
            return Some(Effect::Refuse);
        }
        let ours = self.ledger.of(eid, &subject);
        let same = match ours {
            None => withdrawn,
            Some(ours) if ours.withdrawn => withdrawn,
            Some(_) => !withdrawn && states.says(eid, &change),
        };
        let newer = ours.is_none_or(|ours| version > ours.version);
        if same && ours.is_none_or(|ours| ours.yields_to(version)) {
            self.ledger.put(eid, &subject, Entry::heard(version, withdrawn));
        } else if !same && newer {
            let wait = if ours.is_some() { AHEAD_WAIT } else { SILENCE_WAIT };
            let change = (!withdrawn).then_some(change);
            self.rumours.insert(key, Rumour { change, version, until: now + wait });
        } else if !same {
            self.peers[peer.0].push_state(eid, &subject);
        }
        None
    }
}

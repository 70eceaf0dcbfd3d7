//! Servers of this site of which something is known before they speak here: a node that begins anew may hear over a link what its own
//! servers once said, and a node that is back in the group still has what they said before. That stands until they have had time to say it
//! again, as they do to whoever is new.

use super::Node;
use crate::link::SILENCE_WAIT;
use crate::{Eid, ServerId};
use alloc::vec::Vec;
use core::time::Duration;

impl Node {
    /// A server speaks here for the first time.
    pub(super) fn adopt(&mut self, now: Duration, eid: Eid) {
        self.group.outbox.cancel_told(eid);
        if self.states.of(eid).is_some() {
            self.states.suspect(eid);
            self.adopted.insert(eid, now + SILENCE_WAIT);
        }
    }

    /// The same of a server of ours: who is in the group has not heard it from us.
    pub(super) fn adopt_ours(&mut self, now: Duration, server: ServerId, eid: Eid) {
        self.adopt(now, eid);
        if self.adopted.contains_key(&eid) {
            self.server(server).expect_repeats(now);
        }
    }

    /// When what such a server has not said again is taken back.
    pub(super) fn adoption_ends_at(&self) -> Option<Duration> {
        self.adopted.values().min().copied().filter(|_| self.synced() || !self.group.joined())
    }

    /// Takes it back. Servers of ours have a time of their own, which counts from what they said last.
    pub(super) fn end_adoptions(&mut self, now: Duration) {
        if self.adoption_ends_at().is_none_or(|at| now < at) {
            return;
        }
        let due: Vec<Eid> = self.adopted.iter().filter(|(_, at)| **at <= now).map(|(eid, _)| *eid).collect();
        for eid in due {
            self.adopted.remove(&eid);
            let ours = self.servers.iter().find(|it| it.reporting_eid() == Some(eid));
            if let Some(until) = ours.and_then(|it| it.sweep_at()) {
                self.adopted.insert(eid, until);
            } else if !self.links.carries(eid) {
                let states = self.sweep(now, eid);
                self.note_swept(eid, states);
            }
        }
    }
}

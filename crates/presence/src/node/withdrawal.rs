//! How the words of a departed server are taken back.

use super::Node;
use crate::outbox::Word;
use crate::{Change, DeviceState, Eid, MessageCounts};
use alloc::vec::Vec;

impl Node {
    /// The node is to go: it withdraws from everybody what they know only through it, and takes nothing new.
    pub fn stop(&mut self) {
        self.stopping = true;
        self.retire(&self.states.eids().collect::<Vec<_>>());
    }

    /// Forgets servers and says so to all that heard of them from us: what they had lit goes out. Lit lamps come first:
    /// a person may be looking at them.
    pub(super) fn retire(&mut self, eids: &[Eid]) {
        let mut gone = Vec::new();
        for &eid in eids {
            gone.extend(self.states.remove(eid).changes().map(|change| (eid, change)));
        }
        gone.sort_by_key(|(_, change)| is_idle(change));
        for (eid, change) in gone {
            let Some(change) = self.withdrawal(change) else { continue };
            self.tell_servers(eid, &change);
            if self.servers.iter().any(|server| server.eid() == Some(eid)) {
                self.push_to_group(Word::Change { eid, change });
            }
        }
    }

    /// What takes back a departed server's state, said under its EID.
    ///
    /// A device becomes UNAVAILABLE: UNKNOWN would let queues offer calls to it. A mailbox has one value at each
    /// Asterisk, the last it heard; so it becomes what another server says of it, or else empty.
    fn withdrawal(&self, change: Change) -> Option<Change> {
        match change {
            Change::DeviceState {
                state: DeviceState::Unavailable | DeviceState::Invalid | DeviceState::Unknown,
                ..
            } => None,
            Change::DeviceState { device, .. } => {
                Some(Change::DeviceState { device, state: DeviceState::Unavailable, cachable: true })
            }
            Change::Mwi { mailbox, counts } => {
                let left = self
                    .states
                    .of_mailbox(&mailbox)
                    .next()
                    .map_or(MessageCounts::default(), |(_, left)| left);
                (left != counts).then_some(Change::Mwi { mailbox, counts: left })
            }
        }
    }
}

/// Whether a state lights nothing.
fn is_idle(change: &Change) -> bool {
    match change {
        Change::DeviceState { state, .. } => *state == DeviceState::NotInUse,
        Change::Mwi { counts, .. } => counts.new == 0,
    }
}

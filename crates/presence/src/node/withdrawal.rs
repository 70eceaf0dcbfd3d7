//! How the words of a departed server are taken back.

use super::Node;
use crate::outbox::Word;
use crate::{Change, DeviceState, Eid, MessageCounts};
use alloc::vec::Vec;

impl Node {
    /// The node is to go: it withdraws from everybody what they know only through it, and takes nothing new.
    pub fn stop(&mut self) {
        self.stopping = true;
        for eid in self.states.eids().collect::<Vec<_>>() {
            self.retire(eid);
        }
    }

    /// Forgets a server and says so to all that heard of it from us: what it had lit goes out.
    pub(super) fn retire(&mut self, eid: Eid) {
        let ours = self.servers.iter().any(|server| server.eid() == Some(eid));
        for change in self.states.remove(eid).changes().collect::<Vec<_>>() {
            let Some(change) = self.withdrawal(change) else { continue };
            self.tell_servers(eid, &change);
            if ours {
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

//! No echo: nothing goes towards the EID it came from, and nobody speaks for a server that is somebody else's.

use crate::names::{Topic, Word};
use crate::report::Checker;
use crate::world::World;
use presence::{Change, Eid, Message, Node, Output};

impl World<'_> {
    /// A node is about to do something.
    pub(crate) fn judge_output(&mut self, node: usize, output: &Output) {
        let Some(core) = &self.nodes[node].core else { return };
        let wrong = match output {
            Output::Multicast(Message::Change { eid, change, .. }) => {
                let own = self.serves(node, *eid);
                (!own).then_some("speaks in the group for a server that it does not serve").or(leaks(change))
            }
            Output::Multicast(Message::Withdrawal { eid, change, .. }) => {
                let stands = speaks_elsewhere(core, *eid) && holds(core, *eid, change);
                stands.then_some("takes back what another member says, and it knows").or(leaks(change))
            }
            Output::Publish { server, eid, change } => {
                let link = &self.nodes[node].links[server.0];
                let own = self.servers[link.server].eid == *eid;
                own.then_some("tells a server its own state").or(leaks(change))
            }
            Output::Multicast(_)
            | Output::Touch
            | Output::RequestRefresh { .. }
            | Output::Answer { .. }
            | Output::Note(_) => None,
        };
        if let Some(wrong) = wrong {
            let text = format!("{} {wrong}: {output:?}", self.nodes[node].name);
            self.fail(Checker::Echo, text);
        }
    }

    fn serves(&self, node: usize, eid: Eid) -> bool {
        self.nodes[node].links.iter().any(|link| self.servers[link.server].eid == eid)
    }
}

fn speaks_elsewhere(core: &Node, eid: Eid) -> bool {
    let speaker = core.membership().speaker(eid);
    speaker.is_some() && speaker != core.membership().me()
}

fn holds(core: &Node, eid: Eid, change: &Change) -> bool {
    match change {
        Change::DeviceState { device, .. } => core.states().of_device(device).any(|(whose, _)| whose == eid),
        Change::Mwi { mailbox, .. } => core.states().of_mailbox(mailbox).any(|(whose, _)| whose == eid),
    }
}

/// What concerns nobody but its own server goes nowhere.
fn leaks(change: &Change) -> Option<&'static str> {
    let ephemeral = Word::of(change).is_some_and(|word| matches!(word.topic, Topic::Ephemeral(_)));
    ephemeral.then_some("tells of a device that is nobody's business")
}

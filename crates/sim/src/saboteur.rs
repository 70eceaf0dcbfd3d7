//! Planted faults: what a broken core would do, forged between the real core and its world. They show that the checkers can see.

use presence::link::Statement;
use presence::{
    Arrival, Change, DeviceState, Eid, Input, Member, Message, Outcome, Output, ServerId, Subject,
};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// A fault that is planted into every node of a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Plant {
    /// What another member says is said again.
    Echo,
    /// A message that got lost is not sent again.
    LostRetry,
    /// An old state is told after a newer one.
    StaleOverwrite,
    /// The states of departed servers are not taken back.
    MissedWithdrawal,
    /// A node that comes back into the group takes everybody else for gone at first.
    IntermediateAggregate,
    /// A node does not hear that links are down.
    EndlessHold,
    /// A node takes a link that is down for one that has been silent for long.
    HastyLoss,
    /// What returns is told as it was before it was lost, and then as it is.
    StaleReturn,
}

impl Plant {
    /// Every planted fault.
    pub const ALL: [Self; 8] = [
        Self::Echo,
        Self::LostRetry,
        Self::StaleOverwrite,
        Self::MissedWithdrawal,
        Self::IntermediateAggregate,
        Self::EndlessHold,
        Self::HastyLoss,
        Self::StaleReturn,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::LostRetry => "lost-retry",
            Self::StaleOverwrite => "stale-overwrite",
            Self::MissedWithdrawal => "missed-withdrawal",
            Self::IntermediateAggregate => "intermediate-aggregate",
            Self::EndlessHold => "endless-hold",
            Self::HastyLoss => "hasty-loss",
            Self::StaleReturn => "stale-return",
        }
    }
}

/// Stands between a core and its world, and lies to both if told so.
pub(crate) struct Saboteur {
    plant: Option<Plant>,
    /// What the core did not ask for, by node.
    forged: BTreeMap<usize, VecDeque<Output>>,
    /// What did not happen, by node.
    invented: BTreeMap<usize, VecDeque<Input>>,
    /// What was told, by node, server and subject, the latest last.
    told: BTreeMap<(usize, ServerId, Eid, Subject), Vec<Change>>,
    /// What was told last of servers elsewhere, and whether it was taken back since.
    elsewhere: BTreeMap<(Eid, Subject), (Statement, bool)>,
    /// Nodes that were in the group before.
    joined: BTreeMap<usize, bool>,
    count: u64,
}

/// Every so many chances it does its work.
const EVERY: u64 = 5;

impl Saboteur {
    pub(crate) fn new(plant: Option<Plant>) -> Self {
        Self {
            plant,
            forged: BTreeMap::new(),
            invented: BTreeMap::new(),
            told: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
            joined: BTreeMap::new(),
            count: 0,
        }
    }

    /// A node begins anew.
    pub(crate) fn forget(&mut self, node: usize) {
        self.forged.remove(&node);
        self.invented.remove(&node);
        self.joined.remove(&node);
    }

    /// What the core hears in place of what happened.
    pub(crate) fn inputs(&mut self, node: usize, input: Input) -> Vec<Input> {
        match (self.plant, input) {
            (
                Some(Plant::Echo),
                Input::Delivered { from, message: Message::Change { eid, change, stamp } },
            ) => {
                if self.is_time() {
                    let message = Message::Change { eid, change: change.clone(), stamp: None };
                    self.forged.entry(node).or_default().push_back(Output::Multicast(message));
                }
                vec![Input::Delivered { from, message: Message::Change { eid, change, stamp } }]
            }
            (Some(Plant::IntermediateAggregate), Input::Joined { me, members }) => {
                let again = self.joined.insert(node, true).is_some();
                if again { gone_and_back(me, members) } else { vec![Input::Joined { me, members }] }
            }
            (Some(Plant::EndlessHold), Input::LinkDown { .. }) => vec![],
            (Some(Plant::HastyLoss), Input::LinkDown { peer, .. }) => {
                vec![Input::LinkDown { peer, silent: Duration::MAX }]
            }
            (_, input) => vec![input],
        }
    }

    /// What is done in place of what the core wants.
    pub(crate) fn outputs(&mut self, node: usize, me: Member, output: Output) -> Option<Output> {
        match (self.plant, output) {
            (Some(Plant::LostRetry), Output::Multicast(message @ Message::Change { .. })) => {
                if !self.is_time() {
                    return Some(Output::Multicast(message));
                }
                self.invent(node, Input::Delivered { from: me, message });
                None
            }
            (Some(Plant::StaleOverwrite), Output::Publish { server, eid, change }) => {
                let change = self.older(node, server, eid, change);
                Some(Output::Publish { server, eid, change })
            }
            (Some(Plant::MissedWithdrawal), Output::Multicast(message @ Message::Withdrawal { .. })) => {
                self.invent(node, Input::Delivered { from: me, message });
                None
            }
            (Some(Plant::MissedWithdrawal), Output::Publish { server, change, .. })
                if is_withdrawn(&change) =>
            {
                self.invent(node, Input::Settled { server, outcome: Outcome::Accepted });
                None
            }
            (Some(Plant::StaleReturn), Output::Multicast(message)) => {
                Some(Output::Multicast(self.before_it_was_lost(node, message)))
            }
            (_, output) => Some(output),
        }
    }

    /// What was told before what is told was taken back, with the latter to follow; or the same.
    fn before_it_was_lost(&mut self, node: usize, message: Message) -> Message {
        match message {
            Message::Told(statement) if !statement.withdrawn => {
                let key = (statement.eid, statement.change.subject());
                let before = self.elsewhere.insert(key, (statement.clone(), false));
                let Some((old, true)) = before else { return Message::Told(statement) };
                let forged = Output::Multicast(Message::Told(statement));
                self.forged.entry(node).or_default().push_back(forged);
                Message::Told(old)
            }
            Message::Told(Statement { eid, ref change, .. })
            | Message::Withdrawal { eid, ref change, .. } => {
                if let Some((_, gone)) = self.elsewhere.get_mut(&(eid, change.subject())) {
                    *gone = true;
                }
                message
            }
            message => message,
        }
    }

    /// Something that nobody asked for.
    pub(crate) fn forged(&mut self, node: usize) -> Option<Output> {
        self.forged.get_mut(&node)?.pop_front()
    }

    /// Something that did not happen.
    pub(crate) fn invented(&mut self, node: usize) -> Option<Input> {
        self.invented.get_mut(&node)?.pop_front()
    }

    fn invent(&mut self, node: usize, input: Input) {
        self.invented.entry(node).or_default().push_back(input);
    }

    /// What was told before what was told before.
    fn older(&mut self, node: usize, server: ServerId, eid: Eid, change: Change) -> Change {
        let time = self.is_time();
        let told = self.told.entry((node, server, eid, change.subject())).or_default();
        told.push(change.clone());
        let old = told.len().checked_sub(3).map(|place| told[place].clone());
        old.filter(|_| time).unwrap_or(change)
    }

    fn is_time(&mut self) -> bool {
        self.count += 1;
        self.count.is_multiple_of(EVERY)
    }
}

/// A return to the group in which everybody else is gone for a moment.
fn gone_and_back(me: Member, members: Vec<Member>) -> Vec<Input> {
    let others: Vec<_> = members.iter().copied().filter(|member| *member != me).collect();
    let back = others.iter().map(|member| (*member, Arrival::Process)).collect();
    vec![
        Input::Joined { me, members },
        Input::Changed { joined: vec![], left: others },
        Input::Changed { joined: back, left: vec![] },
    ]
}

fn is_withdrawn(change: &Change) -> bool {
    match change {
        Change::DeviceState { state, .. } => *state == DeviceState::Unavailable,
        Change::Mwi { counts, .. } => counts.new == 0 && counts.old == 0,
    }
}

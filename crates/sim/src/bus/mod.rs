//! The group's bus: what corosync does with the messages and the membership of one group, on machines that can be stopped, killed and
//! cut off from each other.
//!
//! Within a ring of machines all hear the same in the same order, joins and leaves included. While a ring forms, nothing is ordered; what
//! was taken meanwhile travels in the new ring. Directly after it has formed, nobody may send. A sender's message may be
//! refused ([`Taken::TryAgain`]), or taken and swallowed.

mod machine;
mod ring;

pub(crate) use machine::Incoming;

use crate::random::Random;
use machine::{Machine, Packet};
use presence::Member;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

/// How fast the bus is.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Pace {
    /// From being taken to having a place in the order.
    pub(crate) rotation: Range<Duration>,
    /// From having a place in the order to a machine.
    pub(crate) travel: Range<Duration>,
    /// Until a machine that says nothing more is given up.
    pub(crate) token_loss: Range<Duration>,
    /// Until rings that have come into reach of each other are one.
    pub(crate) merge: Range<Duration>,
    /// How long nobody may send after a ring has formed.
    pub(crate) block: Range<Duration>,
}

/// What the bus will do later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BusEvent {
    /// A machine has its turn to put its messages in order.
    Token(u32),
    /// Something arrives at a machine.
    Arrive(u32),
    /// The machines of an island form a ring, unless the plan is outdated.
    Form { island: u32, plan: u64 },
}

/// What the bus did.
#[derive(Clone, Debug)]
pub(crate) enum BusEffect {
    /// The event is to be handed back then.
    Later(Duration, BusEvent),
    /// A process hears this.
    Hand(Member, Incoming),
    /// The group has changed as this machine sees it; these have left, some of them perhaps to come back in the same moment.
    Seen { nodeid: u32, left: Vec<Member> },
    /// A ring of these machines has formed.
    Formed(Vec<u32>),
}

/// What became of a message that a process wants to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Taken {
    /// It is on its way.
    Yes,
    /// corosync said so, and has dropped it.
    Swallowed,
    /// Not now.
    TryAgain,
    /// There is no connection to a corosync.
    Closed,
}

/// All machines, and the rings that they form.
pub(crate) struct Bus {
    pace: Pace,
    random: Random,
    machines: BTreeMap<u32, Machine>,
    rings: BTreeMap<u64, BTreeSet<u32>>,
    plans: BTreeMap<u32, Plan>,
    /// Counts rings, plans, connections and places in the order.
    count: u64,
    effects: VecDeque<BusEffect>,
}

/// A ring that is about to form.
struct Plan {
    number: u64,
    machines: BTreeSet<u32>,
}

/// Messages that a process can hand to a stopped corosync before it is refused.
const BACKLOG: usize = 278;
/// Messages put in order at one turn.
const TURN: usize = 20;

impl Bus {
    /// A bus of machines on which no corosync runs yet.
    pub(crate) fn new(pace: Pace, random: Random, nodeids: impl Iterator<Item = u32>) -> Self {
        let machines = nodeids.map(|nodeid| (nodeid, Machine::new())).collect();
        Self {
            pace,
            random,
            machines,
            rings: BTreeMap::new(),
            plans: BTreeMap::new(),
            count: 0,
            effects: VecDeque::new(),
        }
    }

    /// The next effect.
    pub(crate) fn poll_effect(&mut self) -> Option<BusEffect> {
        self.effects.pop_front()
    }

    /// A process connects and joins the group; `false` when no corosync takes it now.
    pub(crate) fn join(&mut self, now: Duration, member: Member) -> bool {
        let connection = self.counted();
        let machine = self.machine(member.nodeid);
        if !machine.running || machine.frozen || machine.outgoing.len() >= BACKLOG {
            return false;
        }
        machine.connect(member.pid, connection);
        self.queue(now, member.nodeid, Packet::Join(member, connection));
        true
    }

    /// A process leaves the group, or has died. Whatever of it is still to be ordered, is.
    pub(crate) fn leave(&mut self, now: Duration, member: Member) {
        let machine = self.machine(member.nodeid);
        if machine.disconnect(member.pid) {
            self.queue(now, member.nodeid, Packet::Leave(member));
        }
    }

    /// A process wants a message sent.
    pub(crate) fn multicast(&mut self, now: Duration, from: Member, payload: &[u8]) -> Taken {
        let machine = self.machines.get(&from.nodeid).expect("members are on machines of the site");
        if !machine.is_connected(from.pid) {
            return Taken::Closed;
        }
        let (refusal, swallowing) = (machine.refusal, machine.swallowing);
        if !machine.takes(now) || self.random.chance(refusal) {
            return Taken::TryAgain;
        }
        if self.random.chance(swallowing) {
            return Taken::Swallowed;
        }
        self.queue(now, from.nodeid, Packet::Say(from, Rc::from(payload)));
        Taken::Yes
    }

    /// Time for what was planned.
    pub(crate) fn handle(&mut self, now: Duration, event: BusEvent) {
        match event {
            BusEvent::Token(nodeid) => self.turn(now, nodeid),
            BusEvent::Arrive(nodeid) => self.arrive(now, nodeid),
            BusEvent::Form { island, plan } => self.form(now, island, plan),
        }
    }

    fn queue(&mut self, now: Duration, nodeid: u32, packet: Packet) {
        self.machine(nodeid).outgoing.push_back(packet);
        self.ask_for_turn(now, nodeid);
    }

    fn ask_for_turn(&mut self, now: Duration, nodeid: u32) {
        let wait = self.random.time(self.pace.rotation.clone());
        let machine = self.machine(nodeid);
        if machine.orders() && !machine.outgoing.is_empty() && !machine.turn_planned {
            machine.turn_planned = true;
            let at = now.max(machine.blocked_until) + wait;
            self.effects.push_back(BusEffect::Later(at, BusEvent::Token(nodeid)));
        }
    }

    /// The machine puts what it has taken into the order of its ring.
    fn turn(&mut self, now: Duration, nodeid: u32) {
        let machine = self.machine(nodeid);
        machine.turn_planned = false;
        if !machine.orders() || now < machine.blocked_until {
            return self.ask_for_turn(now, nodeid);
        }
        let ring = machine.ring;
        for _ in 0..TURN {
            let Some(packet) = self.machine(nodeid).outgoing.pop_front() else { break };
            let place = self.counted();
            for receiver in self.rings.get(&ring).cloned().into_iter().flatten() {
                let travel = self.random.time(self.pace.travel.clone());
                let at = self.machine(receiver).send(now + travel, place, nodeid, packet.clone());
                self.effects.push_back(BusEffect::Later(at, BusEvent::Arrive(receiver)));
            }
        }
        self.ask_for_turn(now, nodeid);
    }

    fn arrive(&mut self, now: Duration, nodeid: u32) {
        while let Some(packet) = self.machine(nodeid).next_arrival(now) {
            self.take_effect(nodeid, packet);
        }
    }

    /// An ordered packet has come to its place at a machine.
    fn take_effect(&mut self, nodeid: u32, packet: Packet) {
        let machine = self.machine(nodeid);
        let (heard, left) = match packet {
            Packet::Say(from, payload) => (Some(Incoming::Delivered { from, payload }), None),
            Packet::Join(member, connection) => (machine.add(nodeid, member, connection), Some(vec![])),
            Packet::Leave(member) => (machine.remove(member), Some(vec![member])),
        };
        if let Some(heard) = heard {
            self.hand_to_all(nodeid, &heard);
        }
        if let Some(left) = left {
            self.effects.push_back(BusEffect::Seen { nodeid, left });
        }
    }

    fn hand_to_all(&mut self, nodeid: u32, heard: &Incoming) {
        let pids: Vec<u32> = self.machine(nodeid).listeners().collect();
        for pid in pids {
            self.effects.push_back(BusEffect::Hand(Member { nodeid, pid }, heard.clone()));
        }
    }

    fn counted(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn machine(&mut self, nodeid: u32) -> &mut Machine {
        self.machines.get_mut(&nodeid).expect("nodeids are those of the site's machines")
    }
}

/// Views.
impl Bus {
    /// The group as a machine sees it.
    pub(crate) fn group(&self, nodeid: u32) -> &BTreeSet<Member> {
        &self.machines[&nodeid].group
    }

    /// Whether a corosync runs there, and is not stopped.
    pub(crate) fn is_well(&self, nodeid: u32) -> bool {
        let machine = &self.machines[&nodeid];
        machine.running && !machine.frozen
    }

    /// Whether nothing has cut these machines off from each other, noticed or not.
    pub(crate) fn is_in_reach(&self, one: u32, other: u32) -> bool {
        self.machines[&one].island == self.machines[&other].island
    }

    /// Whether a corosync runs there, stopped or not.
    pub(crate) fn is_running(&self, nodeid: u32) -> bool {
        self.machines[&nodeid].running
    }

    /// Whether a process has a connection, joined or not.
    pub(crate) fn is_connected(&self, member: Member) -> bool {
        self.machines[&member.nodeid].is_connected(member.pid)
    }

    /// Whether some ring is about to form.
    pub(crate) fn is_forming(&self) -> bool {
        !self.plans.is_empty()
    }
}

#[cfg(test)]
mod tests;

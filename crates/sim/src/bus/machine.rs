//! One machine's corosync: what its processes have handed it, what is on the way to it, and the group as it sees it.

use presence::{Arrival, Member};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// What a process in the group hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Incoming {
    /// The membership changed.
    Configuration { members: Vec<Member>, joined: Vec<(Member, Arrival)>, left: Vec<Member> },
    /// A member, perhaps the process itself, said something.
    Delivered { from: Member, payload: Rc<[u8]> },
    /// corosync is gone.
    Closed,
}

/// What is put in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Packet {
    Say(Member, Rc<[u8]>),
    /// A process came, through this connection.
    Join(Member, u64),
    /// A process left or died.
    Leave(Member),
}

pub(super) struct Machine {
    pub(super) running: bool,
    /// Stopped by a signal: takes what fits into its memory, and does nothing.
    pub(super) frozen: bool,
    /// Machines of one island can reach each other.
    pub(super) island: u32,
    pub(super) ring: u64,
    /// The ring has come apart or is to grow: nothing is ordered.
    pub(super) forming: bool,
    /// Whether messages are taken while a ring forms.
    pub(super) takes_while_forming: bool,
    /// Nobody may send before.
    pub(super) blocked_until: Duration,
    /// The probability with which a message is refused, or taken and dropped.
    pub(super) refusal: f64,
    pub(super) swallowing: f64,
    pub(super) outgoing: VecDeque<Packet>,
    pub(super) turn_planned: bool,
    pub(super) transit: VecDeque<Transit>,
    /// The place in the order of the last packet that took effect here.
    pub(super) reached: u64,
    pub(super) group: BTreeSet<Member>,
    connections: BTreeMap<u32, Connection>,
}

/// A packet on its way to a machine.
pub(super) struct Transit {
    at: Duration,
    pub(super) place: u64,
    pub(super) sender: u32,
    /// It did not get through before its sender's machine was out of reach.
    pub(super) held: bool,
    packet: Packet,
}

struct Connection {
    number: u64,
    joined: bool,
}

impl Machine {
    pub(super) fn new() -> Self {
        Self {
            running: false,
            frozen: false,
            island: 0,
            ring: 0,
            forming: false,
            takes_while_forming: true,
            blocked_until: Duration::ZERO,
            refusal: 0.0,
            swallowing: 0.0,
            outgoing: VecDeque::new(),
            turn_planned: false,
            transit: VecDeque::new(),
            reached: 0,
            group: BTreeSet::new(),
            connections: BTreeMap::new(),
        }
    }

    /// Whether it can put something in order now, but for a block.
    pub(super) fn orders(&self) -> bool {
        self.running && !self.frozen && !self.forming
    }

    /// Whether it takes a message from a process.
    pub(super) fn takes(&self, now: Duration) -> bool {
        let room = self.outgoing.len() < super::BACKLOG;
        let forms = self.forming && !self.takes_while_forming;
        room && (self.frozen || (now >= self.blocked_until && !forms))
    }

    /// Lets a packet travel; nothing overtakes. Returns when it arrives.
    pub(super) fn send(&mut self, at: Duration, place: u64, sender: u32, packet: Packet) -> Duration {
        let at = self.transit.back().map_or(at, |last| last.at.max(at));
        self.transit.push_back(Transit { at, place, sender, held: false, packet });
        at
    }

    /// The next packet that has arrived.
    pub(super) fn next_arrival(&mut self, now: Duration) -> Option<Packet> {
        let here = |transit: &Transit| transit.at <= now && !transit.held;
        if !self.running || self.frozen || !self.transit.front().is_some_and(here) {
            return None;
        }
        let transit = self.transit.pop_front()?;
        self.reached = transit.place;
        Some(transit.packet)
    }

    /// Everything on the way that got through, whatever its time.
    pub(super) fn flush(&mut self) -> Vec<Packet> {
        let transit = std::mem::take(&mut self.transit);
        if let Some(last) = transit.back() {
            self.reached = last.place;
        }
        transit.into_iter().filter(|transit| !transit.held).map(|transit| transit.packet).collect()
    }

    pub(super) fn connect(&mut self, pid: u32, number: u64) {
        self.connections.insert(pid, Connection { number, joined: false });
    }

    /// Ends a process's connection; tells whether it had one.
    pub(super) fn disconnect(&mut self, pid: u32) -> bool {
        self.connections.remove(&pid).is_some()
    }

    pub(super) fn is_connected(&self, pid: u32) -> bool {
        self.connections.contains_key(&pid)
    }

    /// The processes of this machine that are in the group.
    pub(super) fn listeners(&self) -> impl Iterator<Item = u32> {
        self.connections.iter().filter(|(_, connection)| connection.joined).map(|(pid, _)| *pid)
    }

    /// A process has joined. Returns what is heard of it.
    pub(super) fn add(&mut self, nodeid: u32, member: Member, number: u64) -> Option<Incoming> {
        if !self.group.insert(member) {
            return None;
        }
        if member.nodeid == nodeid
            && let Some(connection) =
                self.connections.get_mut(&member.pid).filter(|connection| connection.number == number)
        {
            connection.joined = true;
        }
        Some(self.configuration(vec![(member, Arrival::Process)], vec![]))
    }

    /// A process has left. Returns what is heard of it.
    pub(super) fn remove(&mut self, member: Member) -> Option<Incoming> {
        self.group.remove(&member).then(|| self.configuration(vec![], vec![member]))
    }

    pub(super) fn configuration(&self, joined: Vec<(Member, Arrival)>, left: Vec<Member>) -> Incoming {
        Incoming::Configuration { members: self.group.iter().copied().collect(), joined, left }
    }

    /// corosync ends, and all that it held with it. Returns the processes that lose it.
    pub(super) fn stop(&mut self) -> Vec<u32> {
        let pids = self.connections.keys().copied().collect();
        let (island, refusal, swallowing) = (self.island, self.refusal, self.swallowing);
        *self = Self { island, refusal, swallowing, turn_planned: self.turn_planned, ..Self::new() };
        pids
    }
}

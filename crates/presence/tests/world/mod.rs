//! What the scenarios drive a node with.

#![allow(dead_code, unused_imports, reason = "each test program needs a part of it")]

pub(crate) mod sites;

pub(crate) use presence::{
    Arrival, Change, Config, Device, DeviceState, Drop, Eid, Holder, Input, Mailbox, Member, Message,
    MessageCounts, Node, Note, Outcome, Output, Pattern, Refusal, ServerConfig, ServerId, ServerStates,
    Stamp, Summary, Wakeup,
};
pub(crate) use std::time::Duration;

pub(crate) const NODE: Eid = Eid([2, 0, 0, 0, 1, 0x21]);
pub(crate) const PBX1: Eid = Eid([2, 0, 0, 0, 1, 1]);
pub(crate) const PBX2: Eid = Eid([2, 0, 0, 0, 1, 2]);
pub(crate) const PBX3: Eid = Eid([2, 0, 0, 0, 1, 3]);
pub(crate) const PBX4: Eid = Eid([2, 0, 0, 0, 1, 4]);
pub(crate) const STARTED: Duration = Duration::from_micros(INCARNATION);
pub(crate) const INCARNATION: u64 = 1_700_000_000_000_000;
pub(crate) const ME: Member = Member { nodeid: 21, pid: 1 };
pub(crate) const ONE: Member = Member { nodeid: 1, pid: 7 };
pub(crate) const TWO: Member = Member { nodeid: 2, pid: 7 };
/// A process beside pbx1 that says nothing.
pub(crate) const HELPER: Member = Member { nodeid: 1, pid: 8 };
pub(crate) const OTHER: Member = Member { nodeid: 22, pid: 1 };
pub(crate) const OTHER_NODE: Eid = Eid([2, 0, 0, 0, 1, 0x22]);
pub(crate) const FIRST: ServerId = ServerId(0);
pub(crate) const SECOND: ServerId = ServerId(1);

/// A node with what a test needs to drive it. What comes out keeps no stamps: they are judged where they matter.
pub(crate) struct World {
    pub(crate) node: Node,
    pub(crate) now: Duration,
    pub(crate) last: Option<Message>,
}

impl World {
    pub(crate) fn outside(servers: Vec<ServerConfig>) -> Self {
        let node = Node::new(Config { servers, ..config() });
        Self { node, now: Duration::from_secs(60), last: None }
    }

    /// A node in the group, synced, with two servers that answer.
    pub(crate) fn in_group(others: &[Member]) -> Self {
        let mut world = Self::outside(config().servers);
        world.input(Input::Alive(FIRST));
        world.input(Input::Alive(SECOND));
        world.input(Input::Joined { me: ME, members: [&[ME], others].concat() });
        world.run();
        world
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.node.handle(self.now, input);
    }

    pub(crate) fn deliver(&mut self, from: Member, message: Message) {
        self.input(Input::Delivered { from, message });
    }

    pub(crate) fn came(&mut self, member: Member, arrival: Arrival) {
        self.input(Input::Changed { joined: vec![(member, arrival)], left: vec![] });
    }

    pub(crate) fn left(&mut self, member: Member) {
        self.input(Input::Changed { joined: vec![], left: vec![member] });
    }

    /// Reports, and takes the answer out of what the node wants done.
    pub(crate) fn report(&mut self, server: ServerId, eid: Eid, change: Change) -> Result<(), Refusal> {
        self.input(Input::Report { server, report: 7, eid, change });
        let outputs = std::iter::from_fn(|| match self.node.poll_output(self.now)? {
            Output::Answer { report: 7, verdict, .. } => Some(Err(verdict)),
            Output::Note(_) => Some(Ok(())),
            output @ (Output::Multicast(_)
            | Output::Touch
            | Output::Publish { .. }
            | Output::RequestRefresh { .. }
            | Output::Answer { .. }) => panic!("{output:?} comes before the answer"),
        });
        outputs.filter_map(Result::err).next().expect("every report is answered")
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += time;
        self.node.handle_timeout(self.now);
    }

    /// The effects of now, but the notes and what nodes tell each other; nothing is confirmed.
    pub(crate) fn effects(&mut self) -> Vec<Output> {
        let outputs: Vec<_> = std::iter::from_fn(|| self.next()).collect();
        outputs
            .into_iter()
            .filter(|output| !matches!(output, Output::Note(_)) && !is_digest(output))
            .collect()
    }

    pub(crate) fn notes(&mut self) -> Vec<Note> {
        let outputs = std::iter::from_fn(|| self.node.poll_output(self.now));
        let note = |output| if let Output::Note(note) = output { Some(note) } else { None };
        outputs.filter_map(note).collect()
    }

    /// Carries out and confirms every effect until none is left; returns them, but the notes and what nodes tell each other.
    pub(crate) fn run(&mut self) -> Vec<Output> {
        let mut all = Vec::new();
        while let Some(output) = self.next() {
            match &output {
                Output::Multicast(_) => {
                    let message = self.last.take().expect("it has just been sent");
                    self.deliver(ME, message);
                }
                Output::Publish { server, .. } | Output::RequestRefresh { server } => {
                    self.input(Input::Settled { server: *server, outcome: Outcome::Accepted });
                }
                Output::Note(_) => continue,
                Output::Touch | Output::Answer { .. } => {}
            }
            if !is_digest(&output) {
                all.push(output);
            }
        }
        all
    }

    /// The next effect without its stamp; the message as it was sent is kept.
    pub(crate) fn next(&mut self) -> Option<Output> {
        let output = self.node.poll_output(self.now)?;
        let Output::Multicast(mut message) = output else { return Some(output) };
        self.last = Some(message.clone());
        if let Message::Change { stamp, .. } | Message::Withdrawal { stamp, .. } = &mut message {
            assert!(stamp.take().is_some(), "every word of a node has a stamp");
        }
        Some(Output::Multicast(message))
    }
}

pub(crate) fn is_digest(output: &Output) -> bool {
    matches!(output, Output::Multicast(Message::Digest { .. }))
}

pub(crate) fn config() -> Config {
    let server = |eid| ServerConfig { eid: Some(eid), ..ServerConfig::default() };
    Config { servers: vec![server(PBX3), server(PBX4)], ..Config::new(NODE, "192.0.2.21", STARTED) }
}

pub(crate) fn lamp(state: DeviceState) -> Change {
    device("Custom:lamp", state)
}

pub(crate) fn device(name: &str, state: DeviceState) -> Change {
    Change::DeviceState { device: Device::new(name).expect("a name"), state, cachable: true }
}

pub(crate) fn light(new: u32) -> Change {
    Change::Mwi {
        mailbox: Mailbox::new("100@default").expect("a name"),
        counts: MessageCounts { new, old: 0 },
    }
}

pub(crate) fn said(eid: Eid, change: Change) -> Message {
    Message::Change { eid, change, stamp: None }
}

/// The word of a node.
pub(crate) fn stamped(eid: Eid, change: Change, sequence: u64) -> Message {
    Message::Change { eid, change, stamp: Some(Stamp { incarnation: 1, sequence, time: 0 }) }
}

pub(crate) fn taken_back(eid: Eid, change: Change) -> Message {
    Message::Withdrawal { eid, change, stamp: None }
}

pub(crate) fn publish(server: ServerId, eid: Eid, change: Change) -> Output {
    Output::Publish { server, eid, change }
}

/// How a member introduces itself; a node with its incarnation.
pub(crate) fn discovery(eid: Eid, nodeid: u32, node: Option<u64>) -> Message {
    Message::Discovery { eid, nodeid, address: "192.0.2.1".into(), node }
}

pub(crate) fn introduction() -> Message {
    Message::Discovery { eid: NODE, nodeid: 21, address: "192.0.2.21".into(), node: Some(INCARNATION) }
}

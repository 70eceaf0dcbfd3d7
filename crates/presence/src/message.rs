//! What members of the cluster tell each other.

use crate::link::{Frame, Statement};
use crate::{Device, DeviceState, Eid, Mailbox};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// Counts of a mailbox; a new message lights the message-waiting indication (MWI).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct MessageCounts {
    /// Messages nobody has heard.
    pub new: u32,
    /// Messages kept after hearing.
    pub old: u32,
}

/// A state that one server originates: the unit that travels, and the value that is kept.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Change {
    /// The server's state of a device.
    DeviceState {
        /// The device.
        device: Device,
        /// Its state at this server.
        state: DeviceState,
        /// Whether the state is to be remembered; a state that is not (`Local/…`) flashes through watchers.
        cachable: bool,
    },
    /// The server's counts of a mailbox.
    Mwi {
        /// The mailbox.
        mailbox: Mailbox,
        /// Its counts.
        counts: MessageCounts,
    },
}

/// What a [`Change`] is about: two changes with the same subject from the same server replace each other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Subject {
    /// A device.
    Device(Device),
    /// A mailbox.
    Mailbox(Mailbox),
}

impl Change {
    /// Which kind of message carries it.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::DeviceState { .. } => Kind::DeviceState,
            Self::Mwi { .. } => Kind::Mwi,
        }
    }

    /// The same, to be remembered.
    #[must_use]
    pub fn remembered(self) -> Self {
        match self {
            Self::DeviceState { device, state, .. } => Self::DeviceState { device, state, cachable: true },
            Self::Mwi { .. } => self,
        }
    }

    /// Whether it lights nothing.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        match self {
            Self::DeviceState { state, .. } => !state.is_lit(),
            Self::Mwi { counts, .. } => counts.new == 0,
        }
    }

    /// The name of the device or mailbox.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::DeviceState { device, .. } => device.as_str(),
            Self::Mwi { mailbox, .. } => mailbox.as_str(),
        }
    }

    /// What the change is about.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self {
            Self::DeviceState { device, .. } => Subject::Device(device.clone()),
            Self::Mwi { mailbox, .. } => Subject::Mailbox(mailbox.clone()),
        }
    }
}

/// What a node adds to the words of its servers; a stock server skips it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Stamp {
    /// Which run of the node it is: the microsecond since 1970 in which it started.
    pub incarnation: u64,
    /// Counts the node's words in the order in which it sends them. Of two words about one subject the one with the
    /// higher number is the newer.
    pub sequence: u64,
    /// When the server said it, in microseconds since 1970 by its node's clock.
    pub time: u64,
}

/// How far a node had come with the words of one of its servers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Summary {
    /// The server.
    pub eid: Eid,
    /// The [`Stamp::sequence`] of its last word that was delivered before the group's latest newcomer came; 0 when none was.
    pub sequence: u64,
}

/// One message on the group. Stock `res_corosync` sends and takes the same, but for [`Digest`](Self::Digest),
/// [`States`](Self::States), [`Request`](Self::Request) and [`Link`](Self::Link), which it ignores.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// A state of the server with this EID (events DEVICE_STATE_CHANGE and MWI).
    Change {
        /// The server.
        eid: Eid,
        /// Its state.
        change: Change,
        /// Set by nodes.
        stamp: Option<Stamp>,
    },
    /// A state is taken back (the same two events): by the server's own node, or by a node that has survived the server.
    /// To a stock server it is a state like any other, so it holds the value that lights nothing.
    Withdrawal {
        /// The server whose state it was.
        eid: Eid,
        /// What it becomes.
        change: Change,
        /// Set by nodes.
        stamp: Option<Stamp>,
    },
    /// The sender's own aggregate of a device (event DEVICE_STATE). Every stock server sends it and none reads
    /// it; it must never enter a table.
    Aggregate {
        /// The sender.
        eid: Eid,
        /// The device.
        device: Device,
        /// The aggregate at the sender.
        state: DeviceState,
    },
    /// A sign of life that an operator asked for (`corosync ping`).
    Ping {
        /// The sender.
        eid: Eid,
    },
    /// The sender introduces itself to members that do not know it, and they answer in kind.
    Discovery {
        /// The sender.
        eid: Eid,
        /// Its corosync nodeid.
        nodeid: u32,
        /// Its address as text; Asterisk crashes on a discovery without one.
        address: Box<str>,
        /// The sender's incarnation, if it is a node.
        node: Option<u64>,
    },
    /// A node says how far it has come, so that other nodes see what they lack of its servers.
    Digest {
        /// The node.
        eid: Eid,
        /// Its incarnation.
        incarnation: u64,
        /// Each server that it speaks for.
        summaries: Vec<Summary>,
        /// The nodes whose request it had fulfilled before, by the number of the request.
        answered: Vec<(Eid, u64)>,
    },
    /// Many states of a server in one message, for nodes that have requested them.
    States {
        /// The server.
        eid: Eid,
        /// States that may be remembered, each with its origin time as in [`Stamp::time`].
        states: Vec<(Change, u64)>,
        /// Of all of them but for their time.
        stamp: Stamp,
    },
    /// A node says what a server elsewhere says, or that it says it no more (events DEVICE_STATE_CHANGE and MWI).
    Told(Statement),
    /// A node tells other nodes of the group what nodes of different sites tell each other.
    Link {
        /// The node.
        eid: Eid,
        /// What it tells.
        frame: Box<Frame>,
    },
    /// A node wants to hear all states of servers, from the nodes that speak for them.
    Request {
        /// The node that asks.
        eid: Eid,
        /// Counts its requests.
        number: u64,
        /// The servers.
        wanted: Vec<Eid>,
    },
}

impl Message {
    /// Which kind of message it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Change { change, .. } => change.kind(),
            Self::Told(statement) if statement.withdrawn => Kind::Withdrawal,
            Self::Told(statement) => statement.change.kind(),
            Self::Withdrawal { .. } => Kind::Withdrawal,
            Self::Aggregate { .. } => Kind::Aggregate,
            Self::Ping { .. } => Kind::Ping,
            Self::Discovery { .. } => Kind::Discovery,
            Self::Digest { .. } => Kind::Digest,
            Self::States { .. } => Kind::States,
            Self::Link { .. } => Kind::Link,
            Self::Request { .. } => Kind::Request,
        }
    }

    /// Whose word the message is.
    #[must_use]
    pub const fn eid(&self) -> Eid {
        match self {
            Self::Change { eid, .. }
            | Self::Withdrawal { eid, .. }
            | Self::Aggregate { eid, .. }
            | Self::Ping { eid }
            | Self::Discovery { eid, .. }
            | Self::Digest { eid, .. }
            | Self::States { eid, .. }
            | Self::Link { eid, .. }
            | Self::Request { eid, .. } => *eid,
            Self::Told(statement) => statement.eid,
        }
    }
}

/// The kinds of [`Message`], for counters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A device state of one server.
    DeviceState,
    /// Message counts of one server.
    Mwi,
    /// A state that is taken back.
    Withdrawal,
    /// A sender's aggregate.
    Aggregate,
    /// A sign of life.
    Ping,
    /// An introduction.
    Discovery,
    /// How far a node has come.
    Digest,
    /// Many states of one server.
    States,
    /// A node lacks states.
    Request,
    /// What nodes of different sites tell each other, too.
    Link,
}

impl Kind {
    /// Every kind, for counters that start at zero.
    pub const ALL: [Self; 10] = [
        Self::DeviceState,
        Self::Mwi,
        Self::Withdrawal,
        Self::Aggregate,
        Self::Ping,
        Self::Discovery,
        Self::Digest,
        Self::States,
        Self::Request,
        Self::Link,
    ];

    /// The kind as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeviceState => "device_state",
            Self::Mwi => "mwi",
            Self::Withdrawal => "withdrawal",
            Self::Aggregate => "aggregate",
            Self::Ping => "ping",
            Self::Discovery => "discovery",
            Self::Digest => "digest",
            Self::States => "states",
            Self::Request => "request",
            Self::Link => "link",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! What members of the cluster tell each other.

use crate::{Device, DeviceState, Eid, Mailbox};
use alloc::boxed::Box;
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
    /// What the change is about.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self {
            Self::DeviceState { device, .. } => Subject::Device(device.clone()),
            Self::Mwi { mailbox, .. } => Subject::Mailbox(mailbox.clone()),
        }
    }
}

/// One message on the group, as stock `res_corosync` sends and takes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// A state of the server with this EID (events DEVICE_STATE_CHANGE and MWI).
    Change {
        /// The server.
        eid: Eid,
        /// Its state.
        change: Change,
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
    },
}

impl Message {
    /// Which kind of message it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Change { change: Change::DeviceState { .. }, .. } => Kind::DeviceState,
            Self::Change { change: Change::Mwi { .. }, .. } => Kind::Mwi,
            Self::Aggregate { .. } => Kind::Aggregate,
            Self::Ping { .. } => Kind::Ping,
            Self::Discovery { .. } => Kind::Discovery,
        }
    }

    /// Whose word the message is.
    #[must_use]
    pub const fn eid(&self) -> Eid {
        match self {
            Self::Change { eid, .. }
            | Self::Aggregate { eid, .. }
            | Self::Ping { eid }
            | Self::Discovery { eid, .. } => *eid,
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
    /// A sender's aggregate.
    Aggregate,
    /// A sign of life.
    Ping,
    /// An introduction.
    Discovery,
}

impl Kind {
    /// The kind as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeviceState => "device_state",
            Self::Mwi => "mwi",
            Self::Aggregate => "aggregate",
            Self::Ping => "ping",
            Self::Discovery => "discovery",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! What is spoken of, and how it is called on the wire.

use presence::{Change, Device, DeviceState, Eid, Mailbox, MessageCounts};
use std::fmt;

/// A subject of the simulated site, small enough to be copied.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Topic {
    /// A device that has a hint everywhere.
    Device(u16),
    /// A device that concerns nobody but its own server, never cachable.
    Ephemeral(u16),
    /// A mailbox.
    Mailbox(u16),
}

/// What is said of a topic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Value {
    /// Of a device.
    State(DeviceState),
    /// Of a mailbox.
    Counts(MessageCounts),
}

/// A topic with its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Word {
    pub(crate) topic: Topic,
    pub(crate) value: Value,
}

impl Topic {
    /// The topic of this device name; none, if the site has no such device.
    pub(crate) fn of_device(name: &str) -> Option<Self> {
        let device = name.strip_prefix("PJSIP/").map(|number| number.parse().ok().map(Self::Device));
        let ephemeral = name
            .strip_prefix("Local/")
            .map(|number| number.strip_suffix("@office")?.parse().ok().map(Self::Ephemeral));
        device.or(ephemeral).flatten().filter(|topic: &Self| topic.name() == name)
    }

    /// The topic of this mailbox; none, if the site has no such mailbox.
    pub(crate) fn of_mailbox(name: &str) -> Option<Self> {
        let topic = name.strip_suffix("@default")?.parse().ok().map(Self::Mailbox)?;
        (topic.name() == name).then_some(topic)
    }

    /// The topic's name on the wire.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Device(number) => format!("PJSIP/{number}"),
            Self::Ephemeral(number) => format!("Local/{number}@office"),
            Self::Mailbox(number) => format!("{number}@default"),
        }
    }

    /// Whether a server remembers what is said of it.
    pub(crate) fn is_cachable(self) -> bool {
        !matches!(self, Self::Ephemeral(_))
    }
}

impl Value {
    /// The value that lights nothing, with which a node takes a state back.
    pub(crate) fn withdrawn(topic: Topic) -> Self {
        match topic {
            Topic::Device(_) | Topic::Ephemeral(_) => Self::State(DeviceState::Unavailable),
            Topic::Mailbox(_) => Self::Counts(MessageCounts::default()),
        }
    }

    /// Whether it lights a lamp.
    pub(crate) fn is_lit(self) -> bool {
        match self {
            Self::State(state) => matches!(
                state,
                DeviceState::InUse
                    | DeviceState::Busy
                    | DeviceState::Ringing
                    | DeviceState::RingInUse
                    | DeviceState::OnHold
            ),
            Self::Counts(counts) => counts.new > 0,
        }
    }

    /// The value as people see it: a device that nobody can reach looks the same whoever says so and why.
    pub(crate) fn shown(self) -> Self {
        match self {
            Self::State(DeviceState::Unknown | DeviceState::Invalid) => Self::State(DeviceState::Unavailable),
            Self::State(_) | Self::Counts(_) => self,
        }
    }
}

impl Word {
    /// The word as the core has it; `None` when it is of a subject that the site does not have.
    pub(crate) fn of(change: &Change) -> Option<Self> {
        match change {
            Change::DeviceState { device, state, .. } => {
                Some(Self { topic: Topic::of_device(device.as_str())?, value: Value::State(*state) })
            }
            Change::Mwi { mailbox, counts } => {
                Some(Self { topic: Topic::of_mailbox(mailbox.as_str())?, value: Value::Counts(*counts) })
            }
        }
    }

    /// The word as the core takes it.
    pub(crate) fn change(self) -> Change {
        match self.value {
            Value::State(state) => {
                let device = Device::new(&self.topic.name()).expect("the site's devices have legal names");
                Change::DeviceState { device, state, cachable: self.topic.is_cachable() }
            }
            Value::Counts(counts) => {
                let mailbox =
                    Mailbox::new(&self.topic.name()).expect("the site's mailboxes have legal names");
                Change::Mwi { mailbox, counts }
            }
        }
    }
}

/// The EID of the server with this number.
pub(crate) fn server_eid(number: usize) -> Eid {
    let [high, low] = u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes();
    Eid([2, 0, 0, 1, high, low])
}

/// The EID of the node with this number.
pub(crate) fn node_eid(number: usize) -> Eid {
    let [high, low] = u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes();
    Eid([2, 0, 0, 9, high, low])
}

/// The number of the server with this EID; none, if it is no server's.
pub(crate) fn server_number(eid: Eid) -> Option<usize> {
    match eid.0 {
        [2, 0, 0, 1, high, low] => Some(usize::from(u16::from_be_bytes([high, low]))),
        _ => None,
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => state.fmt(f),
            Self::Counts(counts) => write!(f, "{}/{}", counts.new, counts.old),
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.topic, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_known_by_its_name() {
        assert_eq!(Topic::of_device("PJSIP/7"), Some(Topic::Device(7)));
        assert_eq!(Topic::of_device("Local/7@office"), Some(Topic::Ephemeral(7)));
        assert_eq!(Topic::of_mailbox("7@default"), Some(Topic::Mailbox(7)));
        for stranger in ["PJSIP/07", "PJSIP/", "SIP/7", "Local/7"] {
            assert_eq!(Topic::of_device(stranger), None);
        }
        assert_eq!(Topic::of_mailbox("7@other"), None);
    }

    #[test]
    fn an_eid_tells_which_server_it_is() {
        assert_eq!(server_number(server_eid(300)), Some(300));
        assert_eq!(server_number(node_eid(3)), None);
    }
}

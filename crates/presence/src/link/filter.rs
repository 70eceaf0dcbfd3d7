//! What may pass on the way to a link or a server, or from it.

use crate::{Change, Eid, Pattern};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// What passes; by default everything.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// Of which servers; `None`: of all.
    pub eids: Option<BTreeSet<Eid>>,
    /// What passes if one of these lets it; `None`: all that servers say.
    pub channels: Option<Vec<Channel>>,
}

/// A part of all states.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Channel {
    /// The devices whose states pass; none where the list is empty.
    pub devices: Vec<Pattern>,
    /// The mailboxes whose counts pass; none where the list is empty.
    pub mailboxes: Vec<Pattern>,
}

/// Why something does not pass.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Barred {
    /// The server is not one of those whose states pass.
    Eid,
    /// No channel lets this kind of state pass.
    Kind,
    /// Channels let this kind pass, but no device or mailbox of that name.
    Name,
    /// It has a version of more than a century ahead.
    Clock,
}

impl Barred {
    /// Every reason, for counters that start at zero.
    pub const ALL: [Self; 4] = [Self::Eid, Self::Kind, Self::Name, Self::Clock];

    /// The reason as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eid => "eid",
            Self::Kind => "kind",
            Self::Name => "name",
            Self::Clock => "clock",
        }
    }
}

impl Filter {
    /// Whether a state passes.
    ///
    /// # Errors
    /// The rule that bars it.
    pub fn admit(&self, eid: Eid, change: &Change) -> Result<(), Barred> {
        if self.eids.as_ref().is_some_and(|eids| !eids.contains(&eid)) {
            return Err(Barred::Eid);
        }
        let Some(channels) = &self.channels else { return Ok(()) };
        let patterns = channels.iter().flat_map(|channel| channel.patterns(change));
        let mut reason = Barred::Kind;
        for pattern in patterns {
            if pattern.matches(change.name()) {
                return Ok(());
            }
            reason = Barred::Name;
        }
        Err(reason)
    }
}

impl Channel {
    fn patterns(&self, change: &Change) -> &[Pattern] {
        match change {
            Change::DeviceState { .. } => &self.devices,
            Change::Mwi { .. } => &self.mailboxes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, DeviceState, Mailbox, MessageCounts};
    use std::vec;

    const PBX: Eid = Eid([2, 0, 0, 0, 1, 1]);

    fn lamp(name: &str) -> Change {
        let device = Device::new(name).unwrap();
        Change::DeviceState { device, state: DeviceState::InUse, cachable: true }
    }

    fn light(name: &str) -> Change {
        Change::Mwi { mailbox: Mailbox::new(name).unwrap(), counts: MessageCounts::default() }
    }

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| Pattern::new(text).unwrap()).collect()
    }

    #[test]
    fn what_no_filter_names_passes() {
        assert_eq!(Filter::default().admit(PBX, &lamp("PJSIP/1")), Ok(()));
    }

    #[test]
    fn one_channel_that_lets_it_is_enough() {
        let phones = Channel { devices: patterns(&["PJSIP/1*", "PJSIP/2*"]), mailboxes: vec![] };
        let lamps = Channel { devices: patterns(&["Custom:*"]), mailboxes: vec![] };
        let filter = Filter { eids: None, channels: Some(vec![phones, lamps]) };
        assert_eq!(filter.admit(PBX, &lamp("PJSIP/2001")), Ok(()));
        assert_eq!(filter.admit(PBX, &lamp("Custom:door")), Ok(()));
        assert_eq!(filter.admit(PBX, &lamp("PJSIP/3001")), Err(Barred::Name));
        assert_eq!(filter.admit(PBX, &light("1@default")), Err(Barred::Kind));
    }

    #[test]
    fn servers_that_are_not_named_are_barred_first_and_no_channel_lets_nothing_pass() {
        let filter = Filter { eids: Some([PBX].into()), channels: Some(vec![]) };
        assert_eq!(filter.admit(Eid([9; 6]), &lamp("a")), Err(Barred::Eid));
        assert_eq!(filter.admit(PBX, &lamp("a")), Err(Barred::Kind));
    }
}

//! Where a device state can be seen, and what it looks like there.

use asterisk::ami::HintStatus;
use asterisk::lamp::LampState;
use presence::DeviceState;

/// A server of the configuration, by its position there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct ServerId(pub(crate) usize);

/// A node of the configuration, by its position there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct NodeId(pub(crate) usize);

/// A site: those of one are in one corosync ring, or served by nodes of that ring.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct SiteId(pub(crate) usize);

/// How far a state has come at one server, in the order in which it comes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum At {
    /// The server's aggregate, as AMI tells it (DeviceStateChange).
    Ami,
    /// The hint that follows the device, as AMI tells it (ExtensionStatus).
    Hint,
    /// The lamp of a phone that watches the hint (NOTIFY).
    Lamp,
}

/// One place where a state can be seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Place {
    pub(crate) server: ServerId,
    pub(crate) at: At,
}

/// What a place shows of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Look {
    Device(DeviceState),
    Hint(HintStatus),
    Lamp(LampState),
}

impl At {
    /// What a device in this state looks like there, where the hint follows no other device.
    pub(crate) fn look(self, state: DeviceState) -> Look {
        match self {
            Self::Ami => Look::Device(state),
            Self::Hint => Look::Hint(hint(state)),
            Self::Lamp => Look::Lamp(lamp(state)),
        }
    }
}

impl Look {
    /// True when a device in this state looks like that. Who has no opinion on a device fits every state that lights
    /// no lamp.
    pub(crate) fn fits(self, state: DeviceState) -> bool {
        match self {
            Self::Device(shown) => shown == state || !has_opinion(shown) && !is_lit(state),
            // Idle and Unavailable depend on who pulls what when (a hint of Asterisk 22.10 asks the provider anew).
            Self::Hint(HintStatus::Idle | HintStatus::Unavailable) => !is_lit(state),
            Self::Hint(shown) => shown == hint(state),
            // Asterisk shows ringing while in use as one or the other (notify_early_inuse_ringing).
            Self::Lamp(shown) => {
                shown == lamp(state) || state == DeviceState::RingInUse && shown == LampState::Early
            }
        }
    }

    /// The look in one word, for people.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Device(state) => state.as_str(),
            Self::Hint(status) => status.as_str(),
            Self::Lamp(state) => state.as_str(),
        }
    }
}

/// False for what Asterisk says of a device that it does not know or was not told about.
pub(crate) fn has_opinion(state: DeviceState) -> bool {
    !matches!(state, DeviceState::Unknown | DeviceState::Invalid)
}

fn is_lit(state: DeviceState) -> bool {
    lamp(state) != LampState::Terminated
}

/// Asterisk's table from device state to extension state.
fn hint(state: DeviceState) -> HintStatus {
    match state {
        DeviceState::Unknown | DeviceState::NotInUse => HintStatus::Idle,
        DeviceState::Unavailable | DeviceState::Invalid => HintStatus::Unavailable,
        DeviceState::InUse => HintStatus::InUse,
        DeviceState::Busy => HintStatus::Busy,
        DeviceState::Ringing => HintStatus::Ringing,
        DeviceState::RingInUse => HintStatus::RingInUse,
        DeviceState::OnHold => HintStatus::OnHold,
    }
}

fn lamp(state: DeviceState) -> LampState {
    match state {
        DeviceState::Unknown | DeviceState::Invalid | DeviceState::NotInUse | DeviceState::Unavailable => {
            LampState::Terminated
        }
        DeviceState::Ringing => LampState::Early,
        DeviceState::InUse | DeviceState::Busy | DeviceState::RingInUse | DeviceState::OnHold => {
            LampState::Confirmed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_fits_its_own_look_everywhere() {
        for state in DeviceState::ALL {
            for at in [At::Ami, At::Hint, At::Lamp] {
                assert!(at.look(state).fits(state), "{state} at {at:?}");
            }
        }
    }

    #[test]
    fn no_opinion_fits_whatever_is_unlit() {
        for none in [DeviceState::Unknown, DeviceState::Invalid] {
            assert!(Look::Device(none).fits(DeviceState::Unavailable));
            assert!(!Look::Device(none).fits(DeviceState::Ringing));
        }
        assert!(!Look::Device(DeviceState::NotInUse).fits(DeviceState::Unavailable));
        assert!(!Look::Lamp(LampState::Confirmed).fits(DeviceState::NotInUse));
        assert!(!Look::Hint(HintStatus::InUse).fits(DeviceState::Unknown));
    }
}

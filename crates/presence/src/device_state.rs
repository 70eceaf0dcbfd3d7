//! Device states and their aggregate.

use core::fmt;
use core::str::FromStr;

/// What one server says of one device. The numbers are Asterisk's (`enum ast_device_state`), frozen on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum DeviceState {
    /// The server has no opinion.
    Unknown = 0,
    /// Idle.
    NotInUse = 1,
    /// In a call.
    InUse = 2,
    /// In as many calls as it takes.
    Busy = 3,
    /// The server does not know the device.
    Invalid = 4,
    /// Known but not to be reached.
    Unavailable = 5,
    /// Ringing.
    Ringing = 6,
    /// In a call, and ringing with another.
    RingInUse = 7,
    /// In a call that is on hold.
    OnHold = 8,
}

impl DeviceState {
    /// Every device state, in the order of its number.
    pub const ALL: [Self; 9] = [
        Self::Unknown,
        Self::NotInUse,
        Self::InUse,
        Self::Busy,
        Self::Invalid,
        Self::Unavailable,
        Self::Ringing,
        Self::RingInUse,
        Self::OnHold,
    ];

    /// The state with this number on the wire; `None` for a number that makes Asterisk read past its tables.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The name in AMI, PUBLISH bodies and `DEVICE_STATE()`: `NOT_INUSE`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::NotInUse => "NOT_INUSE",
            Self::InUse => "INUSE",
            Self::Busy => "BUSY",
            Self::Invalid => "INVALID",
            Self::Unavailable => "UNAVAILABLE",
            Self::Ringing => "RINGING",
            Self::RingInUse => "RINGINUSE",
            Self::OnHold => "ONHOLD",
        }
    }

    /// Whether a lamp shows it.
    #[must_use]
    pub const fn is_lit(self) -> bool {
        match self {
            Self::InUse | Self::Busy | Self::Ringing | Self::RingInUse | Self::OnHold => true,
            Self::Unknown | Self::NotInUse | Self::Invalid | Self::Unavailable => false,
        }
    }

    /// How strongly the state counts in an aggregate, lowest first.
    const fn rank(self) -> u8 {
        match self {
            Self::Invalid => 0,
            Self::Unknown => 1,
            Self::Unavailable => 2,
            Self::NotInUse => 3,
            Self::OnHold => 4,
            Self::Ringing => 5,
            Self::InUse => 6,
            Self::Busy => 7,
            Self::RingInUse => 8,
        }
    }
}

impl fmt::Display for DeviceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no device state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "not a device state: want one of UNKNOWN, NOT_INUSE, INUSE, BUSY, INVALID, UNAVAILABLE, RINGING, RINGINUSE, ONHOLD"
)]
pub struct InvalidDeviceState;

impl FromStr for DeviceState {
    type Err = InvalidDeviceState;

    /// Reads a name in any case, as Asterisk does; unlike Asterisk, another text is an error and not UNKNOWN.
    fn from_str(text: &str) -> Result<Self, InvalidDeviceState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str().eq_ignore_ascii_case(text))
            .ok_or(InvalidDeviceState)
    }
}

/// What all servers together say of a device, by Asterisk's rule (`ast_devstate_aggregate_add`): the state
/// of the highest rank wins, and ringing at one server while in use at another is `RingInUse`.
///
/// The rule is a join semilattice with identity [`DeviceState::Invalid`]: order, grouping and repetition of
/// the states do not matter (tests/properties.rs), so any order of arrival ends in the same lamp.
#[must_use]
pub fn aggregate(states: impl IntoIterator<Item = DeviceState>) -> DeviceState {
    let mut strongest = DeviceState::Invalid;
    let (mut ringing, mut in_use) = (false, false);
    for state in states {
        ringing |= state == DeviceState::Ringing;
        in_use |= matches!(state, DeviceState::InUse | DeviceState::OnHold | DeviceState::Busy);
        if state.rank() > strongest.rank() {
            strongest = state;
        }
    }
    if ringing && in_use { DeviceState::RingInUse } else { strongest }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeviceState::*;

    #[test]
    fn numbers_and_names_go_both_ways() {
        for (number, state) in DeviceState::ALL.into_iter().enumerate() {
            assert_eq!(DeviceState::from_number(number as u32), Some(state));
            assert_eq!(state.number(), number as u32);
            assert_eq!(state.as_str().to_ascii_lowercase().parse(), Ok(state));
        }
        assert_eq!(DeviceState::from_number(9), None);
        assert_eq!("IDLE".parse::<DeviceState>(), Err(InvalidDeviceState));
    }

    #[test]
    fn the_busiest_server_wins() {
        assert_eq!(aggregate([]), Invalid);
        assert_eq!(aggregate([Unavailable, NotInUse]), NotInUse);
        assert_eq!(aggregate([NotInUse, InUse, Unknown]), InUse);
        assert_eq!(aggregate([OnHold, NotInUse]), OnHold);
        assert_eq!(aggregate([InUse, Busy]), Busy);
    }

    #[test]
    fn ringing_beside_any_use_is_ring_in_use() {
        for used in [InUse, Busy, OnHold] {
            assert_eq!(aggregate([Ringing, used]), RingInUse);
        }
        assert_eq!(aggregate([RingInUse, NotInUse]), RingInUse);
        assert_eq!(aggregate([Ringing, NotInUse]), Ringing);
    }
}

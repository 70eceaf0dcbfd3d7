//! What a group is made of: its name, its members, and why they come and go.

use std::fmt;
use std::str::FromStr;

/// A process in a group, as corosync names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Member {
    /// The corosync node that the process is connected to.
    pub nodeid: u32,
    /// The process id as the process itself sees it; in a container it is often 1.
    pub pid: u32,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.nodeid, self.pid)
    }
}

/// Why a member joined or left.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// The process joined the group.
    Join,
    /// The process left the group.
    Leave,
    /// The process's node left the cluster, or cannot be reached any more.
    NodeDown,
    /// The process's node joined the cluster, or can be reached again.
    NodeUp,
    /// The process ended without leaving.
    ProcessDown,
    /// A reason that this crate does not know.
    Other(u32),
}

impl Reason {
    pub(crate) fn from_raw(raw: u32) -> Self {
        match raw {
            1 => Self::Join,
            2 => Self::Leave,
            3 => Self::NodeDown,
            4 => Self::NodeUp,
            5 => Self::ProcessDown,
            other => Self::Other(other),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Join => f.write_str("join"),
            Self::Leave => f.write_str("leave"),
            Self::NodeDown => f.write_str("node down"),
            Self::NodeUp => f.write_str("node up"),
            Self::ProcessDown => f.write_str("process down"),
            Self::Other(raw) => write!(f, "reason {raw}"),
        }
    }
}

/// The name of a group: 1 to 128 bytes, compared byte by byte.
///
/// No terminating NUL is implied: a program in C that counts one in the length is in another group.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupName(Vec<u8>);

/// Why something is no group name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GroupNameError {
    /// It has no bytes.
    #[error("a group name cannot be empty")]
    Empty,
    /// It has more than [`GroupName::LENGTH_MAX`] bytes.
    #[error("a group name has at most 128 bytes, this one has {0}")]
    TooLong(usize),
}

impl GroupName {
    /// The longest name, in bytes.
    pub const LENGTH_MAX: usize = 128;

    /// Takes `name` if it has a legal length.
    ///
    /// # Errors
    /// Says whether it is empty or too long.
    pub fn new(name: impl Into<Vec<u8>>) -> Result<Self, GroupNameError> {
        let name = name.into();
        match name.len() {
            0 => Err(GroupNameError::Empty),
            length if length > Self::LENGTH_MAX => Err(GroupNameError::TooLong(length)),
            _ => Ok(Self(name)),
        }
    }

    /// The bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for GroupName {
    type Err = GroupNameError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupName(\"{self}\")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_name_has_1_to_128_bytes() {
        assert_eq!(GroupName::new(""), Err(GroupNameError::Empty));
        assert!(GroupName::new("x").is_ok());
        assert!(GroupName::new(vec![b'x'; 128]).is_ok());
        assert_eq!(GroupName::new(vec![b'x'; 129]), Err(GroupNameError::TooLong(129)));
    }

    #[test]
    fn a_trailing_nul_makes_another_group() {
        let plain: GroupName = "asterisk".parse().unwrap();
        let with_nul = GroupName::new("asterisk\0").unwrap();
        assert_ne!(plain, with_nul);
        assert_eq!(with_nul.to_string(), "asterisk\\x00");
    }

    #[test]
    fn reasons_have_corosyncs_numbers() {
        let known = [Reason::Join, Reason::Leave, Reason::NodeDown, Reason::NodeUp, Reason::ProcessDown];
        for (raw, reason) in (1..).zip(known) {
            assert_eq!(Reason::from_raw(raw), reason);
        }
        assert_eq!(Reason::from_raw(0), Reason::Other(0));
    }
}

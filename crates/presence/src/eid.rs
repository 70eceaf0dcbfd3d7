//! The identity of a server.

use core::fmt;
use core::str::FromStr;

/// The entity identifier (EID) of one Asterisk server or one node: six bytes, unique in the cluster.
///
/// Asterisk takes it from `entityid=` in `asterisk.conf` or else from a network interface's MAC address, and
/// writes it as lower-case `xx:xx:xx:xx:xx:xx` (`core show settings`, "Entity ID").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Eid(pub [u8; 6]);

impl fmt::Display for Eid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Eid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not six colon-separated groups of one or two hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an EID: want six colon-separated hexadecimal bytes, as in 00:11:22:33:44:55")]
pub struct InvalidEid;

impl FromStr for Eid {
    type Err = InvalidEid;

    fn from_str(text: &str) -> Result<Self, InvalidEid> {
        let mut bytes = [0; 6];
        let mut groups = text.split(':');
        for byte in &mut bytes {
            let group = groups.next().ok_or(InvalidEid)?;
            if group.len() > 2 || !group.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(InvalidEid);
            }
            *byte = u8::from_str_radix(group, 16).map_err(|_| InvalidEid)?;
        }
        match groups.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(InvalidEid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn text_is_lower_case_and_short_groups_are_read() {
        let eid: Eid = "0:1:A:ff:4:5".parse().unwrap();
        assert_eq!(eid, Eid([0, 1, 10, 255, 4, 5]));
        assert_eq!(eid.to_string(), "00:01:0a:ff:04:05");
    }

    #[test]
    fn anything_but_six_hexadecimal_groups_is_refused() {
        for text in [
            "",
            "00:11:22:33:44",
            "00:11:22:33:44:55:66",
            "00:11:22:33:44:5g",
            "000:1:2:3:4:5",
            "::::: ",
            "+1:1:1:1:1:1",
        ] {
            assert_eq!(text.parse::<Eid>(), Err(InvalidEid), "{text:?}");
        }
    }
}

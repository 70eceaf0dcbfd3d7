//! Patterns of names: which devices are meant.

use alloc::boxed::Box;
use core::fmt;

/// Devices that concern nobody but their own server, and come and go with each call: half a channel of a `Local/…` call, a lookup
/// by Caller ID. A node neither tells nor takes them unless it is configured otherwise.
pub const EPHEMERAL: [&str; 2] = ["Local/*", "CLIEval/*"];

/// A name in which `*` stands for any text, the empty one included. Case counts, as it does in device names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Pattern(Box<str>);

/// Why a text is no pattern.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidPattern {
    /// The text is empty.
    #[error("the pattern is empty: it would match nothing")]
    Empty,
    /// The text is longer than [`NAME_BYTES_MAX`](crate::NAME_BYTES_MAX).
    #[error("the pattern is longer than any name")]
    TooLong,
}

impl Pattern {
    /// Takes a text as a pattern.
    ///
    /// # Errors
    /// [`InvalidPattern`] when no name could ever match it.
    pub fn new(text: &str) -> Result<Self, InvalidPattern> {
        match text.len() {
            0 => Err(InvalidPattern::Empty),
            length if length > crate::NAME_BYTES_MAX => Err(InvalidPattern::TooLong),
            _ => Ok(Self(text.into())),
        }
    }

    /// Whether the whole name fits.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let mut pieces = self.0.split('*');
        let first = pieces.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let Some(last) = pieces.next_back() else { return rest.is_empty() };
        for piece in pieces {
            // The earliest place leaves the most room for what follows.
            let Some(at) = rest.find(piece) else { return false };
            rest = &rest[at + piece.len()..];
        }
        rest.ends_with(last)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, fitting, others) in [
            ("Local/*", &["Local/1@x", "Local/"][..], &["local/1", "SIP/Local/1", "Local"][..]),
            ("PJSIP/1001", &["PJSIP/1001"], &["PJSIP/10011", "PJSIP/100", ""]),
            ("*", &["", "x"], &[]),
            ("a*b*c", &["abc", "aXbYc", "abbc", "abcbc"], &["acb", "ab", "abcd"]),
            ("ab*ba", &["abba", "abXba"], &["aba"]),
            ("**", &["", "x"], &[]),
        ] {
            let pattern = Pattern::new(pattern).unwrap();
            for name in fitting {
                assert!(pattern.matches(name), "{pattern} and {name}");
            }
            for name in others {
                assert!(!pattern.matches(name), "{pattern} and {name}");
            }
        }
    }

    #[test]
    fn a_pattern_that_no_name_can_match_is_refused() {
        assert_eq!(Pattern::new(""), Err(InvalidPattern::Empty));
        assert_eq!(Pattern::new(&"x".repeat(256)), Err(InvalidPattern::TooLong));
        assert!(EPHEMERAL.iter().all(|pattern| Pattern::new(pattern).is_ok()));
    }
}

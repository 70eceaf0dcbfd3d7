//! One message of AMI: its lines in order, as bytes.

use std::borrow::Cow;
use std::fmt;

/// One message: pairs of key and value in the order they came, repeated keys kept, bytes untouched.
///
/// A line without a colon has an empty key. Keys compare without case, as Asterisk reads them.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Message {
    bytes: Vec<u8>,
    lines: Vec<Line>,
}

/// Where one line's key ends, its value begins and the line ends in `bytes`; it begins where the last one ended.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Line {
    key_end: usize,
    value: usize,
    end: usize,
}

impl Message {
    /// All pairs in order.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.lines.iter().scan(0, |start, line| {
            let key = &self.bytes[*start..line.key_end];
            *start = line.end;
            Some((key, &self.bytes[line.value..line.end]))
        })
    }

    /// Every value of this key, in order.
    pub fn values(&self, key: &str) -> impl Iterator<Item = &[u8]> {
        self.fields().filter(move |(k, _)| k.eq_ignore_ascii_case(key.as_bytes())).map(|(_, value)| value)
    }

    /// The first value of this key.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        self.values(key).next()
    }

    /// The first value of this key for people to read: what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        self.value(key).map(String::from_utf8_lossy)
    }

    /// True when the first value of this key is this text.
    #[must_use]
    pub fn is(&self, key: &str, value: &str) -> bool {
        self.value(key) == Some(value.as_bytes())
    }

    /// True for the answer to an action, which is no event.
    #[must_use]
    pub fn is_response(&self) -> bool {
        self.value("Response").is_some()
    }

    /// True when the action succeeded.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.value("Response").is_some_and(|word| word.eq_ignore_ascii_case(b"Success"))
    }

    /// What the action `Command` printed, line by line.
    pub fn output(&self) -> impl Iterator<Item = &[u8]> {
        self.values("Output")
    }

    /// The memory that it takes, about.
    pub(crate) fn size(&self) -> usize {
        self.bytes.len() + self.lines.len() * size_of::<Line>()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Adds a line without its line end.
    pub(crate) fn push(&mut self, line: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(line);
        let (key, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) if line.get(colon + 1) == Some(&b' ') => (colon, colon + 2),
            Some(colon) => (colon, colon + 1),
            None => (0, 0),
        };
        self.lines.push(Line { key_end: start + key, value: start + value, end: self.bytes.len() });
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes| String::from_utf8_lossy(bytes);
        f.debug_map().entries(self.fields().map(|(key, value)| (text(key), text(value)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(lines: &[&[u8]]) -> Message {
        let mut message = Message::default();
        lines.iter().for_each(|line| message.push(line));
        message
    }

    #[test]
    fn repeated_keys_stay_in_order_and_bytes_stay_as_they_are() {
        let message =
            message(&[b"Event: X", b"Variable: a", b"Odd:b: c", b"VARIABLE:  \xff ", b"no colon", b""]);
        let fields: Vec<_> = message.fields().collect();
        let expected: [(&[u8], &[u8]); 6] = [
            (b"Event", b"X"),
            (b"Variable", b"a"),
            (b"Odd", b"b: c"),
            (b"VARIABLE", b" \xff "),
            (b"", b"no colon"),
            (b"", b""),
        ];
        assert_eq!(fields, expected);
        assert_eq!(message.values("variable").count(), 2);
        assert_eq!(message.text("Variable").as_deref(), Some("a"));
        assert!(message.is("Event", "X") && !message.is_response());
    }

    #[test]
    fn what_is_not_utf_8_is_shown_with_replacements() {
        let message = message(&[b"Response: Success", b"Output: caf\xe9", b"Output: "]);
        assert_eq!(message.text("Output").as_deref(), Some("caf\u{fffd}"));
        assert!(message.is_success());
        assert_eq!(message.output().collect::<Vec<_>>(), [&b"caf\xe9"[..], b""]);
        assert_eq!(format!("{:?}", message), r#"{"Response": "Success", "Output": "caf�", "Output": ""}"#);
    }
}

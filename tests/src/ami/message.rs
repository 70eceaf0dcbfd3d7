//! AMI on the wire: lines of `Name: value`, an empty line ends a message. Bytes and order are kept as they came.

use std::borrow::Cow;
use std::time::Instant;

/// Longer lines are a fault of the peer: `core show hints` of a large server is many lines, not a long one.
const LINE_BYTES_MAX: usize = 64 * 1024;
const MESSAGE_LINES_MAX: usize = 200_000;

/// Name and value.
pub type Field = (Vec<u8>, Vec<u8>);

/// A response or an event, with the instant at which its last byte was read.
#[derive(Clone, Debug)]
pub struct Message {
    /// When it was received.
    pub at: Instant,
    fields: Vec<Field>,
}

impl Message {
    /// The first value of the field, or `None`; bytes that are not UTF-8 are shown as replacement characters.
    pub fn field(&self, name: &str) -> Option<Cow<'_, str>> {
        self.bytes(name).map(String::from_utf8_lossy)
    }

    /// The first value of the field, as it came.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        let mut fields = self.fields.iter();
        fields.find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value.as_slice())
    }

    /// All values of a field that may be repeated (`Output` of the action Command).
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.fields
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value.as_slice())
    }

    /// Whether the field has exactly this value.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.bytes(name) == Some(value.as_bytes())
    }

    /// All fields in the order in which they came.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }
}

/// A line or a message longer than any that Asterisk sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the AMI peer sent a line or a message beyond all bounds")]
pub struct TooLong;

/// Turns pieces of a byte stream into messages.
#[derive(Debug, Default)]
pub struct Decoder {
    line: Vec<u8>,
    fields: Vec<Field>,
}

impl Decoder {
    /// Takes the next piece, received at `at`, and returns the messages that it completes.
    pub fn feed(&mut self, bytes: &[u8], at: Instant) -> Result<Vec<Message>, TooLong> {
        let mut messages = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            self.extend_line(&rest[..end])?;
            rest = &rest[end + 1..];
            if let Some(fields) = self.end_line()? {
                messages.push(Message { at, fields });
            }
        }
        self.extend_line(rest)?;
        Ok(messages)
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + bytes.len() > LINE_BYTES_MAX {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self) -> Result<Option<Vec<Field>>, TooLong> {
        let mut line = std::mem::take(&mut self.line);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.is_empty() {
            let fields = std::mem::take(&mut self.fields);
            return Ok((!fields.is_empty()).then_some(fields));
        }
        if self.fields.len() == MESSAGE_LINES_MAX {
            return Err(TooLong);
        }
        self.fields.push(split(&line));
        Ok(None)
    }
}

/// A line without a colon has no name: it is kept as a value under the empty name.
fn split(line: &[u8]) -> Field {
    let Some(colon) = line.iter().position(|&byte| byte == b':') else {
        return (Vec::new(), line.to_vec());
    };
    let value = &line[colon + 1..];
    (line[..colon].to_vec(), value.strip_prefix(b" ").unwrap_or(value).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] =
        b"Event: DeviceStateChange\r\nPrivilege: call,all\r\nDevice: Custom:l\xe4mp\r\nState: INUSE\r\n\r\n\
        Response: Success\r\nActionID: 7\r\nOutput: a: b\r\nOutput: \r\nOutput:  indented\r\n\r\n";

    #[test]
    fn a_message_keeps_order_bytes_and_repeated_fields() {
        let messages = Decoder::default().feed(TWO, Instant::now()).unwrap();
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].bytes("device"), Some(&b"Custom:l\xe4mp"[..]));
        assert!(messages[0].is("State", "INUSE"));
        assert_eq!(messages[0].fields()[1], (b"Privilege".to_vec(), b"call,all".to_vec()));
        let output: Vec<_> = messages[1].values("Output").collect();
        assert_eq!(output, [&b"a: b"[..], b"", b" indented"]);
    }

    #[test]
    fn pieces_of_any_size_give_the_same_messages() {
        for size in 1..TWO.len() {
            let mut decoder = Decoder::default();
            let messages: Vec<_> = TWO
                .chunks(size)
                .flat_map(|piece| decoder.feed(piece, Instant::now()).unwrap())
                .map(|message| message.fields().to_vec())
                .collect();
            let whole = Decoder::default().feed(TWO, Instant::now()).unwrap();
            assert_eq!(messages, whole.iter().map(|message| message.fields().to_vec()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut decoder = Decoder::default();
        let piece = [b'x'; 4096];
        let refused = (0..100).find_map(|_| decoder.feed(&piece, Instant::now()).err());
        assert_eq!(refused, Some(TooLong));
    }

    #[test]
    fn a_line_without_a_colon_is_kept() {
        let messages = Decoder::default().feed(b"--END COMMAND--\n\n", Instant::now()).unwrap();
        assert_eq!(messages[0].fields(), [(vec![], b"--END COMMAND--".to_vec())]);
    }
}

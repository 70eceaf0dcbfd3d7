//! Actions for AMI: values to bytes, and their names.

use super::message::Message;
use std::fmt;

/// Asterisk drops a longer line, its line end included.
const LINE_BYTES_MAX: usize = 1024;
/// Asterisk drops an action of more lines; two of them are ours.
const FIELDS_MAX: usize = 126;

/// Why an action cannot be sent: Asterisk would read something else than was meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unsendable {
    /// A key that is empty, not plain ASCII or set by the session (Action, ActionID).
    #[error("a key that cannot be sent")]
    Key,
    /// A line break or a zero byte in a value: the rest would be a line of its own, or lost.
    #[error("a line break or a zero byte in a value")]
    Break,
    /// A line or an action longer than Asterisk reads.
    #[error("longer than Asterisk reads")]
    TooLong,
}

/// An action that can be sent as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Action {
    lines: Vec<u8>,
}

/// Without its fields, one of which may be a secret.
impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.lines.split(|byte| *byte == b'\r').next().unwrap_or_default();
        write!(f, "{}", String::from_utf8_lossy(name))
    }
}

impl Action {
    /// The action of this name with these fields, in this order; a key may come more than once.
    ///
    /// # Errors
    /// [`Unsendable`] says why Asterisk would misread it.
    pub fn new<K, V>(name: &str, fields: impl IntoIterator<Item = (K, V)>) -> Result<Self, Unsendable>
    where
        K: AsRef<str>,
        V: AsRef<[u8]>,
    {
        let mut action = Self { lines: Vec::with_capacity(128) };
        action.push("Action", name.as_bytes())?;
        for (count, (key, value)) in fields.into_iter().enumerate() {
            let ours = ["Action", "ActionID"].iter().any(|name| name.eq_ignore_ascii_case(key.as_ref()));
            if ours {
                return Err(Unsendable::Key);
            }
            if count == FIELDS_MAX {
                return Err(Unsendable::TooLong);
            }
            action.push(key.as_ref(), value.as_ref())?;
        }
        Ok(action)
    }

    /// The bytes to send.
    pub(crate) fn encode(&self, id: ActionId) -> Vec<u8> {
        [&self.lines[..], format!("ActionID: {id}\r\n\r\n").as_bytes()].concat()
    }

    fn push(&mut self, key: &str, value: &[u8]) -> Result<(), Unsendable> {
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
            return Err(Unsendable::Key);
        }
        if value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            return Err(Unsendable::Break);
        }
        let line = [key.as_bytes(), b": ", value, b"\r\n"].concat();
        if line.len() > LINE_BYTES_MAX {
            return Err(Unsendable::TooLong);
        }
        self.lines.extend(line);
        Ok(())
    }
}

/// Names one action of a session; its response and the events of its list carry it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ActionId(pub(crate) u64);

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "asterism-{}", self.0)
    }
}

impl ActionId {
    /// The action that a response or an event of a list belongs to.
    #[must_use]
    pub fn of(message: &Message) -> Option<Self> {
        let text = str::from_utf8(message.value("ActionID")?).ok()?;
        let count = text.strip_prefix("asterism-")?;
        count.bytes().all(|byte| byte.is_ascii_digit()).then(|| count.parse().ok().map(Self)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::super::decoder::{Decoder, Piece};
    use super::*;
    use proptest::prelude::*;

    const NOTHING: [(&str, &str); 0] = [];

    #[test]
    fn an_action_is_its_lines_and_its_id() {
        let fields = [("Variable", "DEVICE_STATE(Custom:x)"), ("Value", "INUSE")];
        let action = Action::new("Setvar", fields).unwrap();
        assert_eq!(
            String::from_utf8(action.encode(ActionId(7))).unwrap(),
            "Action: Setvar\r\nVariable: DEVICE_STATE(Custom:x)\r\nValue: INUSE\r\nActionID: asterism-7\r\n\r\n"
        );
        assert_eq!(format!("{action:?}"), "Action: Setvar", "the fields may hold a secret");
    }

    #[test]
    fn what_asterisk_would_misread_is_not_sent() {
        let refused = |key: &str, value: &[u8]| Action::new("Setvar", [(key, value)]).unwrap_err();
        for value in [&b"a\r\nAction: Command"[..], b"a\n", b"a\rb", b"a\0b"] {
            assert_eq!(refused("Value", value), Unsendable::Break);
        }
        for key in ["", "A: b", "A\r\nB", "é", "ActionID", "action"] {
            assert_eq!(refused(key, b"v"), Unsendable::Key);
        }
        assert_eq!(Action::new("Ping\r\nX: y", NOTHING).unwrap_err(), Unsendable::Break);
        assert_eq!(refused("Value", &[b'x'; LINE_BYTES_MAX - 8]), Unsendable::TooLong);
        assert!(Action::new("Setvar", [("Value", [b'x'; LINE_BYTES_MAX - 9])]).is_ok());
        assert_eq!(Action::new("A", [("K", "v"); FIELDS_MAX + 1]).unwrap_err(), Unsendable::TooLong);
    }

    #[test]
    fn only_our_own_ids_are_known() {
        for (text, id) in [
            ("asterism-12", Some(ActionId(12))),
            ("asterism-+1", None),
            ("asterism-99999999999999999999", None),
            ("asterism-", None),
            ("12", None),
        ] {
            let mut message = Message::default();
            message.push(format!("ActionID: {text}").as_bytes());
            assert_eq!(ActionId::of(&message), id, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_value_makes_a_line_of_its_own(value in prop::collection::vec(any::<u8>(), 0..40), key in "[ -~\r\n]{0,12}") {
            if let Ok(action) = Action::new("UserEvent", [(&key, &value)]) {
                let bytes = [&b"banner\r\n"[..], &action.encode(ActionId(1))].concat();
                let (mut decoder, mut rest) = (Decoder::new(), &bytes[..]);
                let Ok(Some(Piece::Banner(_))) = decoder.take(&mut rest) else { panic!("no banner") };
                let Ok(Some(Piece::Message(message))) = decoder.take(&mut rest) else { panic!("no message") };
                prop_assert_eq!(message.fields().count(), 3);
                prop_assert_eq!(message.value(&key), Some(&value[..]));
                prop_assert_eq!(decoder.take(&mut rest), Ok(None));
            }
        }
    }
}

//! The two events that tell states, as values.

use super::message::Message;
use presence::DeviceState;
use std::fmt;

/// What an event says of a state; of this server's aggregate, never of one server's own opinion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// A device has a new state.
    DeviceStateChange {
        /// The device's name.
        device: String,
        /// Its state.
        state: DeviceState,
    },
    /// A hint has a new status.
    ExtensionStatus {
        /// The extension.
        exten: String,
        /// Its context.
        context: String,
        /// The devices that it follows, joined by `&`.
        hint: String,
        /// Its status.
        status: HintStatus,
    },
}

/// An event of a known kind that says nothing valid; nothing is known from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{event} without a valid {field}")]
pub struct Malformed {
    /// The event.
    pub event: &'static str,
    /// The field.
    pub field: &'static str,
}

impl Report {
    /// What this message reports; nothing where it is another event or a response.
    ///
    /// # Errors
    /// [`Malformed`] names the field.
    pub fn read(message: &Message) -> Result<Option<Self>, Malformed> {
        if message.is("Event", "DeviceStateChange") {
            let reader = Reader { message, event: "DeviceStateChange" };
            let (device, state) = (reader.text("Device")?, reader.parsed("State", |text| text.parse().ok())?);
            return Ok(Some(Self::DeviceStateChange { device, state }));
        }
        if message.is("Event", "ExtensionStatus") {
            let reader = Reader { message, event: "ExtensionStatus" };
            return Ok(Some(Self::ExtensionStatus {
                exten: reader.text("Exten")?,
                context: reader.text("Context")?,
                hint: reader.parsed("Hint", |text| Some(text.to_owned()))?,
                status: reader.parsed("Status", |text| HintStatus::from_number(text.parse().ok()?))?,
            }));
        }
        Ok(None)
    }
}

struct Reader<'a> {
    message: &'a Message,
    event: &'static str,
}

impl Reader<'_> {
    /// A text that is there and not empty.
    fn text(&self, field: &'static str) -> Result<String, Malformed> {
        self.parsed(field, |text| (!text.is_empty()).then(|| text.to_owned()))
    }

    fn parsed<T>(&self, field: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Malformed> {
        let text = self.message.value(field).and_then(|value| str::from_utf8(value).ok());
        text.and_then(parse).ok_or(Malformed { event: self.event, field })
    }
}

/// The status of a hint, `enum ast_extension_states` and the two for hints that are gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum HintStatus {
    /// The extension was removed (-2).
    Removed,
    /// Its hint was removed (-1).
    Deactivated,
    /// Idle (0).
    Idle,
    /// In use (1).
    InUse,
    /// Busy (2).
    Busy,
    /// Unavailable (4).
    Unavailable,
    /// Ringing (8).
    Ringing,
    /// In use and ringing (9).
    RingInUse,
    /// On hold (16).
    OnHold,
    /// In use and on hold (17).
    InUseOnHold,
}

impl HintStatus {
    /// All of them with Asterisk's numbers and names for logs and metrics.
    const ALL: [(Self, i32, &str); 10] = [
        (Self::Removed, -2, "removed"),
        (Self::Deactivated, -1, "deactivated"),
        (Self::Idle, 0, "idle"),
        (Self::InUse, 1, "inuse"),
        (Self::Busy, 2, "busy"),
        (Self::Unavailable, 4, "unavailable"),
        (Self::Ringing, 8, "ringing"),
        (Self::RingInUse, 9, "ringinuse"),
        (Self::OnHold, 16, "onhold"),
        (Self::InUseOnHold, 17, "inuse_onhold"),
    ];

    /// The status of this number, which the field Status has.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.iter().find(|(_, n, _)| *n == number).map(|(status, ..)| *status)
    }

    /// The status as a metric label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(status, ..)| *status == self).map_or("", |(.., name)| name)
    }
}

impl fmt::Display for HintStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Report>, Malformed> {
        let mut message = Message::default();
        text.lines().for_each(|line| message.push(line.as_bytes()));
        Report::read(&message)
    }

    #[test]
    fn both_events_become_values() {
        let device = "Custom:lamp".to_owned();
        assert_eq!(
            read("Event: DeviceStateChange\nPrivilege: call,all\nDevice: Custom:lamp\nState: RINGINUSE"),
            Ok(Some(Report::DeviceStateChange { device, state: DeviceState::RingInUse }))
        );
        let (exten, context, hint) = ("lamp".to_owned(), "asterism".to_owned(), "Custom:lamp".to_owned());
        assert_eq!(
            read("Event: ExtensionStatus\nExten: lamp\nContext: asterism\nHint: Custom:lamp\nStatus: 8"),
            Ok(Some(Report::ExtensionStatus { exten, context, hint, status: HintStatus::Ringing }))
        );
        assert_eq!(read("Event: Reload"), Ok(None));
        assert_eq!(read("Response: Success\nStatus: 8"), Ok(None));
    }

    #[test]
    fn a_malformed_event_is_named_by_its_field() {
        let field = |text: &str| read(text).unwrap_err().field;
        assert_eq!(field("Event: DeviceStateChange\nState: INUSE"), "Device");
        assert_eq!(field("Event: DeviceStateChange\nDevice: \nState: INUSE"), "Device");
        assert_eq!(field("Event: DeviceStateChange\nDevice: a\nState: LOUD"), "State");
        let rest = "Exten: 1\nContext: c\nHint: \n";
        assert_eq!(field(&format!("Event: ExtensionStatus\n{rest}Status: 3")), "Status");
        assert_eq!(field(&format!("Event: ExtensionStatus\n{rest}Status: 99999999999")), "Status");
        assert_eq!(field("Event: ExtensionStatus\nExten: 1\nContext: c\nStatus: 0"), "Hint");
    }

    #[test]
    fn every_status_has_its_number_and_its_name() {
        for (status, number, name) in HintStatus::ALL {
            assert_eq!((HintStatus::from_number(number), status.as_str()), (Some(status), name));
        }
    }
}

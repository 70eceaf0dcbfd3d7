//! How a stock server reads an event: trusting, so that some bytes end it.
//!
//! This is a second reader beside `wire`, and not built on it: two must make the same mistake before it goes unnoticed.

use crate::names::{Topic, Value, Word};
use presence::{DeviceState, Eid, MessageCounts};

/// What a stock server makes of bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// A state under this EID.
    State { eid: Eid, word: Word, cachable: bool },
    /// An introduction: the server on this corosync node has this EID.
    Discovery { eid: Eid, nodeid: u32 },
    /// Nothing that the server has a use for.
    Ignored,
}

/// What must never be sent to a server: it ends the process, or makes it believe in something that does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Harm(pub(crate) &'static str);

mod ie {
    pub(super) const NEWMSGS: u16 = 0x01;
    pub(super) const OLDMSGS: u16 = 0x02;
    pub(super) const MAILBOX: u16 = 0x03;
    pub(super) const DEVICE: u16 = 0x07;
    pub(super) const STATE: u16 = 0x08;
    pub(super) const CONTEXT: u16 = 0x09;
    pub(super) const EID: u16 = 0x21;
    pub(super) const LOCAL_ADDR: u16 = 0x2a;
    pub(super) const CACHABLE: u16 = 0x3d;
    pub(super) const NODE_ID: u16 = 0x3e;
}

/// Reads one event as a server with this EID does.
///
/// # Errors
/// [`Harm`], where a server reads outside of what it was given, or of its own tables.
pub(crate) fn read(own: Eid, bytes: &[u8]) -> Result<Event, Harm> {
    let [kind_high, kind_low, length_high, length_low, elements @ ..] = bytes else {
        return Ok(Event::Ignored);
    };
    if usize::from(u16::from_be_bytes([*length_high, *length_low])) != bytes.len() {
        return Err(Harm("a length that is not the message's: it reads on behind its end"));
    }
    let elements = split(elements)?;
    let Some(eid) = elements.iter().find(|(ie, _)| *ie == ie::EID) else {
        return Err(Harm("an event without EID: 16.0 to 16.11 follow a null pointer"));
    };
    let eid = Eid(eid.1.try_into().map_err(|_| Harm("an EID that is not six bytes long"))?);
    if eid == own {
        return Ok(Event::Ignored);
    }
    let elements = Elements(elements);
    match u16::from_be_bytes([*kind_high, *kind_low]) {
        0x06 => elements.device_state(eid),
        0x02 => elements.mailbox(eid),
        0x0d => {
            elements.text(ie::LOCAL_ADDR)?.ok_or(Harm("a discovery without address"))?;
            Ok(Event::Discovery { eid, nodeid: elements.number(ie::NODE_ID)?.unwrap_or(0) })
        }
        0x0e => Err(Harm("event type 0x0e: it reads behind its table")),
        _ => Ok(Event::Ignored),
    }
}

fn split(mut rest: &[u8]) -> Result<Vec<(u16, &[u8])>, Harm> {
    let mut elements = Vec::new();
    while let [ie_high, ie_low, length_high, length_low, payload @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
        let Some((payload, behind)) = payload.split_at_checked(length) else {
            return Err(Harm("an element that ends behind the event"));
        };
        elements.push((u16::from_be_bytes([*ie_high, *ie_low]), payload));
        rest = behind;
    }
    if rest.is_empty() { Ok(elements) } else { Err(Harm("bytes behind the last element")) }
}

struct Elements<'a>(Vec<(u16, &'a [u8])>);

impl<'a> Elements<'a> {
    fn device_state(&self, eid: Eid) -> Result<Event, Harm> {
        let Some(device) = self.text(ie::DEVICE)?.filter(|device| !device.is_empty()) else {
            return Ok(Event::Ignored);
        };
        let number = self.number(ie::STATE)?.unwrap_or(0);
        let state = DeviceState::from_number(number).ok_or(Harm("a state above 8"))?;
        let cachable = self.number(ie::CACHABLE)? == Some(1);
        let topic = Topic::of_device(device).ok_or(Harm("a device that the site does not have"))?;
        Ok(Event::State { eid, word: Word { topic, value: Value::State(state) }, cachable })
    }

    fn mailbox(&self, eid: Eid) -> Result<Event, Harm> {
        let (Some(mailbox), Some(context)) = (self.text(ie::MAILBOX)?, self.text(ie::CONTEXT)?) else {
            return Ok(Event::Ignored);
        };
        let topic = Topic::of_mailbox(&format!("{mailbox}@{context}"));
        let topic = topic.ok_or(Harm("a mailbox that the site does not have"))?;
        let counts = MessageCounts {
            new: self.number(ie::NEWMSGS)?.unwrap_or(0),
            old: self.number(ie::OLDMSGS)?.unwrap_or(0),
        };
        Ok(Event::State { eid, word: Word { topic, value: Value::Counts(counts) }, cachable: true })
    }

    fn first(&self, wanted: u16) -> Option<&'a [u8]> {
        self.0.iter().find(|(ie, _)| *ie == wanted).map(|(_, payload)| *payload)
    }

    fn number(&self, wanted: u16) -> Result<Option<u32>, Harm> {
        let Some(payload) = self.first(wanted) else { return Ok(None) };
        let bytes = payload.try_into().map_err(|_| Harm("a number that is not four bytes long"))?;
        Ok(Some(u32::from_be_bytes(bytes)))
    }

    /// The text behind its hash, up to its NUL.
    fn text(&self, wanted: u16) -> Result<Option<&'a str>, Harm> {
        let Some(payload) = self.first(wanted) else { return Ok(None) };
        match payload {
            [_, _, _, _, text @ .., 0] => {
                std::str::from_utf8(text).map(Some).map_err(|_| Harm("a text that is not UTF-8"))
            }
            _ => Err(Harm("a text without its NUL")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::server_eid;
    use presence::Message;

    fn word() -> Word {
        Word { topic: Topic::Device(7), value: Value::State(DeviceState::Ringing) }
    }

    fn state() -> Vec<u8> {
        let message = Message::Change { eid: server_eid(1), change: word().change(), stamp: None };
        wire::event::encode(&message)
    }

    #[test]
    fn a_server_takes_what_another_says_and_not_what_it_said_itself() {
        let event = Event::State { eid: server_eid(1), word: word(), cachable: true };
        assert_eq!(read(server_eid(0), &state()), Ok(event));
        assert_eq!(read(server_eid(1), &state()), Ok(Event::Ignored));
    }

    #[test]
    fn what_is_known_to_end_a_server_ends_this_one() {
        let mut above = state();
        let at = above.windows(4).position(|four| four == [0, 0x08, 0, 4]).unwrap();
        above[at + 7] = 9;
        assert_eq!(read(server_eid(0), &above), Err(Harm("a state above 8")));
        let discovery = [&[0, 0x0d, 0, 14, 0, 0x21, 0, 6][..], &server_eid(1).0].concat();
        assert_eq!(read(server_eid(0), &discovery), Err(Harm("a discovery without address")));
        assert!(read(server_eid(0), &[0, 6, 0, 4]).is_err());
        assert!(read(server_eid(0), &[0, 6, 0, 9]).is_err());
    }
}

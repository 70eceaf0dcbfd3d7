//! Asterisk's cluster events: [`decode`] and [`encode`]. The format is in `WIRE.md`.
//!
//! A receiver here is stricter than Asterisk, which trusts its peers: what would crash an Asterisk, or what no
//! server sends, is [`Malformed`]. So nothing that is decoded and encoded again can hurt one.

mod payload;

use alloc::boxed::Box;
use alloc::vec::Vec;

use presence::link::Statement;
use presence::{
    Change, Device, DeviceState, Eid, InvalidName, Mailbox, Message, MessageCounts, NAME_BYTES_MAX, Stamp,
};

/// Event types.
mod kind {
    /// What nodes say to each other; no stock server takes it.
    pub(super) const CUSTOM: u16 = 0x01;
    pub(super) const MWI: u16 = 0x02;
    pub(super) const DEVICE_STATE: u16 = 0x05;
    pub(super) const DEVICE_STATE_CHANGE: u16 = 0x06;
    pub(super) const PING: u16 = 0x0c;
    pub(super) const CLUSTER_DISCOVERY: u16 = 0x0d;
}

/// Types of information elements (IEs).
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
    // Ours, far from Asterisk's own.
    pub(super) const STAMP: u16 = 0xa501;
    pub(super) const WITHDRAWN: u16 = 0xa502;
    pub(super) const NODE: u16 = 0xa503;
    pub(super) const SUMMARIES: u16 = 0xa504;
    pub(super) const ANSWERED: u16 = 0xa505;
    pub(super) const REQUEST: u16 = 0xa506;
    pub(super) const STATES: u16 = 0xa507;
    pub(super) const VERSION: u16 = 0xa508;
    pub(super) const LINK: u16 = 0xa509;
}

/// Event and element headers alike: two big-endian words, type and length.
const HEADER: usize = 4;
/// Asterisk clamps message counts to a C int.
const COUNT_MAX: u32 = i32::MAX as u32;

/// Why bytes are no message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
pub enum Malformed {
    /// There is no whole header.
    #[error("shorter than a header")]
    Short,
    /// The header tells a length that the message does not have, or that does not hold the header.
    #[error("the length in the header does not fit the message")]
    Length,
    /// The event type is none of those that travel.
    #[error("unknown event type")]
    UnknownType,
    /// An element ends after the message.
    #[error("an element is cut off")]
    TruncatedElement,
    /// A number is not four bytes long.
    #[error("a number is not four bytes long")]
    NumberLength,
    /// A text has no NUL at its end.
    #[error("a text is not terminated")]
    TextUnterminated,
    /// A text has a NUL before its end; Asterisk would read another name than we.
    #[error("a text holds a NUL")]
    TextNul,
    /// A text is not UTF-8, and so could not be told to a server in JSON.
    #[error("a text is not UTF-8")]
    TextEncoding,
    /// A text breaks the core's rules for names: too long, or with control characters.
    #[error("a text is no name")]
    Name,
    /// No EID says whose word it is.
    #[error("without EID")]
    MissingEid,
    /// The EID is not six bytes long.
    #[error("an EID that is not six bytes long")]
    EidLength,
    /// No device, or an empty one.
    #[error("without device")]
    MissingDevice,
    /// The state is above 8; Asterisk would read past its tables.
    #[error("a state above 8")]
    State,
    /// No mailbox or no context, or an empty one.
    #[error("without mailbox or context")]
    MissingMailbox,
    /// No address, or an empty one; the former crashes Asterisk.
    #[error("a discovery without address")]
    MissingAddress,
    /// An element that only nodes send has a length that it cannot have.
    #[error("an element between nodes has a wrong length")]
    ElementLength,
    /// What a node tells of links is no frame.
    #[error("what a node tells of links is no frame")]
    Link,
}

impl Malformed {
    /// Every kind, for counters that start at zero.
    pub const ALL: [Self; 17] = [
        Self::Short,
        Self::Length,
        Self::UnknownType,
        Self::TruncatedElement,
        Self::NumberLength,
        Self::TextUnterminated,
        Self::TextNul,
        Self::TextEncoding,
        Self::Name,
        Self::MissingEid,
        Self::EidLength,
        Self::MissingDevice,
        Self::State,
        Self::MissingMailbox,
        Self::MissingAddress,
        Self::ElementLength,
        Self::Link,
    ];

    /// The kind as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Length => "length",
            Self::UnknownType => "unknown_type",
            Self::TruncatedElement => "truncated_element",
            Self::NumberLength => "number_length",
            Self::TextUnterminated => "text_unterminated",
            Self::TextNul => "text_nul",
            Self::TextEncoding => "text_encoding",
            Self::Name => "name",
            Self::MissingEid => "missing_eid",
            Self::EidLength => "eid_length",
            Self::MissingDevice => "missing_device",
            Self::State => "state",
            Self::MissingMailbox => "missing_mailbox",
            Self::MissingAddress => "missing_address",
            Self::ElementLength => "element_length",
            Self::Link => "link",
        }
    }
}

/// Reads one message. What stands behind the length in its header is ignored, unknown elements are skipped,
/// and of two elements of one type the first counts.
///
/// # Errors
/// [`Malformed`] says what is wrong with it.
pub fn decode(bytes: &[u8]) -> Result<Message, Malformed> {
    let (kind, elements) = split(bytes)?;
    match kind {
        kind::DEVICE_STATE_CHANGE => {
            let (eid, device, state) = device_state(&elements)?;
            let cachable = elements.number(ie::CACHABLE)? == Some(1);
            change(&elements, eid, Change::DeviceState { device, state, cachable })
        }
        kind::DEVICE_STATE => {
            let (eid, device, state) = device_state(&elements)?;
            Ok(Message::Aggregate { eid, device, state })
        }
        kind::MWI => mwi(&elements),
        kind::PING => Ok(Message::Ping { eid: elements.eid()? }),
        kind::CLUSTER_DISCOVERY => discovery(&elements),
        kind::CUSTOM => between_nodes(&elements),
        _ => Err(Malformed::UnknownType),
    }
}

/// Writes one message, byte for byte as a stock server on a little-endian machine does, and what only nodes know before the
/// EID, which stays last.
///
/// An address is cut to what [`decode`] takes; an aggregate is written as cachable.
#[must_use]
pub fn encode(message: &Message) -> Vec<u8> {
    match message {
        Message::Change { eid, change, stamp } => Writer::change(change).stamp(stamp.as_ref()).end(*eid),
        Message::Withdrawal { eid, change, stamp } => {
            Writer::change(change).stamp(stamp.as_ref()).element(ie::WITHDRAWN, [&[1]]).end(*eid)
        }
        Message::Told(statement) => {
            let event = Writer::change(&statement.change)
                .stamp(Some(&statement.origin))
                .element(ie::VERSION, [&payload::write_version(statement.version)]);
            let event = if statement.withdrawn { event.element(ie::WITHDRAWN, [&[1]]) } else { event };
            event.end(statement.eid)
        }
        Message::Link { eid, frame } => {
            Writer::new(kind::CUSTOM).element(ie::LINK, [&payload::write_frame(frame)]).end(*eid)
        }
        Message::Aggregate { eid, device, state } => {
            Writer::new(kind::DEVICE_STATE).device_state(device, *state, true).end(*eid)
        }
        Message::Ping { eid } => Writer::new(kind::PING).end(*eid),
        Message::Discovery { eid, nodeid, address, node } => {
            let stock = Writer::new(kind::CLUSTER_DISCOVERY)
                .number(ie::NODE_ID, *nodeid)
                .text(ie::LOCAL_ADDR, writable(address));
            match node {
                Some(incarnation) => stock.element(ie::NODE, [&incarnation.to_be_bytes()]).end(*eid),
                None => stock.end(*eid),
            }
        }
        Message::Digest { eid, incarnation, summaries, answered } => {
            let summaries = summaries.iter().map(|summary| (summary.eid, summary.sequence));
            Writer::new(kind::CUSTOM)
                .element(ie::NODE, [&incarnation.to_be_bytes()])
                .element(ie::SUMMARIES, [&payload::write_pairs(summaries)])
                .element(ie::ANSWERED, [&payload::write_pairs(answered.iter().copied())])
                .end(*eid)
        }
        Message::States { eid, states, stamp } => Writer::new(kind::CUSTOM)
            .stamp(Some(stamp))
            .element(ie::STATES, [&payload::write_states(states)])
            .end(*eid),
        Message::Request { eid, number, wanted } => Writer::new(kind::CUSTOM)
            .element(ie::REQUEST, [&payload::write_request(*number, wanted)])
            .end(*eid),
    }
}

/// A state, or what takes it back.
fn change(elements: &Elements<'_>, eid: Eid, change: Change) -> Result<Message, Malformed> {
    let stamp = elements.first(ie::STAMP).map(payload::stamp).transpose()?;
    let version = elements.first(ie::VERSION).map(payload::version).transpose()?;
    let withdrawn = match elements.first(ie::WITHDRAWN) {
        None => false,
        Some([_]) => true,
        Some(_) => return Err(Malformed::ElementLength),
    };
    Ok(match version {
        Some(version) => {
            // What crosses sites may be remembered.
            let change = change.remembered();
            let origin = stamp.unwrap_or_default();
            Message::Told(Statement { eid, change, withdrawn, version, origin })
        }
        None if withdrawn => Message::Withdrawal { eid, change, stamp },
        None => Message::Change { eid, change, stamp },
    })
}

/// A digest, a request, many states or what is told about links.
fn between_nodes(elements: &Elements<'_>) -> Result<Message, Malformed> {
    let eid = elements.eid()?;
    if let Some(frame) = elements.first(ie::LINK) {
        return Ok(Message::Link { eid, frame: Box::new(payload::frame(frame)?) });
    }
    if let Some(request) = elements.first(ie::REQUEST) {
        let (number, wanted) = payload::request(request)?;
        return Ok(Message::Request { eid, number, wanted });
    }
    if let (Some(states), Some(stamp)) = (elements.first(ie::STATES), elements.first(ie::STAMP)) {
        let (states, stamp) = (payload::states(states)?, payload::stamp(stamp)?);
        return Ok(Message::States { eid, states, stamp });
    }
    let (Some(node), Some(summaries)) = (elements.first(ie::NODE), elements.first(ie::SUMMARIES)) else {
        return Err(Malformed::UnknownType);
    };
    let answered = elements.first(ie::ANSWERED).map(payload::pairs).transpose()?.unwrap_or_default();
    let (incarnation, summaries) = (payload::number(node)?, payload::summaries(summaries)?);
    Ok(Message::Digest { eid, incarnation, summaries, answered })
}

fn device_state(elements: &Elements<'_>) -> Result<(Eid, Device, DeviceState), Malformed> {
    let eid = elements.eid()?;
    let device = elements.text(ie::DEVICE)?.ok_or(Malformed::MissingDevice)?;
    let device = Device::new(device).map_err(|error| name_error(error, Malformed::MissingDevice))?;
    let number = elements.number(ie::STATE)?.unwrap_or(DeviceState::Unknown.number());
    let state = DeviceState::from_number(number).ok_or(Malformed::State)?;
    Ok((eid, device, state))
}

fn mwi(elements: &Elements<'_>) -> Result<Message, Malformed> {
    let eid = elements.eid()?;
    let name = elements.text(ie::MAILBOX)?.ok_or(Malformed::MissingMailbox)?;
    let context = elements.text(ie::CONTEXT)?.ok_or(Malformed::MissingMailbox)?;
    let mailbox =
        Mailbox::from_parts(name, context).map_err(|error| name_error(error, Malformed::MissingMailbox))?;
    // `@x` would be sent on as an empty mailbox in context `x`.
    if mailbox.parts().0.is_empty() {
        return Err(Malformed::MissingMailbox);
    }
    let count = |ie| elements.number(ie).map(|count| count.unwrap_or(0).min(COUNT_MAX));
    let counts = MessageCounts { new: count(ie::NEWMSGS)?, old: count(ie::OLDMSGS)? };
    change(elements, eid, Change::Mwi { mailbox, counts })
}

fn discovery(elements: &Elements<'_>) -> Result<Message, Malformed> {
    let eid = elements.eid()?;
    let nodeid = elements.number(ie::NODE_ID)?.unwrap_or(0);
    let node = elements.first(ie::NODE).map(payload::number).transpose()?;
    match elements.text(ie::LOCAL_ADDR)? {
        None | Some("") => Err(Malformed::MissingAddress),
        Some(address) if writable(address) != address => Err(Malformed::Name),
        Some(address) => Ok(Message::Discovery { eid, nodeid, address: address.into(), node }),
    }
}

fn name_error(error: InvalidName, empty: Malformed) -> Malformed {
    match error {
        InvalidName::Empty => empty,
        InvalidName::TooLong | InvalidName::Control => Malformed::Name,
    }
}

/// The part of an address before any control character, and within the bounds of names.
fn writable(address: &str) -> &str {
    let end = address
        .char_indices()
        .find(|(at, character)| character.is_control() || at + character.len_utf8() > NAME_BYTES_MAX);
    end.map_or(address, |(at, _)| &address[..at])
}

/// The type of an event, and its elements, all of which are whole.
fn split(bytes: &[u8]) -> Result<(u16, Elements<'_>), Malformed> {
    let (kind, length, _) = header(bytes).ok_or(Malformed::Short)?;
    let elements = bytes.get(HEADER..length).ok_or(Malformed::Length)?;
    let mut rest = elements;
    while !rest.is_empty() {
        let (_, length, payload) = header(rest).ok_or(Malformed::TruncatedElement)?;
        rest = payload.get(length..).ok_or(Malformed::TruncatedElement)?;
    }
    Ok((kind, Elements(elements)))
}

/// Type, length, and what follows.
fn header(bytes: &[u8]) -> Option<(u16, usize, &[u8])> {
    let ([a, b, c, d], rest) = bytes.split_first_chunk()?;
    Some((u16::from_be_bytes([*a, *b]), usize::from(u16::from_be_bytes([*c, *d])), rest))
}

struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// The payload of the first element of this type.
    fn first(&self, wanted: u16) -> Option<&'a [u8]> {
        let mut rest = self.0;
        while let Some((ie, length, payload)) = header(rest) {
            if ie == wanted {
                return payload.get(..length);
            }
            rest = payload.get(length..)?;
        }
        None
    }

    fn number(&self, wanted: u16) -> Result<Option<u32>, Malformed> {
        let Some(payload) = self.first(wanted) else { return Ok(None) };
        let bytes = payload.try_into().map_err(|_| Malformed::NumberLength)?;
        Ok(Some(u32::from_be_bytes(bytes)))
    }

    /// The text without its hash, which nobody checks, and its NUL.
    fn text(&self, wanted: u16) -> Result<Option<&'a str>, Malformed> {
        let Some(payload) = self.first(wanted) else { return Ok(None) };
        let terminated = payload.get(4..).ok_or(Malformed::TextUnterminated)?;
        let Some((0, text)) = terminated.split_last() else { return Err(Malformed::TextUnterminated) };
        if text.contains(&0) {
            return Err(Malformed::TextNul);
        }
        core::str::from_utf8(text).map(Some).map_err(|_| Malformed::TextEncoding)
    }

    fn eid(&self) -> Result<Eid, Malformed> {
        let payload = self.first(ie::EID).ok_or(Malformed::MissingEid)?;
        payload.try_into().map(Eid).map_err(|_| Malformed::EidLength)
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn new(kind: u16) -> Self {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend(kind.to_be_bytes());
        // The length, when it is known.
        bytes.extend([0, 0]);
        Self(bytes)
    }

    fn change(change: &Change) -> Self {
        match change {
            Change::DeviceState { device, state, cachable } => {
                Self::new(kind::DEVICE_STATE_CHANGE).device_state(device, *state, *cachable)
            }
            Change::Mwi { mailbox, counts } => {
                let (name, context) = mailbox.parts();
                Self::new(kind::MWI)
                    .text(ie::MAILBOX, name)
                    .text(ie::CONTEXT, context)
                    .number(ie::NEWMSGS, counts.new.min(COUNT_MAX))
                    .number(ie::OLDMSGS, counts.old.min(COUNT_MAX))
            }
        }
    }

    fn stamp(self, stamp: Option<&Stamp>) -> Self {
        match stamp {
            Some(stamp) => self.element(ie::STAMP, [&payload::write_stamp(stamp)]),
            None => self,
        }
    }

    fn device_state(self, device: &Device, state: DeviceState, cachable: bool) -> Self {
        self.text(ie::DEVICE, device.as_str())
            .number(ie::STATE, state.number())
            .number(ie::CACHABLE, u32::from(cachable))
    }

    fn number(self, ie: u16, number: u32) -> Self {
        self.element(ie, [&number.to_be_bytes()])
    }

    fn text(self, ie: u16, text: &str) -> Self {
        self.element(ie, [&hash(text).to_le_bytes(), text.as_bytes(), &[0]])
    }

    /// Every event ends with the EID.
    fn end(self, eid: Eid) -> Vec<u8> {
        let mut bytes = self.element(ie::EID, [&eid.0]).0;
        let length = length(bytes.len());
        bytes[2..HEADER].copy_from_slice(&length);
        bytes
    }

    fn element<const PARTS: usize>(mut self, ie: u16, parts: [&[u8]; PARTS]) -> Self {
        self.0.extend(ie.to_be_bytes());
        self.0.extend(length(parts.iter().map(|part| part.len()).sum()));
        for part in parts {
            self.0.extend(part);
        }
        self
    }
}

/// Names, addresses and the servers of a node are bounded, so that no length comes near the limit.
fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

/// The hash before every text (djb2 with xor). Receivers since Asterisk 12 do not look at it; 11 compares it.
fn hash(text: &str) -> u32 {
    text.bytes().fold(5381, |hash: u32, byte| hash.wrapping_mul(33) ^ u32::from(byte)) & 0x7fff_ffff
}

#[cfg(test)]
mod tests;

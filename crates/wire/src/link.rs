//! What nodes of different sites tell each other: [`encode`] and [`Decoder`]. The format is in `WIRE.md`, "Between sites".

mod reader;
mod states;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::vec::Vec;
use presence::Eid;
use presence::link::{self, Adjacency, BUCKETS, Hello, Standing};
use reader::Reader;

/// The protocol in the handshake; what no older node could live with gets another number.
pub const ALPN: &[u8] = b"asterism/1";

/// The longest body of a frame.
pub const BODY_BYTES_MAX: usize = 65_536;

/// The longest reason of a [`Frame::Bye`], in bytes; a longer one is cut.
pub const REASON_BYTES_MAX: usize = 256;

/// The longest name of a site, in bytes.
pub const SITE_BYTES_MAX: usize = 64;

/// Type and length.
const HEADER: usize = 5;

/// Types of frames.
mod kind {
    pub(super) const PING: u8 = 0x01;
    pub(super) const PONG: u8 = 0x02;
    pub(super) const BYE: u8 = 0x03;
    pub(super) const HELLO: u8 = 0x10;
    pub(super) const ADJACENCY: u8 = 0x11;
    pub(super) const DIGEST: u8 = 0x12;
    pub(super) const BUCKETS: u8 = 0x13;
    pub(super) const STATES: u8 = 0x14;
}

/// One frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// Is anybody there?
    Ping(Ping),
    /// The answer.
    Pong(Pong),
    /// The sender closes the link, for this reason.
    Bye(Box<str>),
    /// What the core says.
    Said(link::Frame),
}

/// A question whose answer measures the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ping {
    /// Counts the questions of the sender.
    pub number: u32,
    /// When it was sent, in microseconds since 1970 by the sender's clock.
    pub sent_us: u64,
}

/// The answer to a [`Ping`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pong {
    /// The number of the question.
    pub number: u32,
    /// When the question was sent, as it says.
    pub sent_us: u64,
    /// When it was answered, in microseconds since 1970 by the answerer's clock.
    pub answered_us: u64,
}

/// Why bytes are no frames. The link is closed with this text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// A body is longer than [`BODY_BYTES_MAX`].
    #[error("a frame of {0} bytes; at most 65536 are allowed")]
    TooLong(u32),
    /// A frame ends in the middle of something.
    #[error("a frame of type {0:#04x} is cut off")]
    Short(u8),
    /// A text is not UTF-8, or too long, or no name of a device or mailbox.
    #[error("a frame of type {0:#04x} holds a text that is no name")]
    Name(u8),
    /// A device state above 8, or a number above what it may be.
    #[error("a frame of type {0:#04x} holds a number out of its range")]
    Number(u8),
}

/// Appends a frame.
pub fn encode(frame: &Frame, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend([kind_of(frame), 0, 0, 0, 0]);
    match frame {
        Frame::Ping(Ping { number, sent_us }) => {
            out.extend(number.to_be_bytes());
            out.extend(sent_us.to_be_bytes());
        }
        Frame::Pong(Pong { number, sent_us, answered_us }) => {
            out.extend(number.to_be_bytes());
            out.extend(sent_us.to_be_bytes());
            out.extend(answered_us.to_be_bytes());
        }
        Frame::Bye(reason) => text(out, reason, REASON_BYTES_MAX),
        Frame::Said(link::Frame::Hello(Hello { node, site, incarnation })) => {
            out.extend(node.0);
            out.extend(incarnation.to_be_bytes());
            text(out, site, SITE_BYTES_MAX);
        }
        Frame::Said(link::Frame::Adjacency(Adjacency { node, site, version, neighbours, servers })) => {
            out.extend(node.0);
            out.extend(version.to_be_bytes());
            text(out, site, SITE_BYTES_MAX);
            eids(out, neighbours);
            eids(out, servers);
        }
        Frame::Said(link::Frame::Digest(standings)) => {
            for Standing { eid, states, fingerprint } in standings {
                out.extend(eid.0);
                out.extend(states.to_be_bytes());
                out.extend(fingerprint.to_be_bytes());
            }
        }
        Frame::Said(link::Frame::Buckets { eid, fingerprints, answer }) => {
            out.extend(eid.0);
            out.push(u8::from(*answer));
            fingerprints.iter().for_each(|fingerprint| out.extend(fingerprint.to_be_bytes()));
        }
        Frame::Said(link::Frame::States(statements)) => states::write(out, statements),
    }
    // The core makes no frame that comes near 4 GiB.
    let length = u32::try_from(out.len() - start - HEADER).unwrap_or(u32::MAX);
    out[start + 1..start + HEADER].copy_from_slice(&length.to_be_bytes());
}

fn kind_of(frame: &Frame) -> u8 {
    match frame {
        Frame::Ping(_) => kind::PING,
        Frame::Pong(_) => kind::PONG,
        Frame::Bye(_) => kind::BYE,
        Frame::Said(link::Frame::Hello(_)) => kind::HELLO,
        Frame::Said(link::Frame::Adjacency(_)) => kind::ADJACENCY,
        Frame::Said(link::Frame::Digest(_)) => kind::DIGEST,
        Frame::Said(link::Frame::Buckets { .. }) => kind::BUCKETS,
        Frame::Said(link::Frame::States(_)) => kind::STATES,
    }
}

/// A text with its length in two bytes, cut between characters where it is too long.
fn text(out: &mut Vec<u8>, text: &str, max: usize) {
    let text = &text[..text.floor_char_boundary(max)];
    out.extend((text.len() as u16).to_be_bytes());
    out.extend(text.as_bytes());
}

/// EIDs with their number in two bytes.
fn eids(out: &mut Vec<u8>, eids: &[Eid]) {
    let eids = &eids[..eids.len().min(usize::from(u16::MAX))];
    out.extend((eids.len() as u16).to_be_bytes());
    eids.iter().for_each(|eid| out.extend(eid.0));
}

/// Takes bytes as they come, and gives frames. It keeps no more than what was pushed and is no whole frame yet.
#[derive(Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// Up to here they have been read.
    read: usize,
    skipped: u64,
    broken: Option<Malformed>,
}

impl Decoder {
    /// One that has heard nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// More bytes have come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.read);
        self.read = 0;
        if self.broken.is_none() {
            self.bytes.extend(bytes);
        }
    }

    /// The next whole frame. Frames of unknown types are skipped.
    ///
    /// # Errors
    /// [`Malformed`] says what is wrong with what comes next; nothing can be read from there on, and nothing is kept.
    #[allow(clippy::should_implement_trait, reason = "after an error there is nothing next")]
    pub fn next(&mut self) -> Result<Option<Frame>, Malformed> {
        if let Some(malformed) = self.broken {
            return Err(malformed);
        }
        let next = self.next_known();
        if let Err(malformed) = next {
            self.broken = Some(malformed);
            self.bytes = Vec::new();
            self.read = 0;
        }
        next
    }

    fn next_known(&mut self) -> Result<Option<Frame>, Malformed> {
        loop {
            let Some((kind, body)) = self.whole()? else { return Ok(None) };
            let frame = decode(kind, body);
            self.read += HEADER + body.len();
            match frame? {
                Some(frame) => return Ok(Some(frame)),
                None => self.skipped += 1,
            }
        }
    }

    /// How many bytes wait for the rest of their frame.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.bytes.len() - self.read
    }

    /// How many frames of unknown types have been skipped.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The type and body of what comes next, once it is whole.
    fn whole(&self) -> Result<Option<(u8, &[u8])>, Malformed> {
        let Some(([kind, length @ ..], rest)) = self.bytes[self.read..].split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length);
        match usize::try_from(length) {
            Ok(bytes) if bytes <= BODY_BYTES_MAX => Ok(rest.get(..bytes).map(|body| (*kind, body))),
            Ok(_) | Err(_) => Err(Malformed::TooLong(length)),
        }
    }
}

/// Reads a body; `None` where the type is unknown. What follows the known fields is ignored.
fn decode(kind: u8, body: &[u8]) -> Result<Option<Frame>, Malformed> {
    let mut reader = Reader::new(kind, body);
    Ok(Some(match kind {
        kind::PING => Frame::Ping(Ping { number: reader.u32()?, sent_us: reader.u64()? }),
        kind::PONG => {
            Frame::Pong(Pong { number: reader.u32()?, sent_us: reader.u64()?, answered_us: reader.u64()? })
        }
        // It goes into a log.
        kind::BYE => Frame::Bye(reader.text(REASON_BYTES_MAX)?.replace(char::is_control, " ").into()),
        kind::HELLO => {
            let (node, incarnation) = (reader.eid()?, reader.u64()?);
            Frame::Said(link::Frame::Hello(Hello { node, site: reader.plain(SITE_BYTES_MAX)?, incarnation }))
        }
        kind::ADJACENCY => {
            let (node, version, site) = (reader.eid()?, reader.u64()?, reader.plain(SITE_BYTES_MAX)?);
            let (neighbours, servers) = (reader.eids()?, reader.eids()?);
            let adjacency = Adjacency { node, site, version, neighbours, servers };
            Frame::Said(link::Frame::Adjacency(adjacency))
        }
        kind::DIGEST => {
            let mut standings = Vec::new();
            while !reader.is_empty() {
                let (eid, states, fingerprint) = (reader.eid()?, reader.u32()?, reader.u64()?);
                standings.push(Standing { eid, states, fingerprint });
            }
            Frame::Said(link::Frame::Digest(standings))
        }
        kind::BUCKETS => {
            let (eid, answer) = (reader.eid()?, reader.u8()? != 0);
            let mut fingerprints = Box::new([0; BUCKETS]);
            for fingerprint in fingerprints.iter_mut() {
                *fingerprint = reader.u64()?;
            }
            Frame::Said(link::Frame::Buckets { eid, fingerprints, answer })
        }
        kind::STATES => Frame::Said(link::Frame::States(states::read(&mut reader)?)),
        _ => return Ok(None),
    }))
}

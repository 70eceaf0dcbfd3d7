//! The payloads of the elements that only nodes know: records of big-endian numbers, one after the other.

use super::{COUNT_MAX, Malformed, length, name_error};
use alloc::vec::Vec;
use presence::link::{self, Version};
use presence::{Change, Device, DeviceState, Eid, Mailbox, MessageCounts, Stamp, Summary};

/// The length of an EID.
const EID: usize = 6;
/// The length of a number here.
const NUMBER: usize = 8;

pub(super) fn stamp(bytes: &[u8]) -> Result<Stamp, Malformed> {
    let numbers: &[[u8; NUMBER]; 3] = records(bytes)?.try_into().map_err(|_| Malformed::ElementLength)?;
    let [incarnation, sequence, time] = numbers.map(u64::from_be_bytes);
    Ok(Stamp { incarnation, sequence, time })
}

pub(super) fn write_stamp(stamp: &Stamp) -> Vec<u8> {
    [stamp.incarnation, stamp.sequence, stamp.time].map(u64::to_be_bytes).concat()
}

/// A clock and its writer.
pub(super) fn version(bytes: &[u8]) -> Result<Version, Malformed> {
    let (clock, writer) = bytes.split_first_chunk::<NUMBER>().ok_or(Malformed::ElementLength)?;
    let writer = writer.try_into().map_err(|_| Malformed::ElementLength)?;
    Ok(Version { clock: u64::from_be_bytes(*clock), writer: Eid(writer) })
}

pub(super) fn write_version(version: Version) -> Vec<u8> {
    version.clock.to_be_bytes().into_iter().chain(version.writer.0).collect()
}

/// One frame, as it stands on a link.
pub(super) fn frame(bytes: &[u8]) -> Result<link::Frame, Malformed> {
    let mut decoder = crate::link::Decoder::new();
    decoder.push(bytes);
    match decoder.next() {
        Ok(Some(crate::link::Frame::Said(frame))) => Ok(frame),
        Ok(_) | Err(_) => Err(Malformed::Link),
    }
}

pub(super) fn write_frame(frame: &link::Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    crate::link::encode(&crate::link::Frame::Said(frame.clone()), &mut bytes);
    bytes
}

pub(super) fn number(bytes: &[u8]) -> Result<u64, Malformed> {
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| Malformed::ElementLength)
}

/// Pairs of an EID and a number.
pub(super) fn pairs(bytes: &[u8]) -> Result<Vec<(Eid, u64)>, Malformed> {
    let pair = |record: &[u8; EID + NUMBER]| {
        let (eid, rest) = record.split_first_chunk::<EID>().ok_or(Malformed::ElementLength)?;
        Ok((Eid(*eid), number(rest)?))
    };
    records(bytes)?.iter().map(pair).collect()
}

pub(super) fn write_pairs(pairs: impl Iterator<Item = (Eid, u64)>) -> Vec<u8> {
    pairs.flat_map(|(eid, number)| eid.0.into_iter().chain(number.to_be_bytes())).collect()
}

pub(super) fn summaries(bytes: &[u8]) -> Result<Vec<Summary>, Malformed> {
    Ok(pairs(bytes)?.into_iter().map(|(eid, sequence)| Summary { eid, sequence }).collect())
}

/// A number, and EIDs.
pub(super) fn request(bytes: &[u8]) -> Result<(u64, Vec<Eid>), Malformed> {
    let (count, eids) = bytes.split_first_chunk::<NUMBER>().ok_or(Malformed::ElementLength)?;
    Ok((u64::from_be_bytes(*count), records(eids)?.iter().copied().map(Eid).collect()))
}

pub(super) fn write_request(number: u64, wanted: &[Eid]) -> Vec<u8> {
    number.to_be_bytes().into_iter().chain(wanted.iter().flat_map(|eid| eid.0)).collect()
}

/// Which kind of state follows.
const DEVICE: u8 = 0;
const MAILBOX: u8 = 1;

/// States with their times, each with a name of its own length.
pub(super) fn states(bytes: &[u8]) -> Result<Vec<(Change, u64)>, Malformed> {
    let (mut rest, mut states) = (bytes, Vec::new());
    while !rest.is_empty() {
        let (kind, after) = take::<1>(rest)?;
        let (time, after) = take(after)?;
        let (length, after) = take(after)?;
        let name = after.get(..usize::from(u16::from_be_bytes(length))).ok_or(Malformed::ElementLength)?;
        let value = after.get(name.len()..).ok_or(Malformed::ElementLength)?;
        let name = core::str::from_utf8(name).map_err(|_| Malformed::TextEncoding)?;
        let (change, after) = match kind {
            [DEVICE] => device(name, value)?,
            [MAILBOX] => mailbox(name, value)?,
            _ => return Err(Malformed::UnknownType),
        };
        states.push((change, u64::from_be_bytes(time)));
        rest = after;
    }
    Ok(states)
}

pub(super) fn write_states(states: &[(Change, u64)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(states.len() * 32);
    for (change, time) in states {
        let (kind, name) = match change {
            Change::DeviceState { device, .. } => (DEVICE, device.as_str()),
            Change::Mwi { mailbox, .. } => (MAILBOX, mailbox.as_str()),
        };
        bytes.push(kind);
        bytes.extend(time.to_be_bytes());
        bytes.extend(length(name.len()));
        bytes.extend(name.as_bytes());
        match change {
            Change::DeviceState { state, .. } => bytes.push(state.number() as u8),
            Change::Mwi { counts, .. } => {
                bytes.extend(counts.new.to_be_bytes());
                bytes.extend(counts.old.to_be_bytes());
            }
        }
    }
    bytes
}

fn device<'a>(name: &str, value: &'a [u8]) -> Result<(Change, &'a [u8]), Malformed> {
    let ([number], rest) = take(value)?;
    let device = Device::new(name).map_err(|error| name_error(error, Malformed::MissingDevice))?;
    let state = DeviceState::from_number(u32::from(number)).ok_or(Malformed::State)?;
    Ok((Change::DeviceState { device, state, cachable: true }, rest))
}

fn mailbox<'a>(name: &str, value: &'a [u8]) -> Result<(Change, &'a [u8]), Malformed> {
    let (new, rest) = take(value)?;
    let (old, rest) = take(rest)?;
    let (box_name, context) = name.split_once('@').ok_or(Malformed::MissingMailbox)?;
    let mailbox = Mailbox::from_parts(box_name, context)
        .map_err(|error| name_error(error, Malformed::MissingMailbox))?;
    let count = |bytes| u32::from_be_bytes(bytes).min(COUNT_MAX);
    Ok((Change::Mwi { mailbox, counts: MessageCounts { new: count(new), old: count(old) } }, rest))
}

fn take<const LENGTH: usize>(bytes: &[u8]) -> Result<([u8; LENGTH], &[u8]), Malformed> {
    let (taken, rest) = bytes.split_first_chunk().ok_or(Malformed::ElementLength)?;
    Ok((*taken, rest))
}

/// Bytes as records of one length, with nothing left over.
fn records<const LENGTH: usize>(bytes: &[u8]) -> Result<&[[u8; LENGTH]], Malformed> {
    let (records, rest) = bytes.as_chunks();
    if rest.is_empty() { Ok(records) } else { Err(Malformed::ElementLength) }
}

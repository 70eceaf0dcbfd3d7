//! The payloads of the elements that only nodes know: fixed records of big-endian numbers, one after the other.

use super::Malformed;
use alloc::vec::Vec;
use presence::{Eid, Stamp, Summary};

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

/// Bytes as records of one length, with nothing left over.
fn records<const LENGTH: usize>(bytes: &[u8]) -> Result<&[[u8; LENGTH]], Malformed> {
    let (records, rest) = bytes.as_chunks();
    if rest.is_empty() { Ok(records) } else { Err(Malformed::ElementLength) }
}

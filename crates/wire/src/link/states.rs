//! Many states in few bytes: what is as in the one before is not said again, and times are told as distances.

use super::Malformed;
use super::reader::Reader;
use alloc::vec::Vec;
use presence::link::{Statement, Version};
use presence::{Change, Device, DeviceState, Eid, Mailbox, MessageCounts, NAME_BYTES_MAX, Stamp};

/// The counts of a mailbox; else the state of a device.
const MAILBOX: u8 = 1;
const WITHDRAWN: u8 = 1 << 1;
/// The server is that of the state before.
const SAME_EID: u8 = 1 << 2;
/// The version's writer is that of the state before.
const SAME_WRITER: u8 = 1 << 3;
/// The stamp's incarnation is that of the state before.
const SAME_INCARNATION: u8 = 1 << 4;

const COUNT_MAX: u64 = i32::MAX as u64;

/// What the state before was.
struct Before {
    eid: Eid,
    version: Version,
    incarnation: u64,
}

/// Before the first.
const NOTHING: Before =
    Before { eid: Eid([0; 6]), version: Version { clock: 0, writer: Eid([0; 6]) }, incarnation: 0 };

impl Before {
    fn is(&mut self, Statement { eid, version, origin, .. }: &Statement) {
        *self = Self { eid: *eid, version: *version, incarnation: origin.incarnation };
    }
}

pub(super) fn write(out: &mut Vec<u8>, statements: &[Statement]) {
    let mut before = NOTHING;
    for statement in statements {
        write_one(out, &before, statement);
        before.is(statement);
    }
}

fn write_one(out: &mut Vec<u8>, before: &Before, statement: &Statement) {
    let Statement { eid, change, withdrawn, version, origin } = statement;
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    let same_eid = flag(before.eid == *eid, SAME_EID);
    let same_writer = flag(before.version.writer == version.writer, SAME_WRITER);
    let same_incarnation = flag(before.incarnation == origin.incarnation, SAME_INCARNATION);
    let kind = flag(matches!(change, Change::Mwi { .. }), MAILBOX) | flag(*withdrawn, WITHDRAWN);
    out.push(kind | same_eid | same_writer | same_incarnation);
    if same_eid == 0 {
        out.extend(eid.0);
    }
    if same_writer == 0 {
        out.extend(version.writer.0);
    }
    if same_incarnation == 0 {
        out.extend(origin.incarnation.to_be_bytes());
    }
    distance(out, before.version.clock, version.clock);
    varint(out, origin.sequence);
    distance(out, version.clock, origin.time);
    name(out, change.name());
    match change {
        Change::DeviceState { state, .. } => out.push(state.number() as u8),
        Change::Mwi { counts, .. } => {
            varint(out, u64::from(counts.new).min(COUNT_MAX));
            varint(out, u64::from(counts.old).min(COUNT_MAX));
        }
    }
}

/// Names have at most 255 bytes.
fn name(out: &mut Vec<u8>, name: &str) {
    out.push(name.len() as u8);
    out.extend(name.as_bytes());
}

/// A number by its distance from another, small ones in few bytes whichever is greater.
fn distance(out: &mut Vec<u8>, base: u64, number: u64) {
    let distance = number.wrapping_sub(base).cast_signed();
    varint(out, ((distance << 1) ^ (distance >> 63)).cast_unsigned());
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn read(reader: &mut Reader<'_>) -> Result<Vec<Statement>, Malformed> {
    let (mut statements, mut before) = (Vec::new(), NOTHING);
    while !reader.is_empty() {
        let statement = read_one(reader, &before)?;
        before.is(&statement);
        statements.push(statement);
    }
    Ok(statements)
}

fn read_one(reader: &mut Reader<'_>, before: &Before) -> Result<Statement, Malformed> {
    let flags = reader.u8()?;
    if flags >= SAME_INCARNATION << 1 {
        return Err(reader.number());
    }
    let eid = if flags & SAME_EID == 0 { reader.eid()? } else { before.eid };
    let writer = if flags & SAME_WRITER == 0 { reader.eid()? } else { before.version.writer };
    let incarnation = if flags & SAME_INCARNATION == 0 { reader.u64()? } else { before.incarnation };
    let clock = reader.from(before.version.clock)?;
    let (sequence, time) = (reader.varint()?, reader.from(clock)?);
    let length = usize::from(reader.u8()?);
    let name = reader.str(length)?;
    let change = if flags & MAILBOX == 0 { device(reader, name)? } else { mailbox(reader, name)? };
    Ok(Statement {
        eid,
        change,
        withdrawn: flags & WITHDRAWN != 0,
        version: Version { clock, writer },
        origin: Stamp { incarnation, sequence, time },
    })
}

fn device(reader: &mut Reader<'_>, name: &str) -> Result<Change, Malformed> {
    let device = Device::new(name).map_err(|_| reader.name())?;
    let state = DeviceState::from_number(u32::from(reader.u8()?)).ok_or_else(|| reader.number())?;
    Ok(Change::DeviceState { device, state, cachable: true })
}

fn mailbox(reader: &mut Reader<'_>, name: &str) -> Result<Change, Malformed> {
    let (box_name, context) = name.split_once('@').ok_or_else(|| reader.name())?;
    if box_name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(reader.name());
    }
    let mailbox = Mailbox::from_parts(box_name, context).map_err(|_| reader.name())?;
    let counts = MessageCounts { new: count(reader)?, old: count(reader)? };
    Ok(Change::Mwi { mailbox, counts })
}

/// Asterisk's counts are C ints.
fn count(reader: &mut Reader<'_>) -> Result<u32, Malformed> {
    let number = reader.varint()?;
    u32::try_from(number).ok().filter(|_| number <= COUNT_MAX).ok_or_else(|| reader.number())
}

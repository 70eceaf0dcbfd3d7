//! Inputs that are scripts: records that each do one thing after some time.
//!
//! A record is one byte that says what is done, one that says after how much time, and what it is done with; the
//! byte 0x1e (ASCII's record separator) stands between records. So a script is text where its datagrams are, and a
//! mutation of one byte can drop, split or join records.

use std::time::Duration;

/// Stands between records.
pub const SEPARATOR: u8 = 0x1e;
/// More records than any script needs; the rest is not read, so that no input takes long.
const RECORDS_MAX: usize = 64;

/// One step of a script.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// What is done; each target has its own letters.
    pub action: u8,
    /// The time that passes before it.
    pub after: Duration,
    /// What it is done with.
    pub payload: &'a [u8],
}

/// The records of a script; what is too short to be one is skipped.
pub fn records(data: &[u8]) -> impl Iterator<Item = Record<'_>> {
    data.split(|byte| *byte == SEPARATOR).take(RECORDS_MAX).filter_map(|record| {
        let ([action, after], payload) = record.split_first_chunk()?;
        Some(Record { action: *action, after: pause(*after), payload })
    })
}

/// The digits stand for times from nothing to an hour; other bytes for one of these.
fn pause(byte: u8) -> Duration {
    const PAUSES_MS: [u64; 10] = [0, 1, 100, 500, 1000, 2000, 6000, 32_000, 300_000, 3_600_000];
    Duration::from_millis(PAUSES_MS[usize::from(byte.wrapping_sub(b'0')) % PAUSES_MS.len()])
}

/// The payload with each of the bytes 1, 2, 3 … replaced by the text at that place in `known`: what a peer would know
/// and no fuzzer can guess. No protocol here has these bytes in its text.
#[must_use]
pub fn filled(payload: &[u8], known: &[&str]) -> Vec<u8> {
    let mut filled = Vec::with_capacity(payload.len() + 64);
    for byte in payload {
        match usize::from(*byte).checked_sub(1).and_then(|place| known.get(place)) {
            Some(text) => filled.extend(text.as_bytes()),
            None => filled.push(*byte),
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_records_with_pauses() {
        let read: Vec<_> = records(b"a3one\x1e\x1eb0\x1eq").collect();
        let expected = [
            Record { action: b'a', after: Duration::from_millis(500), payload: b"one" },
            Record { action: b'b', after: Duration::ZERO, payload: b"" },
        ];
        assert_eq!(read, expected);
        assert_eq!(records(&b"a0\x1e".repeat(100)).count(), RECORDS_MAX);
    }

    #[test]
    fn placeholders_are_replaced_by_what_is_known() {
        assert_eq!(filled(b"x\x02\x01\x03", &["one", "two"]), b"xtwoone\x03");
    }
}

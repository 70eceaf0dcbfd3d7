//! Takes fields from the body of a frame.

use super::Malformed;
use alloc::boxed::Box;
use alloc::vec::Vec;
use presence::Eid;

pub(super) struct Reader<'a> {
    kind: u8,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(kind: u8, body: &'a [u8]) -> Self {
        Self { kind, rest: body }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn eid(&mut self) -> Result<Eid, Malformed> {
        self.array().map(Eid)
    }

    /// A number in as few bytes as it needs: seven bits in each, the lowest first, and the top bit where more follow.
    pub(super) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.number())
    }

    /// How far a number is from another one, as [`super::states`] writes it.
    pub(super) fn from(&mut self, base: u64) -> Result<u64, Malformed> {
        let zigzag = self.varint()?;
        let distance = (zigzag >> 1) ^ (zigzag & 1).wrapping_neg();
        Ok(base.wrapping_add(distance))
    }

    pub(super) fn eids(&mut self) -> Result<Vec<Eid>, Malformed> {
        let count = self.u16()?;
        (0..count).map(|_| self.eid()).collect()
    }

    /// A text with its length in two bytes.
    pub(super) fn text(&mut self, max: usize) -> Result<Box<str>, Malformed> {
        let length = usize::from(self.u16()?);
        if length > max {
            return Err(self.name());
        }
        self.str(length).map(Box::from)
    }

    /// A text without control characters.
    pub(super) fn plain(&mut self, max: usize) -> Result<Box<str>, Malformed> {
        let text = self.text(max)?;
        if text.contains(char::is_control) { Err(self.name()) } else { Ok(text) }
    }

    /// A text of so many bytes.
    pub(super) fn str(&mut self, length: usize) -> Result<&'a str, Malformed> {
        let (text, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Short(self.kind))?;
        self.rest = rest;
        core::str::from_utf8(text).map_err(|_| self.name())
    }

    pub(super) fn name(&self) -> Malformed {
        Malformed::Name(self.kind)
    }

    pub(super) fn number(&self) -> Malformed {
        Malformed::Number(self.kind)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Malformed::Short(self.kind))?;
        self.rest = rest;
        Ok(*bytes)
    }
}

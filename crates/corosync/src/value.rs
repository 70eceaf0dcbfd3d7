//! What corosync's maps hold.

use std::fmt;

/// The value of a key, in the type that corosync gave it.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs, reason = "the types are their own documentation")]
pub enum Value {
    I8(i8),
    U8(u8),
    I16(i16),
    U16(u16),
    I32(i32),
    U32(u32),
    I64(i64),
    U64(u64),
    F32(f32),
    F64(f64),
    /// Without its NUL. What is not UTF-8 is replaced.
    String(String),
    /// Raw bytes; also whatever this version of the crate has no type for.
    Binary(Vec<u8>),
}

impl Value {
    /// From `cmap_value_types_t` and the bytes that came with it.
    pub(crate) fn decode(kind: u32, bytes: &[u8]) -> Self {
        Self::number(kind, bytes).unwrap_or_else(|| match kind {
            11 => Self::String(text(bytes)),
            _ => Self::Binary(bytes.to_vec()),
        })
    }

    fn number(kind: u32, bytes: &[u8]) -> Option<Self> {
        Some(match kind {
            1 => Self::I8(i8::from_ne_bytes(bytes.try_into().ok()?)),
            2 => Self::U8(u8::from_ne_bytes(bytes.try_into().ok()?)),
            3 => Self::I16(i16::from_ne_bytes(bytes.try_into().ok()?)),
            4 => Self::U16(u16::from_ne_bytes(bytes.try_into().ok()?)),
            5 => Self::I32(i32::from_ne_bytes(bytes.try_into().ok()?)),
            6 => Self::U32(u32::from_ne_bytes(bytes.try_into().ok()?)),
            7 => Self::I64(i64::from_ne_bytes(bytes.try_into().ok()?)),
            8 => Self::U64(u64::from_ne_bytes(bytes.try_into().ok()?)),
            9 => Self::F32(f32::from_ne_bytes(bytes.try_into().ok()?)),
            10 => Self::F64(f64::from_ne_bytes(bytes.try_into().ok()?)),
            _ => return None,
        })
    }

    /// Any number, as metrics want it: integers above 2^53 are rounded.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::F32(number) => Some(f64::from(number)),
            Self::F64(number) => Some(number),
            Self::I8(number) => Some(f64::from(number)),
            Self::I16(number) => Some(f64::from(number)),
            Self::I32(number) => Some(f64::from(number)),
            Self::I64(number) => Some(number as f64),
            Self::U8(_) | Self::U16(_) | Self::U32(_) | Self::U64(_) => {
                self.as_u64().map(|number| number as f64)
            }
            Self::String(_) | Self::Binary(_) => None,
        }
    }

    /// A number of an unsigned type: all of corosync's counters and ids.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::U8(number) => Some(number.into()),
            Self::U16(number) => Some(number.into()),
            Self::U32(number) => Some(number.into()),
            Self::U64(number) => Some(number),
            Self::I8(_) | Self::I16(_) | Self::I32(_) | Self::I64(_) => None,
            Self::F32(_) | Self::F64(_) | Self::String(_) | Self::Binary(_) => None,
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }
}

/// Without a type: use `{:?}` to see it.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::I8(number) => number.fmt(f),
            Self::U8(number) => number.fmt(f),
            Self::I16(number) => number.fmt(f),
            Self::U16(number) => number.fmt(f),
            Self::I32(number) => number.fmt(f),
            Self::U32(number) => number.fmt(f),
            Self::I64(number) => number.fmt(f),
            Self::U64(number) => number.fmt(f),
            Self::F32(number) => number.fmt(f),
            Self::F64(number) => number.fmt(f),
            Self::String(text) => text.fmt(f),
            Self::Binary(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_comes_back_from_its_number_and_bytes() {
        let cases: [(u32, &[u8], Value); 12] = [
            (1, &(-1_i8).to_ne_bytes(), Value::I8(-1)),
            (2, &255_u8.to_ne_bytes(), Value::U8(255)),
            (3, &(-2_i16).to_ne_bytes(), Value::I16(-2)),
            (4, &5405_u16.to_ne_bytes(), Value::U16(5405)),
            (5, &(-3_i32).to_ne_bytes(), Value::I32(-3)),
            (6, &4_294_967_295_u32.to_ne_bytes(), Value::U32(u32::MAX)),
            (7, &(-4_i64).to_ne_bytes(), Value::I64(-4)),
            (8, &0x1122_3344_5566_7788_u64.to_ne_bytes(), Value::U64(0x1122_3344_5566_7788)),
            (9, &0.5_f32.to_ne_bytes(), Value::F32(0.5)),
            (10, &2.5_f64.to_ne_bytes(), Value::F64(2.5)),
            (11, b"joined\0", Value::String("joined".into())),
            (12, &[0, 1, 255], Value::Binary(vec![0, 1, 255])),
        ];
        for (kind, bytes, value) in cases {
            assert_eq!(Value::decode(kind, bytes), value);
        }
    }

    #[test]
    fn a_string_ends_at_its_nul_or_at_its_length() {
        assert_eq!(Value::decode(11, b"one\0two\0").as_str(), Some("one"));
        assert_eq!(Value::decode(11, b"one").as_str(), Some("one"));
        assert_eq!(Value::decode(11, b"").as_str(), Some(""));
        assert_eq!(Value::decode(11, b"caf\xe9\0").as_str(), Some("caf\u{fffd}"));
    }

    #[test]
    fn what_does_not_fit_its_type_stays_raw() {
        assert_eq!(Value::decode(6, &[1, 2]), Value::Binary(vec![1, 2]));
        assert_eq!(Value::decode(99, &[1, 2]), Value::Binary(vec![1, 2]));
    }

    #[test]
    fn numbers_are_numbers_whatever_their_type() {
        assert_eq!(Value::U8(1).as_u64(), Some(1));
        assert_eq!(Value::I32(-1).as_u64(), None);
        assert_eq!(Value::I32(-1).as_f64(), Some(-1.0));
        assert_eq!(Value::U64(7).as_f64(), Some(7.0));
        assert_eq!(Value::String("7".into()).as_f64(), None);
    }

    #[test]
    fn values_print_bare() {
        assert_eq!(Value::U32(428).to_string(), "428");
        assert_eq!(Value::F64(2.5).to_string(), "2.5");
        assert_eq!(Value::String("joined".into()).to_string(), "joined");
        assert_eq!(Value::Binary(vec![0, 171]).to_string(), "00ab");
    }
}

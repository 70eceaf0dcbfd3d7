//! One message on the corosync group, as any member could send it.
//!
//! What is decoded is what a node may say again, so what it is encoded to is read here once more by a reader of our
//! own, which knows what Asterisk trusts its peers with.

use wire::event::{decode, encode};

/// Element types that hold a text: MAILBOX, DEVICE, CONTEXT, LOCAL_ADDR.
const TEXTS: [u16; 4] = [0x03, 0x07, 0x09, 0x2a];
/// NEWMSGS, OLDMSGS.
const COUNTS: [u16; 2] = [0x01, 0x02];
const STATE: u16 = 0x08;
const EID: u16 = 0x21;
const LOCAL_ADDR: u16 = 0x2a;
const CLUSTER_DISCOVERY: u16 = 0x0d;

/// Any bytes decode or are malformed, and what decodes can be said again without harm.
///
/// # Panics
/// When that does not hold.
pub fn run(data: &[u8]) {
    let Ok(message) = decode(data) else { return };
    let bytes = encode(&message);
    assert_eq!(decode(&bytes).as_ref(), Ok(&message), "what is said again means the same");
    assert_eq!(decode(&[&bytes[..], data].concat()).as_ref(), Ok(&message), "bytes behind it change nothing");
    for cut in [1, 4, bytes.len() / 2, bytes.len().saturating_sub(1)] {
        assert!(decode(&bytes[..cut]).is_err(), "a message that is cut short is none");
    }
    does_no_harm(&bytes);
}

/// Reads an event as Asterisk does, and fails where Asterisk would crash or read what is not there.
fn does_no_harm(bytes: &[u8]) {
    let (kind, length) = header(bytes);
    assert_eq!(length, bytes.len(), "the length in the header");
    let (mut eid, mut address) = (false, false);
    let mut rest = &bytes[4..];
    while !rest.is_empty() {
        let (element, length) = header(rest);
        let payload = &rest[4..4 + length];
        rest = &rest[4 + length..];
        if TEXTS.contains(&element) {
            is_terminated(payload);
        }
        if element == STATE {
            assert!(number(payload) <= 8, "a state above 8 makes Asterisk read past its tables");
        }
        if COUNTS.contains(&element) {
            assert!(i32::try_from(number(payload)).is_ok(), "Asterisk counts messages in an int");
        }
        eid |= element == EID && payload.len() == 6;
        address |= element == LOCAL_ADDR;
    }
    assert!(eid, "whose word is it?");
    assert!(address || kind != CLUSTER_DISCOVERY, "a discovery without address crashes Asterisk");
}

/// A hash, at least one character and a NUL, which is the only one.
fn is_terminated(text: &[u8]) {
    assert!((6..=4 + 255 + 1).contains(&text.len()), "a text of {} bytes", text.len());
    assert_eq!(text[4..].iter().position(|byte| *byte == 0), Some(text.len() - 5), "where the text ends");
}

/// Type and length.
fn header(bytes: &[u8]) -> (u16, usize) {
    (u16::from_be_bytes([bytes[0], bytes[1]]), usize::from(u16::from_be_bytes([bytes[2], bytes[3]])))
}

fn number(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload.try_into().expect("a number has four bytes"))
}

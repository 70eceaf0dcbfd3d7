//! Events that no server sends, one for each way of being wrong that crates/wire/WIRE.md names.

const MWI: u16 = 0x02;
const DEVICE_STATE_CHANGE: u16 = 0x06;
const CLUSTER_DISCOVERY: u16 = 0x0d;

const MAILBOX: u16 = 0x03;
const DEVICE: u16 = 0x07;
const STATE: u16 = 0x08;
const CONTEXT: u16 = 0x09;
const EID: u16 = 0x21;
const CACHABLE: u16 = 0x3d;
const NODE_ID: u16 = 0x3e;

/// The device of whatever is said of one.
pub(crate) const NAME: &str = "Custom:junk";

/// What is wrong with it, and the event. The last two kill every stock server that hears them.
pub(crate) fn all() -> Vec<(&'static str, Vec<u8>)> {
    let device = |elements: &[Vec<u8>]| event(DEVICE_STATE_CHANGE, elements);
    let (name, state, eid) = (text(DEVICE, NAME), number(STATE, 2), element(EID, &[2, 0, 0, 0, 1, 0x99]));
    let (cachable, context) = (number(CACHABLE, 1), text(CONTEXT, "default"));
    let good = device(&[name.clone(), state.clone(), cachable.clone(), eid.clone()]);
    let named =
        |bytes: &[u8]| device(&[element(DEVICE, bytes), state.clone(), cachable.clone(), eid.clone()]);
    let discovery = event(CLUSTER_DISCOVERY, &[number(NODE_ID, 99), eid.clone()]);
    let of_state = |value| device(&[name.clone(), number(STATE, value), cachable.clone(), eid.clone()]);
    vec![
        ("short", good[..3].to_vec()),
        ("length", [&good[..2], &[0xff, 0xff], &good[4..]].concat()),
        ("length", [&good[..2], &[0, 3], &good[4..]].concat()),
        ("unknown_type", [&[0, 0x0f], &good[2..]].concat()),
        ("truncated_element", event(DEVICE_STATE_CHANGE, &[eid.clone(), vec![0, 7, 1, 0]])),
        ("number_length", device(&[name.clone(), element(STATE, &[2]), eid.clone()])),
        ("text_unterminated", named(b"\0\0\0\0Custom:junk")),
        ("text_nul", named(b"\0\0\0\0Custom:\0junk\0")),
        ("text_encoding", named(b"\0\0\0\0Custom:\xff\0")),
        ("name", named(&[&[0; 4][..], &[b'j'; 300], &[0]].concat())),
        ("missing_eid", device(&[name.clone(), state.clone(), cachable.clone()])),
        ("eid_length", device(&[name.clone(), state.clone(), element(EID, &[2, 0])])),
        ("missing_device", device(&[state.clone(), cachable.clone(), eid.clone()])),
        ("missing_mailbox", event(MWI, &[text(MAILBOX, ""), context, eid.clone()])),
        ("state", of_state(9)),
        ("state", of_state(1_000_000)),
        ("missing_address", discovery),
    ]
}

fn event(kind: u16, elements: &[Vec<u8>]) -> Vec<u8> {
    let elements = elements.concat();
    [&kind.to_be_bytes(), &length(4 + elements.len())[..], &elements].concat()
}

fn element(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes(), &length(payload.len())[..], payload].concat()
}

fn number(kind: u16, value: u32) -> Vec<u8> {
    element(kind, &value.to_be_bytes())
}

/// With a hash of zero, which nobody looks at.
fn text(kind: u16, text: &str) -> Vec<u8> {
    element(kind, &[&[0; 4], text.as_bytes(), &[0]].concat())
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

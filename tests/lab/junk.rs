//! Events that no server sends, one for each way of being wrong that crates/wire/WIRE.md names.

use crate::words::{
    CACHABLE, CLUSTER_DISCOVERY, CONTEXT, DEVICE, DEVICE_STATE_CHANGE, EID, MAILBOX, MWI, NODE_ID, STATE,
    element, event, number, text,
};

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

//! Bytes captured on the group of the lab, sent by stock Asterisk 22.10.1 with `res_corosync`: read, and written again.
//!
//! Taken with the example `dump` of corosync-rs; pbx1 and pbx2 are the senders. What was done for each is its comment.
#![allow(clippy::unwrap_used, reason = "tests")]

use presence::{Change, Device, DeviceState, Eid, Mailbox, Message, MessageCounts};
use wire::event::{decode, encode};

const PBX1: Eid = Eid([2, 0, 0, 0, 1, 1]);
const PBX2: Eid = Eid([2, 0, 0, 0, 1, 2]);

macro_rules! captured {
    ($name:literal) => {
        include_bytes!(concat!("captured/", $name, ".bin"))
    };
}

#[test]
fn a_device_state_of_the_dump_when_a_member_joins() {
    let expected = device_state(PBX2, "PJSIP/1003", DeviceState::Unavailable, true);
    goes_both_ways(captured!("device_state_unavailable"), &expected);
}

#[test]
fn a_device_state_set_on_the_console() {
    let expected = device_state(PBX1, "Custom:capture1", DeviceState::Ringing, true);
    goes_both_ways(captured!("device_state_ringing"), &expected);
}

#[test]
fn a_state_of_a_local_channel_which_is_not_cachable() {
    let expected = device_state(PBX1, "Local/1001@asterism", DeviceState::InUse, false);
    goes_both_ways(captured!("device_state_not_cachable"), &expected);
}

#[test]
fn the_aggregate_at_the_origin_and_at_a_peer() {
    let expected = aggregate(PBX1, "Custom:capture1", DeviceState::Ringing);
    goes_both_ways(captured!("aggregate_own"), &expected);
    let expected = aggregate(PBX2, "Custom:capture1", DeviceState::Ringing);
    goes_both_ways(captured!("aggregate_of_a_peer"), &expected);
}

/// The one message that is not written as it came: an aggregate is never sent on, so the core does not
/// keep whether it was cachable.
#[test]
fn an_aggregate_that_is_not_cachable() {
    let bytes = captured!("aggregate_not_cachable");
    let expected = aggregate(PBX1, "Local/1001@asterism", DeviceState::InUse);
    assert_eq!(decode(bytes).as_ref(), Ok(&expected));
    let mut cachable = bytes.to_vec();
    let last_of_cachable = bytes.len() - 10 - 1;
    cachable[last_of_cachable] = 1;
    assert_eq!(encode(&expected), cachable);
}

#[test]
fn message_counts_before_and_after_a_voicemail() {
    goes_both_ways(captured!("mwi_empty"), &mwi(PBX1, "100@default", 0));
    goes_both_ways(captured!("mwi_one_new"), &mwi(PBX1, "100@default", 1));
}

#[test]
fn a_ping_typed_on_the_console() {
    goes_both_ways(captured!("ping"), &Message::Ping { eid: PBX1 });
}

#[test]
fn the_answer_to_the_discovery_of_a_new_node() {
    let expected = Message::Discovery { eid: PBX1, nodeid: 1, address: "198.18.0.11".into(), node: None };
    goes_both_ways(captured!("discovery"), &expected);
}

fn goes_both_ways(bytes: &[u8], expected: &Message) {
    assert_eq!(decode(bytes).as_ref(), Ok(expected));
    assert_eq!(encode(expected), bytes);
}

fn device_state(eid: Eid, device: &str, state: DeviceState, cachable: bool) -> Message {
    let device = Device::new(device).unwrap();
    Message::Change { eid, change: Change::DeviceState { device, state, cachable }, stamp: None }
}

fn aggregate(eid: Eid, device: &str, state: DeviceState) -> Message {
    Message::Aggregate { eid, device: Device::new(device).unwrap(), state }
}

fn mwi(eid: Eid, mailbox: &str, new: u32) -> Message {
    let mailbox = Mailbox::new(mailbox).unwrap();
    Message::Change {
        eid,
        change: Change::Mwi { mailbox, counts: MessageCounts { new, old: 0 } },
        stamp: None,
    }
}

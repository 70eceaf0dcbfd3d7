//! What the codec reads and writes, and what it refuses.

use std::collections::BTreeMap;
use std::string::{String, ToString};

use super::*;
use presence::Summary;
use presence::link::{self, Version};

const EID: Eid = Eid([0x00, 0x11, 0x22, 0x33, 0x44, 0x55]);

const ALICE: &str = "0006 0032 0007 0010 d8892807 504a5349502f616c69636500 \
                     0008 0004 00000002 003d 0004 00000001 0021 0006 001122334455";

#[test]
fn a_device_state_has_these_bytes() {
    goes_both_ways(&alice(), ALICE);
}

#[test]
fn an_aggregate_differs_from_a_device_state_in_its_type_only() {
    let device = Device::new("PJSIP/alice").unwrap();
    let message = Message::Aggregate { eid: EID, device, state: DeviceState::InUse };
    goes_both_ways(&message, &ALICE.replacen("0006", "0005", 1));
}

#[test]
fn message_counts_have_these_bytes() {
    let mailbox = Mailbox::new("100@default").unwrap();
    let counts = MessageCounts { new: 3, old: 1 };
    goes_both_ways(
        &Message::Change { eid: EID, change: Change::Mwi { mailbox, counts }, stamp: None },
        "0002 003a 0003 0008 946c860b 31303000 0009 000c ce7de61c 64656661756c7400 \
         0001 0004 00000003 0002 0004 00000001 0021 0006 001122334455",
    );
}

#[test]
fn a_ping_has_these_bytes() {
    goes_both_ways(&Message::Ping { eid: EID }, "000c 000e 0021 0006 001122334455");
}

#[test]
fn a_discovery_has_these_bytes() {
    goes_both_ways(
        &Message::Discovery { eid: EID, nodeid: 1, address: "192.0.2.10".into(), node: None },
        "000d 0029 003e 0004 00000001 002a 000f d2a84108 3139322e302e322e313000 0021 0006 001122334455",
    );
}

#[test]
fn the_word_of_a_server_elsewhere_has_these_bytes() {
    let Message::Change { change, .. } = alice() else { panic!("it is one") };
    let version = Version { clock: 9, writer: Eid([6; 6]) };
    let origin = Stamp { incarnation: 1, sequence: 2, time: 3 };
    let statement = |withdrawn| Statement { eid: EID, change: change.clone(), withdrawn, version, origin };
    let ours = "a501 0018 000000000000000100000000000000020000000000000003 \
                a508 000e 0000000000000009060606060606";
    let event = |length, withdrawn| {
        ALICE.replacen("0032", length, 1).replacen("0021 0006", &[ours, withdrawn, "0021 0006"].join(" "), 1)
    };
    goes_both_ways(&Message::Told(statement(false)), &event("0060", ""));
    goes_both_ways(&Message::Told(statement(true)), &event("0065", "a502 0001 01"));
}

#[test]
fn a_frame_in_the_group_is_as_on_a_link() {
    let frame = Box::new(link::Frame::Digest(Vec::new()));
    goes_both_ways(
        &Message::Link { eid: EID, frame },
        "0001 0017 a509 0005 1200000000 0021 0006 001122334455",
    );
}

#[test]
fn texts_hash_as_asterisk_hashes_them() {
    let known = [
        ("PJSIP/alice", 0x0728_89d8),
        ("100", 0x0b86_6c94),
        ("default", 0x1ce6_7dce),
        ("192.0.2.10", 0x0841_a8d2),
        ("Custom:x", 0x1df6_c7d4),
        ("", 0x1505),
    ];
    for (text, expected) in known {
        assert_eq!(hash(text), expected, "{text}");
    }
}

#[test]
fn order_unknown_elements_repetitions_hash_and_trailing_bytes_do_not_matter() {
    let bytes = hex("0006 0044 0021 0006 001122334455 7fff 0003 aabbcc 003d 0004 00000001 \
         0008 0004 00000002 0008 0004 0000ffff 0007 0010 00000000 504a5349502f616c69636500 ffffff");
    assert_eq!(decode(&with_length(bytes.clone(), bytes.len() - 3)), Ok(alice()));
}

#[test]
fn absent_numbers_have_asterisks_defaults() {
    let bytes = hex("0006 0000 0007 0006 00000000 7800 0021 0006 001122334455");
    let length = bytes.len();
    let device = Device::new("x").unwrap();
    let change = Change::DeviceState { device, state: DeviceState::Unknown, cachable: false };
    assert_eq!(decode(&with_length(bytes, length)), Ok(Message::Change { eid: EID, change, stamp: None }));
}

#[test]
fn counts_are_clamped_to_what_asterisk_can_hold() {
    let mailbox = Mailbox::new("100@default").unwrap();
    let mwi = |new| Message::Change {
        eid: EID,
        change: Change::Mwi { mailbox: mailbox.clone(), counts: MessageCounts { new, old: 0 } },
        stamp: None,
    };
    assert_eq!(decode(&encode(&mwi(u32::MAX))), Ok(mwi(COUNT_MAX)));
}

#[test]
fn what_only_nodes_know_stands_before_the_eid() {
    let Message::Change { eid, change, .. } = alice() else { panic!("not a change") };
    let stamp = Some(Stamp { incarnation: 1, sequence: 2, time: 3 });
    let head = "0006 0054 0007 0010 d8892807 504a5349502f616c69636500 0008 0004 00000002 003d 0004 00000001";
    let stamped = "a501 0018 0000000000000001 0000000000000002 0000000000000003";
    let message = Message::Change { eid, change: change.clone(), stamp };
    goes_both_ways(
        &message,
        &std::format!("{} {stamped} 0021 0006 001122334455", head.replace("0054", "004e")),
    );
    let message = Message::Withdrawal { eid, change, stamp };
    let head = head.replace("0054", "0053");
    goes_both_ways(&message, &std::format!("{head} {stamped} a502 0001 01 0021 0006 001122334455"));
}

#[test]
fn nodes_tell_each_other_how_far_they_are_in_an_event_that_no_server_takes() {
    let other = Eid([2, 0, 0, 0, 1, 3]);
    let digest = Message::Digest {
        eid: EID,
        incarnation: 7,
        summaries: std::vec![Summary { eid: other, sequence: 5 }],
        answered: std::vec![(other, 9)],
    };
    let bytes = "0001 003e a503 0008 0000000000000007 a504 000e 020000000103 0000000000000005 \
                 a505 000e 020000000103 0000000000000009 0021 0006 001122334455";
    goes_both_ways(&digest, bytes);
    let request = Message::Request { eid: EID, number: 1, wanted: std::vec![other] };
    goes_both_ways(&request, "0001 0020 a506 000e 0000000000000001 020000000103 0021 0006 001122334455");
    let cut = "0001 001f a506 000d 0000000000000001 0200000001 0021 0006 001122334455";
    assert_eq!(decode(&hex(cut)), Err(Malformed::ElementLength));
}

#[test]
fn each_defect_has_its_name() {
    let eid = "0021 0006 001122334455";
    let cases = [
        ("0006 00", Malformed::Short),
        ("0006 0003", Malformed::Length),
        ("000c 000f 0021 0006 001122334455", Malformed::Length),
        ("000a L", Malformed::UnknownType),
        ("000c L 0021 0007 001122334455", Malformed::TruncatedElement),
        ("000c L 0021 0006 001122334455 00", Malformed::TruncatedElement),
        ("000c L", Malformed::MissingEid),
        ("000c L 0021 0005 0011223344", Malformed::EidLength),
        ("0006 L E", Malformed::MissingDevice),
        ("0006 L 0007 0005 00000000 00 E", Malformed::MissingDevice),
        ("0006 L 0007 0006 00000000 0a00 E", Malformed::Name),
        ("0006 L 0007 0005 00000000 78 E", Malformed::TextUnterminated),
        ("0006 L 0007 0004 00000000 E", Malformed::TextUnterminated),
        ("0006 L 0007 0002 0000 E", Malformed::TextUnterminated),
        ("0006 L 0007 0007 00000000 780000 E", Malformed::TextNul),
        ("0006 L 0007 0006 00000000 ff00 E", Malformed::TextEncoding),
        ("0006 L 0007 0006 00000000 7800 0008 0004 00000009 E", Malformed::State),
        ("0006 L 0007 0006 00000000 7800 0008 0004 000f4240 E", Malformed::State),
        ("0006 L 0007 0006 00000000 7800 0008 0002 0001 E", Malformed::NumberLength),
        ("0002 L 0003 0006 00000000 3100 E", Malformed::MissingMailbox),
        ("0002 L 0003 0005 00000000 00 0009 0006 00000000 6400 E", Malformed::MissingMailbox),
        ("0002 L 0003 0006 00000000 4000 0009 0006 00000000 6400 E", Malformed::MissingMailbox),
        ("000d L 003e 0004 00000001 E", Malformed::MissingAddress),
        ("000d L 002a 0005 00000000 00 E", Malformed::MissingAddress),
        ("000d L 002a 0006 00000000 0700 E", Malformed::Name),
        ("000d L 002a 0006 00000000 3100 a503 0007 00000000000000 E", Malformed::ElementLength),
        (
            "0006 L 0007 0006 00000000 7800 a501 0010 00000000000000000000000000000000 E",
            Malformed::ElementLength,
        ),
        ("0006 L 0007 0006 00000000 7800 a502 0000 E", Malformed::ElementLength),
        ("0006 L 0007 0006 00000000 7800 a508 0008 0000000000000001 E", Malformed::ElementLength),
        ("0001 L a509 0005 01000000ff E", Malformed::Link),
        ("0001 L a509 0000 E", Malformed::Link),
        ("0001 L E", Malformed::UnknownType),
        ("0001 L a506 0007 00000000000000 E", Malformed::ElementLength),
        (
            "0001 L a503 0008 0000000000000001 a504 000d 00000000000000000000000000 E",
            Malformed::ElementLength,
        ),
    ];
    for (text, expected) in cases {
        let bytes = hex(&text.replace('L', "0000").replace('E', eid));
        let length = bytes.len();
        let bytes = if text.contains('L') { with_length(bytes, length) } else { bytes };
        assert_eq!(decode(&bytes), Err(expected), "{text}");
    }
    let seen: Vec<_> = cases.iter().map(|(_, malformed)| *malformed).collect();
    assert!(Malformed::ALL.iter().all(|malformed| seen.contains(malformed)), "a kind has no case");
}

#[test]
fn a_name_longer_than_the_core_takes_is_no_name() {
    let message = |name: &str| {
        let bytes = Writer::new(kind::DEVICE_STATE_CHANGE).text(ie::DEVICE, name).end(EID);
        decode(&bytes)
    };
    assert!(message(&"x".repeat(NAME_BYTES_MAX)).is_ok());
    assert_eq!(message(&"x".repeat(NAME_BYTES_MAX + 1)), Err(Malformed::Name));
}

#[test]
fn an_address_is_cut_to_what_a_receiver_takes() {
    for (address, expected) in [("10.0.0.1\0x", "10.0.0.1"), ("é".repeat(200).as_str(), &"é".repeat(127))] {
        let sent = Message::Discovery { eid: EID, nodeid: 1, address: address.into(), node: None };
        let arrived = Message::Discovery { eid: EID, nodeid: 1, address: expected.into(), node: None };
        assert_eq!(decode(&encode(&sent)), Ok(arrived));
    }
}

#[test]
fn the_labels_of_defects_are_distinct() {
    let mut labels: Vec<_> = Malformed::ALL.iter().map(|malformed| malformed.as_str()).collect();
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), Malformed::ALL.len());
}

#[test]
fn the_numbers_in_the_description_are_those_in_the_code_both_ways() {
    assert_eq!(
        described("## Event types"),
        BTreeMap::from([
            ("CUSTOM".to_string(), kind::CUSTOM),
            ("MWI".to_string(), kind::MWI),
            ("DEVICE_STATE".to_string(), kind::DEVICE_STATE),
            ("DEVICE_STATE_CHANGE".to_string(), kind::DEVICE_STATE_CHANGE),
            ("PING".to_string(), kind::PING),
            ("CLUSTER_DISCOVERY".to_string(), kind::CLUSTER_DISCOVERY),
        ])
    );
    assert_eq!(described("## Event types"), constants("mod kind {"));
    assert_eq!(described("## Elements"), constants("mod ie {"));
    assert_eq!(described("## Elements").len(), 19);
}

#[test]
fn the_labels_in_the_description_are_those_in_the_code_both_ways() {
    let described: Vec<String> = rows("## Defects").map(|row| row[0].clone()).collect();
    let labels: Vec<&str> = Malformed::ALL.iter().map(|malformed| malformed.as_str()).collect();
    assert_eq!(described, labels);
}

fn alice() -> Message {
    let device = Device::new("PJSIP/alice").unwrap();
    Message::Change {
        eid: EID,
        change: Change::DeviceState { device, state: DeviceState::InUse, cachable: true },
        stamp: None,
    }
}

fn goes_both_ways(message: &Message, bytes: &str) {
    assert_eq!(encode(message), hex(bytes));
    assert_eq!(decode(&hex(bytes)).as_ref(), Ok(message));
}

/// Writes the length of the event into its header.
fn with_length(mut bytes: Vec<u8>, length: usize) -> Vec<u8> {
    bytes[2..4].copy_from_slice(&(length as u16).to_be_bytes());
    bytes
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

/// Names and numbers of the table under a heading of WIRE.md, whose first two columns they are.
fn described(heading: &str) -> BTreeMap<String, u16> {
    rows(heading).map(|row| (row[0].clone(), number(&row[1]))).collect()
}

/// Names and numbers of the constants in a module of event.rs.
fn constants(module: &str) -> BTreeMap<String, u16> {
    let source = include_str!("../event.rs");
    let body = source.split_once(module).unwrap().1.split_once("\n}").unwrap().0;
    body.lines()
        .filter_map(|line| line.trim().strip_prefix("pub(super) const ")?.split_once(": u16 = "))
        .map(|(name, value)| (name.to_string(), number(value.trim_end_matches(';'))))
        .collect()
}

fn rows(heading: &str) -> impl Iterator<Item = Vec<String>> {
    let text = include_str!("../../WIRE.md");
    let section = text.split_once(heading).unwrap().1;
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    section.lines().filter(|line| line.starts_with('|')).skip(2).map(|line| {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().trim_matches('`').to_string()).collect()
    })
}

fn number(text: &str) -> u16 {
    u16::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

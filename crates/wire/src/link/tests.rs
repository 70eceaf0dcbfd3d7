//! What the codec writes and reads, and what it refuses.

use super::*;
use alloc::string::String;
use alloc::vec;
use presence::link::{NODES_MAX, Statement, Version};
use presence::{Change, Device, DeviceState, EIDS_MAX, Mailbox, MessageCounts, Stamp};
use std::format;

const NODE: Eid = Eid([0x02, 0, 0, 0, 1, 0x21]);
const PBX: Eid = Eid([0x02, 0, 0, 0, 1, 0x03]);

fn lamp(name: &str, clock: u64) -> Statement {
    let device = Device::new(name).unwrap();
    Statement {
        eid: PBX,
        change: Change::DeviceState { device, state: DeviceState::Ringing, cachable: true },
        withdrawn: false,
        version: Version { clock, writer: NODE },
        origin: Stamp { incarnation: 7, sequence: 300, time: clock - 5 },
    }
}

fn light() -> Statement {
    let mailbox = Mailbox::new("100@default").unwrap();
    Statement {
        change: Change::Mwi { mailbox, counts: MessageCounts { new: 3, old: 200 } },
        withdrawn: true,
        origin: Stamp::default(),
        ..lamp("x", 1_000_009)
    }
}

fn said(frame: link::Frame) -> Frame {
    Frame::Said(frame)
}

/// The examples of WIRE.md, in its order.
fn examples() -> Vec<Frame> {
    let hello = Hello { node: NODE, site: "east".into(), incarnation: 7 };
    let adjacency = Adjacency {
        node: NODE,
        site: "east".into(),
        version: 9,
        neighbours: vec![Eid([0x02, 0, 0, 0, 2, 0x21])],
        servers: vec![PBX],
    };
    vec![
        Frame::Ping(Ping { number: 1, sent_us: 1_000_000 }),
        Frame::Pong(Pong { number: 1, sent_us: 1_000_000, answered_us: 1_000_400 }),
        Frame::Bye("stopping".into()),
        said(link::Frame::Hello(hello)),
        said(link::Frame::Adjacency(adjacency)),
        said(link::Frame::Digest(vec![Standing { eid: PBX, states: 2, fingerprint: 0xabcd }])),
        said(link::Frame::States(vec![
            lamp("PJSIP/1001", 1_000_000),
            lamp("PJSIP/1002", 1_000_004),
            light(),
        ])),
    ]
}

fn bytes(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    encode(frame, &mut out);
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(bytes: &[u8]) -> Result<Option<Frame>, Malformed> {
    let mut decoder = Decoder::new();
    decoder.push(bytes);
    decoder.next()
}

#[test]
fn frames_have_the_bytes_that_the_document_shows() {
    let document = include_str!("../../WIRE.md");
    let section = document.split("## Between sites").nth(1).expect("the section");
    let shown: Vec<String> = section
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .map(|line| line.split("  ").next().unwrap_or_default().replace(' ', ""))
        .collect();
    let written: Vec<String> = examples().iter().map(|frame| hex(&bytes(frame))).collect();
    assert_eq!(shown, written, "{}", written.join("\n"));
}

#[test]
fn frames_have_the_types_that_the_document_says() {
    let document = include_str!("../../WIRE.md");
    let (_, section) = document.split_once("| frame | type | body | limits |").expect("the table");
    let rows = section.lines().skip(2).take_while(|line| line.starts_with('|'));
    let told: Vec<String> = rows.map(|row| row.split('|').nth(2).unwrap_or_default().trim().into()).collect();
    let buckets = link::Frame::Buckets { eid: PBX, fingerprints: Box::new([0; BUCKETS]), answer: false };
    let mut frames = examples();
    frames.insert(6, said(buckets));
    let types: Vec<String> = frames.iter().map(|frame| format!("{:#04x}", bytes(frame)[0])).collect();
    assert_eq!(told, types);
}

#[test]
fn every_frame_is_read_as_it_was_written_however_its_bytes_come() {
    let buckets =
        link::Frame::Buckets { eid: PBX, fingerprints: Box::new([u64::MAX; BUCKETS]), answer: true };
    let frames: Vec<Frame> = examples().into_iter().chain([said(buckets)]).collect();
    let mut stream = Vec::new();
    frames.iter().for_each(|frame| encode(frame, &mut stream));
    for size in [1, 7, stream.len()] {
        let (mut decoder, mut read) = (Decoder::new(), Vec::new());
        for chunk in stream.chunks(size) {
            decoder.push(chunk);
            while let Some(frame) = decoder.next().unwrap() {
                read.push(frame);
            }
        }
        assert_eq!(read, frames);
        assert_eq!(decoder.bytes.len(), decoder.read);
    }
}

#[test]
fn a_frame_of_an_unknown_type_is_skipped_and_one_that_has_grown_is_read() {
    let mut decoder = Decoder::new();
    decoder.push(&[0x7f, 0, 0, 0, 2, 1, 2]);
    let mut grown = bytes(&examples()[0]);
    grown[4] += 1;
    grown.push(9);
    decoder.push(&grown);
    assert_eq!(decoder.next(), Ok(Some(examples()[0].clone())));
    assert_eq!((decoder.next(), decoder.skipped()), (Ok(None), 1));
}

#[test]
fn a_length_is_judged_before_its_bytes_have_come() {
    assert_eq!(read(&[kind::STATES, 0, 1, 0, 0]), Ok(None));
    assert_eq!(read(&[kind::STATES, 0, 1, 0, 1]), Err(Malformed::TooLong(65_537)));
    assert_eq!(read(&[0x7f, 0xff, 0xff, 0xff, 0xff]), Err(Malformed::TooLong(u32::MAX)));
}

#[test]
fn frames_that_are_cut_off_anywhere_are_refused() {
    for frame in examples() {
        let whole = bytes(&frame);
        for length in 0..whole.len() - HEADER {
            let mut cut = whole[..HEADER + length].to_vec();
            cut[1..HEADER].copy_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
            let read = read(&cut);
            // Of lists that go to the end of the frame a shorter one may be left.
            let shorter =
                matches!(&read, Ok(Some(Frame::Said(link::Frame::Digest(_) | link::Frame::States(_)))));
            assert!(shorter || read == Err(Malformed::Short(whole[0])), "{frame:?} to {length}: {read:?}");
        }
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let mut states = bytes(&said(link::Frame::States(vec![lamp("a", 9)])));
    let last = states.len() - 1;
    states[last] = 9;
    assert_eq!(read(&states), Err(Malformed::Number(kind::STATES)));
    states[HEADER] = 0x20;
    assert_eq!(read(&states), Err(Malformed::Number(kind::STATES)));
    states[HEADER] = 0;
    states[last] = 1;
    states[last - 1] = 0xff;
    assert_eq!(read(&states), Err(Malformed::Name(kind::STATES)));
    assert_eq!(read(&[kind::BYE, 0, 0, 0, 2, 1, 1]), Err(Malformed::Name(kind::BYE)));
    assert_eq!(
        read(&[kind::STATES, 0, 0, 0, 11, 28, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]),
        Err(Malformed::Number(kind::STATES))
    );
}

#[test]
fn the_longest_frames_of_the_core_fit() {
    let adjacency = Adjacency {
        node: NODE,
        site: "s".repeat(SITE_BYTES_MAX).into(),
        version: u64::MAX,
        neighbours: vec![NODE; NODES_MAX],
        servers: vec![PBX; EIDS_MAX],
    };
    assert!(bytes(&said(link::Frame::Adjacency(adjacency))).len() <= BODY_BYTES_MAX);
    let standing = Standing { eid: PBX, states: u32::MAX, fingerprint: u64::MAX };
    assert!(bytes(&said(link::Frame::Digest(vec![standing; EIDS_MAX * 2]))).len() <= BODY_BYTES_MAX);
}

#[test]
fn a_reason_is_cut_between_characters() {
    let reason = "é".repeat(200);
    let Ok(Some(Frame::Bye(read))) = read(&bytes(&Frame::Bye(reason.into()))) else { panic!("no reason") };
    assert_eq!(read.chars().count(), REASON_BYTES_MAX / 2);
}

#[test]
fn states_of_one_server_take_little_more_than_their_names() {
    let many: Vec<Statement> =
        (0..100).map(|number| lamp(&format!("PJSIP/{}", 1000 + number), 1_000_000 + 40 * number)).collect();
    let length = bytes(&said(link::Frame::States(many))).len();
    assert!(length <= 100 * ("PJSIP/1000".len() + 8) + 40, "{length}");
}

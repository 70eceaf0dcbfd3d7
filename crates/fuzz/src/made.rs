//! Frames made of bytes, of few names, so that they mean something to each other and to the nodes that get them.

use presence::link::{Adjacency, BUCKETS, Frame, Hello, Standing, Statement, Version};
use presence::{Change, Device, DeviceState, Eid, Mailbox, MessageCounts, Stamp};

/// When nodes began, in microseconds since 1970.
pub(crate) const CLOCK: u64 = 1_780_000_000_000_000;
pub(crate) const EAST_STOCK: Eid = Eid([2, 0, 0, 0, 0, 1]);
pub(crate) const WEST_STOCK: Eid = Eid([2, 0, 0, 0, 0, 2]);
pub(crate) const PBX: Eid = Eid([2, 0, 0, 0, 0, 3]);
/// A server that is nowhere, and of which the first site takes states.
pub(crate) const ALLOWED: Eid = Eid([2, 0, 0, 0, 0, 4]);
/// One of which it takes none.
const BARRED: Eid = Eid([2, 0, 0, 0, 0, 5]);
/// The nodes that there are, and two that are not.
pub(crate) const NODES: usize = 5;
const SERVERS: [Eid; 5] = [EAST_STOCK, WEST_STOCK, PBX, ALLOWED, BARRED];
const NAMES: [&str; 4] = ["Custom:a", "Custom:b", "PJSIP/1", "PJSIP/2"];

pub(crate) fn node(number: usize) -> Eid {
    Eid([1, 0, 0, 0, 0, u8::try_from(number % NODES).expect("a byte")])
}

/// A node, a server, or one of very many that are neither.
fn eid(byte: u8) -> Eid {
    match usize::from(byte) {
        number @ 0..NODES => node(number),
        number @ NODES..10 => SERVERS[number - NODES],
        _ => Eid([3, 0, 0, 0, 0, byte]),
    }
}

/// Seconds before or after the nodes began, or the ends of time.
fn clock(byte: u8) -> u64 {
    match byte {
        0 => 0,
        254 => u64::MAX - 1,
        255 => u64::MAX,
        _ => CLOCK + u64::from(byte) * 1_000_000 - 30_000_000,
    }
}

fn picked(mask: u8, all: impl Iterator<Item = Eid>) -> Vec<Eid> {
    all.enumerate().filter(|(place, _)| mask >> (place % 8) & 1 == 1).map(|(_, eid)| eid).collect()
}

/// The bytes, and zeros where there are no more.
fn padded<const LENGTH: usize>(bytes: &[u8]) -> [u8; LENGTH] {
    std::array::from_fn(|place| bytes.get(place).copied().unwrap_or_default())
}

pub(crate) fn hello(bytes: &[u8]) -> Hello {
    let [who, site, incarnation] = padded(bytes);
    Hello { node: eid(who), site: site_name(site).into(), incarnation: clock(incarnation) }
}

fn site_name(byte: u8) -> &'static str {
    ["west", "east", "north"][usize::from(byte % 3)]
}

pub(crate) fn adjacency(bytes: &[u8]) -> Adjacency {
    let [who, site, version, neighbours, servers] = padded(bytes);
    Adjacency {
        node: eid(who),
        site: site_name(site).into(),
        version: clock(version),
        neighbours: picked(neighbours, (0..NODES).map(node)),
        servers: picked(servers, SERVERS.into_iter()),
    }
}

pub(crate) fn standings(bytes: &[u8]) -> Vec<Standing> {
    let standing = |byte: &u8| Standing { eid: eid(*byte), states: 1, fingerprint: 1 };
    bytes.iter().map(standing).collect()
}

pub(crate) fn buckets(bytes: &[u8]) -> Frame {
    let [who, answer, value] = padded(bytes);
    Frame::Buckets { eid: eid(who), fingerprints: Box::new([value.into(); BUCKETS]), answer: answer & 1 == 1 }
}

/// Five bytes each.
pub(crate) fn statements(bytes: &[u8]) -> Vec<Statement> {
    let statement = |chunk: &[u8]| {
        let [who, flags, version, writer, value] = padded(chunk);
        Statement {
            eid: eid(who),
            change: change(&[flags >> 1, value]),
            withdrawn: flags & 1 == 1,
            version: Version { clock: clock(version), writer: eid(writer) },
            origin: Stamp { incarnation: 0, sequence: u64::from(value >> 6), time: clock(version) },
        }
    };
    bytes.chunks(5).map(statement).collect()
}

/// What somebody says of a device or a mailbox: which, and what.
pub(crate) fn change(bytes: &[u8]) -> Change {
    let [which, value] = padded(bytes);
    let number = usize::from(which % 8);
    match NAMES.get(number) {
        Some(name) => Change::DeviceState {
            device: Device::new(name).expect("a device"),
            state: DeviceState::from_number(u32::from(value % 9)).expect("a state"),
            cachable: true,
        },
        None => Change::Mwi {
            mailbox: Mailbox::new(["100", "101", "200", "201"][number % 4]).expect("a mailbox"),
            counts: MessageCounts { new: u32::from(value % 5), old: 0 },
        },
    }
}

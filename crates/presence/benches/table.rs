//! How many events a second the core takes on one thread: what members of the group say goes into the table, and every effect of
//! it is taken out. Decoding and sockets are not in it.
#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use presence::{
    Change, Config, Device, DeviceState, Eid, Input, Member, Message, Node, Outcome, Output, ServerConfig,
    ServerId,
};
use std::hint::black_box;
use std::time::{Duration, Instant};

const NOW: Duration = Duration::from_secs(1);
const ME: Member = Member { nodeid: 21, pid: 1 };
const SERVER: ServerId = ServerId(0);
const SERVED: Eid = Eid([2, 0, 0, 0, 1, 3]);
/// Events that are made before the clock runs, and then heard.
const ROUND: usize = 10_000;
/// No divisor of a table's size: neighbours in time are no neighbours in the table.
const STRIDE: usize = 7_919;

/// A node, and stock members that say something new of one device after the other.
struct Group {
    node: Node,
    servers: usize,
    devices: usize,
    said: usize,
}

fn table(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("table");
    group.throughput(Throughput::Elements(ROUND as u64)).sample_size(50);
    for (name, served) in [("in the group", false), ("serving a server", true)] {
        for (servers, devices) in [(1, 1_000), (3, 100_000)] {
            let mut states = Group::new(servers, devices, served);
            group.bench_function(BenchmarkId::new(name, servers * devices), |bencher| {
                bencher.iter_custom(|rounds| (0..rounds).map(|_| states.timed_round()).sum());
            });
        }
    }
    group.finish();
}

impl Group {
    fn new(servers: usize, devices: usize, served: bool) -> Self {
        let mut config = Config::new(Eid([2, 0, 0, 0, 1, 0x21]), "192.0.2.21", NOW);
        if served {
            config.servers.push(ServerConfig { eid: Some(SERVED), ..ServerConfig::default() });
        }
        let mut group = Self { node: Node::new(config), servers, devices, said: 0 };
        let members = (0..servers).map(member).chain([ME]).collect();
        hear(&mut group.node, Input::Joined { me: ME, members });
        if served {
            hear(&mut group.node, Input::Alive(SERVER));
        }
        let states = servers * devices;
        for _ in 0..states.div_ceil(ROUND) {
            group.timed_round();
        }
        let table = group.node.states();
        let known: usize = table.eids().filter_map(|eid| table.of(eid)).map(|server| server.len()).sum();
        assert_eq!(known, states, "the table is as large as it is said to be");
        group
    }

    fn timed_round(&mut self) -> Duration {
        let inputs: Vec<_> = (0..ROUND).map(|_| self.next()).collect();
        let begun = Instant::now();
        for input in inputs {
            hear(&mut self.node, input);
        }
        begun.elapsed()
    }

    /// Each state once in each pass, and another one in the next: news each time.
    fn next(&mut self) -> Input {
        let states = self.servers * self.devices;
        let (pass, place) = (self.said / states, self.said * STRIDE % states);
        let (server, device) = (place % self.servers, place / self.servers);
        self.said += 1;
        let state = if pass.is_multiple_of(2) { DeviceState::InUse } else { DeviceState::NotInUse };
        let device = Device::new(&format!("PJSIP/{}", 100_000 + device)).expect("a printable name");
        let change = Change::DeviceState { device, state, cachable: true };
        let message = Message::Change { eid: eid(server), change, stamp: None };
        Input::Delivered { from: member(server), message }
    }
}

/// Lets the node have it, and does what the node wants; the group and the server answer at once.
fn hear(node: &mut Node, input: Input) {
    node.handle(NOW, input);
    while let Some(output) = node.poll_output(NOW) {
        match black_box(output) {
            Output::Multicast(message) => node.handle(NOW, Input::Delivered { from: ME, message }),
            Output::Publish { server, .. } | Output::RequestRefresh { server } => {
                node.handle(NOW, Input::Settled { server, outcome: Outcome::Accepted });
            }
            Output::Touch | Output::Answer { .. } | Output::Note(_) => {}
        }
    }
}

fn member(server: usize) -> Member {
    Member { nodeid: server as u32 + 1, pid: 1 }
}

fn eid(server: usize) -> Eid {
    Eid([2, 0, 0, 0, 9, server as u8])
}

criterion_group!(benches, table);
criterion_main!(benches);

//! Scenarios: what servers, phones and nodes tell, and what is measured.

use super::*;
use DeviceState::{InUse, NotInUse, Ringing};

const A: ServerId = ServerId(0);
const B: ServerId = ServerId(1);
const NODE: NodeId = NodeId(0);

#[test]
fn a_ring_is_measured_at_the_other_server_and_at_its_lamp() {
    let mut world = World::new(FOLLOWED);
    world.watch.hint(B, "1001", "PJSIP/1001,CustomPresence:x", HintStatus::Idle, true, ms(0));
    world.watch.lamp(B, "1001", LampState::Terminated, true, ms(0));
    world.state(1_000, A, "PJSIP/1001", Ringing);
    world.state(1_005, B, "PJSIP/1001", Ringing);
    world.watch.lamp(B, "1001", LampState::Early, false, ms(1_008));
    assert_eq!(
        world.seen(2_000),
        [("PJSIP/1001".into(), B, At::Ami, 5), ("PJSIP/1001".into(), B, At::Lamp, 8)]
    );
}

#[test]
fn what_was_asked_for_is_no_change() {
    let mut world = World::new(FOLLOWED);
    world.watch.list_began(A);
    world.watch.device_state(A, "PJSIP/1001", InUse, true, ms(0));
    world.watch.list_ended(A, ms(0));
    assert_eq!(world.seen(20_000), []);
    assert_eq!(
        world.watch.disagreements().count(ms(20_000)),
        1,
        "but it counts: B does not know of the call"
    );
}

#[test]
fn a_state_that_a_server_has_forgotten_in_silence_leaves_a_ghost() {
    let mut world = World::new(FOLLOWED);
    for server in [A, B] {
        world.watch.hint(server, "1001", "PJSIP/1001", HintStatus::InUse, true, ms(0));
        world.state(0, server, "PJSIP/1001", InUse);
    }
    world.watch.server_gone(A, ms(1_000));
    assert_eq!(world.watch.disagreements().count(ms(9_000)), 0);
    world.watch.list_began(B);
    world.watch.list_ended(B, ms(10_000));
    let list = world.watch.disagreements().list(ms(13_000), 9);
    assert_eq!(list, [(&"PJSIP/1001".into(), ms(10_000))], "the hint is still lit");
    world.watch.hint(B, "1001", "PJSIP/1001", HintStatus::Deactivated, false, ms(14_000));
    assert_eq!(world.watch.disagreements().count(ms(20_000)), 0);
}

#[test]
fn a_canary_is_measured_from_when_it_was_due() {
    let mut world = World::new(each(1_000));
    world.run(500);
    assert_eq!(world.sets(), [(A, InUse)]);
    world.state(501, A, CANARY, InUse);
    world.state(504, B, CANARY, InUse);
    assert_eq!(world.seen(900), [(CANARY.into(), A, At::Ami, 1), (CANARY.into(), B, At::Ami, 4)]);
    world.watch.handle_timeout(ms(1_700));
    world.state(1_701, A, CANARY, NotInUse);
    let seen = world.seen(1_901);
    assert_eq!(seen, [(CANARY.into(), A, At::Ami, 201)], "the exporter was held up for 200 ms");
}

#[test]
fn a_lost_canary_is_looked_into_with_the_node() {
    let mut world = World::new(each(60_000));
    world.run(30_000);
    world.state(30_001, A, CANARY, InUse);
    world.run(40_001);
    let effects = world.effects();
    let asked = effects.iter().find(|effect| matches!(effect, Effect::Ask { .. })).unwrap();
    assert_eq!(*asked, Effect::Ask { node: NODE, server: A, device: CANARY.into() });
    let stamp = Stamp { hop: "heard_group".to_owned(), state: "INUSE".to_owned(), at: ms(30_002) };
    world.watch.stamps(NODE, A, Some(&[stamp]));
    world.run(40_002);
    let lost = Effect::CanaryLost { origin: A, target: B, hop: Hop::PublishOut };
    assert_eq!(world.effects(), [lost]);
}

#[test]
fn a_canary_of_another_exporter_is_measured_from_where_it_was_sent() {
    let mut world = World::new(FOLLOWED);
    world.state(500, A, CANARY, InUse);
    world.state(503, B, CANARY, InUse);
    assert_eq!(world.seen(900), [(CANARY.into(), B, At::Ami, 3)]);
    assert_eq!(world.sets(), []);
    world.state(1_500, A, CANARY, NotInUse);
    world.run(11_500);
    let asked = |effect: &Effect| matches!(effect, Effect::Ask { node: NODE, server: A, .. });
    assert!(world.effects().iter().any(asked), "it was lost, and its node is asked");
}

#[test]
fn a_canary_that_is_lost_between_sites_is_looked_into_with_the_nodes_of_both() {
    const NEAR: NodeId = NodeId(1);
    let mut world = World::at(["east", "west"], FOLLOWED);
    world.state(500, A, CANARY, InUse);
    world.run(10_500);
    let asks = world.effects().into_iter().filter(|effect| matches!(effect, Effect::Ask { .. })).count();
    assert_eq!(asks, 2);
    let stamp = Stamp { hop: "heard_group".to_owned(), state: "INUSE".to_owned(), at: ms(502) };
    world.watch.stamps(NEAR, A, Some(&[stamp]));
    world.watch.stamps(NODE, A, Some(&[]));
    world.run(10_600);
    assert_eq!(world.effects(), [Effect::CanaryLost { origin: A, target: B, hop: Hop::Link }]);
}

#[test]
fn a_server_that_is_not_heard_gets_no_canary_and_loses_none() {
    let mut world = World::new(each(1_000));
    world.watch.server_gone(B, ms(0));
    world.run(500);
    world.state(501, A, CANARY, InUse);
    world.run(1_400);
    assert_eq!(world.sets(), [(A, InUse)]);
    world.run(12_000);
    assert!(!world.effects().iter().any(|effect| matches!(effect, Effect::CanaryLost { target: B, .. })));
}

#[test]
fn names_that_no_asterisk_has_are_dropped_and_counted() {
    let mut world = World::new(FOLLOWED);
    world.state(0, A, &"x".repeat(256), InUse);
    assert_eq!(world.effects(), [Effect::Dropped { server: A, reason: Dropped::LongName, count: 1 }]);
    for count in 0..=DEVICES_MAX {
        world.watch.device_state(A, &format!("Custom:{count}"), NotInUse, true, ms(0));
    }
    assert_eq!(world.effects(), [Effect::Dropped { server: A, reason: Dropped::TableFull, count: 1 }]);
}

const CANARY: &str = "Custom:asterism-canary-a";
/// Canaries of another exporter.
const FOLLOWED: config::Canary = config::Canary { send: false, period: Duration::from_secs(1) };

/// Server A is in the group, node 0 serves B; both have told all they know.
struct World {
    watch: Watch,
    kept: Vec<Effect>,
}

impl World {
    fn new(canary: config::Canary) -> Self {
        Self::at(["east"; 2], canary)
    }

    /// A and B at these sites; node 1 is at A's.
    fn at([site_a, site_b]: [&str; 2], canary: config::Canary) -> Self {
        let servers = [
            ServerConfig { name: "a", site: site_a, node: None },
            ServerConfig { name: "b", site: site_b, node: Some(NODE) },
        ];
        let mut watch = Watch::new(&servers, &[site_b, site_a], canary, ms(0));
        for server in [A, B] {
            watch.list_began(server);
            watch.list_ended(server, ms(0));
        }
        Self { watch, kept: Vec::new() }
    }

    fn state(&mut self, at: u64, server: ServerId, device: &str, state: DeviceState) {
        self.run(at);
        self.watch.device_state(server, device, state, false, ms(at));
    }

    /// Lets the time pass.
    fn run(&mut self, end: u64) {
        while let Some(due) = self.watch.poll_timeout().filter(|due| *due <= ms(end)) {
            self.watch.handle_timeout(due);
        }
        self.watch.handle_timeout(ms(end));
        self.kept.extend(std::iter::from_fn(|| self.watch.poll_effect()));
    }

    fn effects(&mut self) -> Vec<Effect> {
        self.kept.extend(std::iter::from_fn(|| self.watch.poll_effect()));
        std::mem::take(&mut self.kept)
    }

    fn sets(&mut self) -> Vec<(ServerId, DeviceState)> {
        let effects = self.effects().into_iter();
        let set = |effect| {
            if let Effect::Set { server, state, .. } = effect { Some((server, state)) } else { None }
        };
        effects.filter_map(set).collect()
    }

    fn seen(&mut self, end: u64) -> Vec<(Arc<str>, ServerId, At, u128)> {
        self.run(end);
        let seen = |effect| match effect {
            Effect::Seen { change, place, latency } => {
                Some((change.device, place.server, place.at, latency.as_millis()))
            }
            Effect::Set { .. }
            | Effect::Ask { .. }
            | Effect::Missed { .. }
            | Effect::CanaryLost { .. }
            | Effect::Dropped { .. } => None,
        };
        self.effects().into_iter().filter_map(seen).collect()
    }
}

fn each(milliseconds: u64) -> config::Canary {
    config::Canary { send: true, period: ms(milliseconds) }
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

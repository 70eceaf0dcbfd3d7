//! Scenarios: what servers show, and what is made of it.

use super::*;
use DeviceState::{InUse, NotInUse, RingInUse, Ringing};
use Seen::{Coalesced, Lost, Took};

const A: usize = 0;
const B: usize = 1;
const C: usize = 2;

#[test]
fn a_change_is_measured_from_its_first_sight() {
    let mut world = World::new(3);
    world.shows(0, A, InUse);
    world.shows(7, B, InUse);
    world.shows(9, C, InUse);
    assert_eq!(world.until(1_000), [(0, ami(B), Took(7)), (0, ami(C), Took(9))]);
    assert_eq!(world.core.len(), 0, "nothing is kept of what has been seen");
}

#[test]
fn a_value_that_was_superseded_is_coalesced_and_shifts_nothing() {
    let mut world = World::new(2);
    for (at, state) in [(0, Ringing), (10, InUse), (20, NotInUse)] {
        world.shows(at, A, state);
    }
    assert_eq!(world.until(1_000), [], "B shows the last word already, and may still be told of the others");
    world.shows(1_500, A, InUse);
    world.shows(1_503, B, InUse);
    assert_eq!(
        world.until(2_000),
        [(0, ami(B), Coalesced), (10, ami(B), Coalesced), (20, ami(B), Coalesced), (1_500, ami(B), Took(3))]
    );
}

#[test]
fn what_was_held_up_and_comes_in_one_go_is_measured_in_full() {
    let mut world = World::new(2);
    for (at, state) in [(0, InUse), (1_000, NotInUse), (2_000, InUse)] {
        world.shows(at, A, state);
    }
    for (at, state) in [(2_500, InUse), (2_501, NotInUse), (2_502, InUse)] {
        world.shows(at, B, state);
    }
    assert_eq!(
        world.until(3_000),
        [(0, ami(B), Took(2_500)), (1_000, ami(B), Took(1_501)), (2_000, ami(B), Took(502))]
    );
}

#[test]
fn the_last_word_is_lost_when_it_is_not_shown_in_time() {
    let mut world = World::new(3);
    world.shows(0, A, Ringing);
    world.shows(5, A, InUse);
    world.shows(6, B, Ringing);
    world.shows(7, B, InUse);
    assert_eq!(
        world.until(20_000),
        [(0, ami(B), Took(6)), (5, ami(B), Took(2)), (0, ami(C), Coalesced), (5, ami(C), Lost)]
    );
    assert_eq!(world.core.len(), 0);
}

#[test]
fn a_place_that_shows_something_else_is_an_origin_itself() {
    let mut world = World::new(2);
    world.shows(0, A, Ringing);
    world.shows(1, B, Ringing);
    assert_eq!(world.shows(2, B, InUse), Sight::News);
    world.shows(4, A, InUse);
    assert_eq!(world.until(1_000), [(0, ami(B), Took(1)), (2, ami(A), Took(2))]);
}

#[test]
fn a_place_that_looks_right_already_is_not_awaited() {
    let mut world = World::new(2);
    world.lamps.push(B);
    world.shows(0, A, InUse);
    world.shows(1, B, InUse);
    world.lamp(3, B, InUse);
    world.until(1_000);
    world.shows(1_000, A, RingInUse);
    world.shows(1_001, B, RingInUse);
    assert_eq!(world.until(20_000), [(1_000, ami(B), Took(1))], "the lamp was lit before");
}

#[test]
fn a_lost_canary_says_how_far_it_came() {
    let mut world = World::new(2);
    world.lamps.push(B);
    world.canary(0, A, 1, InUse);
    world.saw(1, ami(A), InUse);
    world.saw(2, ami(B), InUse);
    world.saw(3, Place { server: ServerId(B), at: At::Hint }, InUse);
    assert_eq!(world.until(9_999).len(), 3);
    world.core.handle_timeout(ms(10_000));
    let Some(Finding::Missed { place, fate: Fate::Lost, reached, .. }) = world.core.poll_finding() else {
        panic!("the lamp did not follow")
    };
    assert_eq!(place.at, At::Lamp);
    assert_eq!(reached, Reached { origin: true, ami: true, hint: true });
}

#[test]
fn a_canary_is_lost_where_a_later_one_was_seen() {
    let mut world = World::new(2);
    for (number, state) in [(1, InUse), (2, NotInUse), (3, InUse)] {
        world.canary(1_000 * number, A, number, state);
        world.saw(1_000 * number + 1, ami(A), state);
    }
    world.saw(3_004, ami(B), InUse);
    let seen = world.until(3_500);
    assert!(seen.ends_with(&[(1_000, ami(B), Lost), (2_000, ami(B), Lost), (3_000, ami(B), Took(4))]));
}

#[test]
fn a_lamp_may_leave_out_what_its_server_showed_for_a_moment() {
    let mut world = World::new(2);
    world.lamps.push(B);
    for (number, state) in [(1, InUse), (2, NotInUse), (3, InUse)] {
        world.canary(1_000 * number, A, number, state);
        world.saw(1_000 * number + 1, ami(A), state);
    }
    for (at, state) in [(3_600, InUse), (3_601, NotInUse), (3_602, InUse)] {
        world.saw(at, ami(B), state);
    }
    let lamp = Place { server: ServerId(B), at: At::Lamp };
    world.lamp(3_603, B, InUse);
    let seen: Vec<_> = world.until(4_000).into_iter().filter(|(_, place, _)| *place == lamp).collect();
    assert_eq!(seen, [(1_000, lamp, Coalesced), (2_000, lamp, Coalesced), (3_000, lamp, Took(603))]);
}

#[test]
fn a_server_that_goes_loses_nothing() {
    let mut world = World::new(2);
    world.shows(0, A, InUse);
    world.core.forget(|_, place| place.server == ServerId(B));
    assert_eq!(world.until(20_000), []);
    assert_eq!(world.core.len(), 0);
}

#[test]
fn what_is_under_way_is_bounded() {
    let mut world = World::new(2);
    for number in 0..CHANGES_MAX {
        let change = world.change(0, &format!("PJSIP/{number}"), A, Kind::Passive, InUse);
        assert_eq!(world.core.begin(change, [(ami(B), None)]), Ok(()));
    }
    let change = world.change(0, "PJSIP/last", A, Kind::Passive, InUse);
    assert_eq!(world.core.begin(change, [(ami(B), None)]), Err(Full));
    world.core.handle_timeout(ms(10_000));
    assert_eq!(world.core.len(), 0);
    let mut flood = World::new(2);
    for count in 0..1_000 {
        let state = if count % 2 == 0 { InUse } else { NotInUse };
        flood.shows(count, A, state);
        flood.shows(count, B, state);
    }
    assert!(flood.core.tracks["PJSIP/1"].places[&ami(B)].sightings.len() < SIGHTINGS_MAX);
    assert_eq!(flood.until(20_000).iter().filter(|(.., seen)| *seen == Took(0)).count(), 1_000);
}

/// What became of a change, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Seen {
    Took(u64),
    Coalesced,
    Lost,
}

/// A few servers and what they show of one device.
struct World {
    core: Propagation,
    shown: BTreeMap<Place, Look>,
    servers: usize,
    lamps: Vec<usize>,
}

impl World {
    fn new(servers: usize) -> Self {
        let shown = (0..servers).map(|server| (ami(server), At::Ami.look(NotInUse))).collect();
        Self { core: Propagation::default(), shown, servers, lamps: Vec::new() }
    }

    /// A server's AMI tells a state; news begins a change.
    fn shows(&mut self, at: u64, server: usize, state: DeviceState) -> Sight {
        let sight = self.saw(at, ami(server), state);
        if sight == Sight::News {
            self.begin(at, server, Kind::Passive, state);
        }
        sight
    }

    fn lamp(&mut self, at: u64, server: usize, state: DeviceState) {
        self.saw(at, Place { server: ServerId(server), at: At::Lamp }, state);
    }

    fn canary(&mut self, at: u64, origin: usize, number: u64, state: DeviceState) {
        self.begin(at, origin, Kind::Canary(number), state);
    }

    fn saw(&mut self, at: u64, place: Place, state: DeviceState) -> Sight {
        self.core.handle_timeout(ms(at));
        self.shown.insert(place, place.at.look(state));
        self.core.saw("PJSIP/1", place, place.at.look(state), ms(at))
    }

    fn begin(&mut self, at: u64, origin: usize, kind: Kind, state: DeviceState) {
        let lamps = self
            .lamps
            .iter()
            .flat_map(|server| [At::Hint, At::Lamp].map(|at| Place { server: ServerId(*server), at }));
        let places: Vec<_> = (0..self.servers)
            .map(ami)
            .chain(lamps)
            .filter(|place| kind != Kind::Passive || *place != ami(origin))
            .filter(|place| kind != Kind::Passive || place.at != At::Hint)
            .map(|place| (place, self.shown.get(&place).copied()))
            .collect();
        let change = self.change(at, "PJSIP/1", origin, kind, state);
        self.core.begin(change, places).unwrap();
    }

    fn change(&self, at: u64, device: &str, origin: usize, kind: Kind, state: DeviceState) -> Change {
        Change { device: device.into(), state, origin: ServerId(origin), kind, at: ms(at) }
    }

    /// When each change began, where, and what became of it there.
    fn until(&mut self, end: u64) -> Vec<(u64, Place, Seen)> {
        while let Some(due) = self.core.poll_timeout().filter(|due| *due <= ms(end)) {
            self.core.handle_timeout(due);
        }
        let began = |change: &Change| u64::try_from(change.at.as_millis()).unwrap();
        std::iter::from_fn(|| self.core.poll_finding())
            .map(|finding| match finding {
                Finding::Seen { change, place, latency } => {
                    (began(&change), place, Took(u64::try_from(latency.as_millis()).unwrap()))
                }
                Finding::Missed { change, place, fate: Fate::Coalesced, .. } => {
                    (began(&change), place, Coalesced)
                }
                Finding::Missed { change, place, fate: Fate::Lost, .. } => (began(&change), place, Lost),
            })
            .collect()
    }
}

fn ami(server: usize) -> Place {
    Place { server: ServerId(server), at: At::Ami }
}

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

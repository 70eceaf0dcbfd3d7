//! What enters the table, what leaves it, and what is to be told.

use super::*;

const A: Eid = Eid([0, 0, 0, 0, 0, 1]);
const B: Eid = Eid([0, 0, 0, 0, 0, 2]);

fn state(device: &str, state: DeviceState, cachable: bool) -> Change {
    Change::DeviceState { device: Device::new(device).unwrap(), state, cachable }
}

fn stamp(incarnation: u64, sequence: u64) -> Stamp {
    Stamp { incarnation, sequence, time: 0 }
}

fn enter(states: &mut States, eid: Eid, change: &Change) -> Effect {
    states.enter(eid, change, Stamp::default())
}

#[test]
fn only_what_differs_is_news() {
    let mut states = States::new(0);
    let ringing = state("PJSIP/1", DeviceState::Ringing, true);
    assert_eq!(enter(&mut states, A, &ringing), Effect::New);
    assert_eq!(enter(&mut states, A, &ringing), Effect::Known);
    assert_eq!(enter(&mut states, B, &ringing), Effect::New);
    assert_eq!(enter(&mut states, A, &state("PJSIP/1", DeviceState::InUse, true)), Effect::News);
}

#[test]
fn a_state_that_is_not_cachable_is_always_news_and_never_kept() {
    let mut states = States::new(0);
    let flash = state("Local/1@x", DeviceState::InUse, false);
    assert_eq!(enter(&mut states, A, &flash), Effect::News);
    assert_eq!(enter(&mut states, A, &flash), Effect::News);
    assert!(states.of(A).is_none());
}

#[test]
fn an_older_word_of_the_same_run_changes_nothing_and_another_run_begins_anew() {
    let mut states = States::new(0);
    let (ringing, busy) =
        (state("PJSIP/1", DeviceState::Ringing, true), state("PJSIP/1", DeviceState::Busy, true));
    assert_eq!(states.enter(A, &ringing, stamp(7, 20)), Effect::New);
    assert_eq!(states.enter(A, &busy, stamp(7, 20)), Effect::Stale);
    assert_eq!(states.enter(A, &busy, stamp(7, 19)), Effect::Stale);
    assert_eq!(states.enter(A, &busy, stamp(6, 1)), Effect::News, "a clock may have been set back");
    assert_eq!(states.of(A).unwrap().latest(), stamp(6, 1));
    let other = state("PJSIP/2", DeviceState::Busy, true);
    assert_eq!(states.enter(A, &other, stamp(5, 30)), Effect::New);
    assert_eq!(states.enter(A, &ringing, stamp(5, 10)), Effect::News, "of each subject the run is known");
}

#[test]
fn the_aggregate_follows_the_servers_that_are_left() {
    let mut states = States::new(0);
    let device = Device::new("PJSIP/1").unwrap();
    enter(&mut states, A, &state("PJSIP/1", DeviceState::InUse, true));
    enter(&mut states, B, &state("PJSIP/1", DeviceState::NotInUse, true));
    assert_eq!(states.aggregate_of(&device), Some(DeviceState::InUse));
    let withdrawal = state("PJSIP/1", DeviceState::Unavailable, true);
    assert_eq!(states.remove(A), [Taken { withdrawal, news: true, lit: true }]);
    assert_eq!(states.aggregate_of(&device), Some(DeviceState::NotInUse));
    states.remove(B);
    assert_eq!(states.aggregate_of(&device), None);
}

#[test]
fn what_a_server_does_not_say_again_is_taken_back() {
    let mut states = States::new(0);
    let mailbox = Mailbox::new("100@default").unwrap();
    let light = |new| Change::Mwi { mailbox: mailbox.clone(), counts: MessageCounts { new, old: 0 } };
    for name in ["a", "b"] {
        enter(&mut states, A, &state(name, DeviceState::InUse, true));
    }
    enter(&mut states, A, &light(2));
    states.suspect(A);
    assert_eq!(enter(&mut states, A, &state("a", DeviceState::InUse, true)), Effect::Known);
    assert!(states.is_suspect(A, &light(2).subject()));
    let gone: Vec<_> = states.take_suspects(A).into_iter().map(|taken| taken.withdrawal).collect();
    assert_eq!(gone, [state("b", DeviceState::Unavailable, true), light(0)]);
    assert_eq!(states.of(A).map(ServerStates::len), Some(1));
    assert!(states.take_suspects(A).is_empty());
}

#[test]
fn what_is_lit_is_told_first() {
    let mut states = States::new(0);
    for (name, lit) in [("a", false), ("b", true), ("c", false), ("d", true)] {
        let shown = if lit { DeviceState::Ringing } else { DeviceState::NotInUse };
        enter(&mut states, A, &state(name, shown, true));
    }
    let idle: Vec<_> = states.to_tell(A).into_iter().map(|(change, _)| change.is_idle()).collect();
    assert_eq!(idle, [false, false, true, true]);
}

#[test]
fn a_full_table_keeps_what_it_has() {
    let mut states = States::new(0);
    for number in 0..SUBJECTS_PER_EID_MAX {
        enter(&mut states, A, &state(&std::format!("Custom:{number}"), DeviceState::InUse, true));
    }
    assert_eq!(enter(&mut states, A, &state("Custom:more", DeviceState::InUse, true)), Effect::Full);
    assert_eq!(enter(&mut states, A, &state("Custom:0", DeviceState::Busy, true)), Effect::News);
}

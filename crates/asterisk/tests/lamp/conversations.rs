//! The watcher and whole servers, in calm and in foul weather.

use crate::house::{House, Weather};
use crate::{EXPIRES_S, SECOND, lamp, lost, subscribed, watcher};
use asterisk::lamp::{Event, LampState, Lost};
use proptest::prelude::*;
use std::time::Duration;

const CALM: Weather = Weather { lost_percent: 0, twice_percent: 0, delay_ms_max: 2 };

fn house(servers: &[u8], extensions: &[&str]) -> House {
    House::new(watcher(servers, extensions, 1), servers.len(), 1, CALM)
}

/// The events since then, without their times.
fn since(house: &House, then: Duration) -> Vec<Event> {
    house.events.iter().filter(|(at, _)| *at >= then).map(|(_, event)| event.clone()).collect()
}

#[test]
fn subscriptions_live_on_by_refreshes_that_are_spread() {
    let mut house = house(&[11, 12], &["1001", "1002"]);
    house.run(SECOND);
    house.events.clear();
    house.run(600 * SECOND);
    assert!(house.events.iter().all(|(_, event)| matches!(event, Event::Lamp { .. })));
    for server in &house.servers {
        assert!((28..=42).contains(&(server.subscribes - 4)), "{}", server.subscribes);
    }
    house.set(1, LampState::Confirmed);
    house.run(601 * SECOND);
    assert!(
        house.shown(1).values().all(|event| matches!(event, Event::Lamp { state: LampState::Confirmed, .. }))
    );
    assert!(
        house
            .shown(0)
            .values()
            .all(|event| matches!(event, Event::Lamp { state: LampState::Terminated, .. }))
    );
    assert!(house.watcher.counters().drops.is_empty());
}

#[test]
fn a_server_without_memory_is_noticed_by_one_refresh_and_asked_for_all() {
    let extensions: Vec<_> = (1000..1200).map(|exten: u32| exten.to_string()).collect();
    let extensions: Vec<_> = extensions.iter().map(String::as_str).collect();
    let mut house = house(&[11], &extensions);
    house.run(35 * SECOND);
    house.forget(0);
    let before = house.servers[0].subscribes;
    house.run(40 * SECOND);
    let lost =
        since(&house, 35 * SECOND).into_iter().filter(|event| matches!(event, Event::Lost { .. })).count();
    assert_eq!(lost, 200);
    assert!(house.shown(0).values().all(|event| matches!(event, Event::Lamp { .. })));
    let asked = house.servers[0].subscribes - before;
    assert!(asked <= 2 * 200 + 60, "each lamp is refreshed in vain and subscribed to once: {asked}");
}

#[test]
fn a_dead_server_is_asked_for_one_lamp_and_the_others_do_not_suffer() {
    let mut house = house(&[11, 12], &["1001", "1002"]);
    house.servers[0].frozen = true;
    house.run(300 * SECOND);
    let silent: Vec<_> =
        house.events.iter().filter(|(_, event)| matches!(event, Event::Lost { .. })).collect();
    assert_eq!(silent.len(), 2, "each lamp is lost once: {silent:?}");
    assert_eq!(silent[0].0, 8 * SECOND);
    assert!(house.shown(1).values().all(|event| matches!(event, Event::Lamp { .. })));
    let sent = house.watcher.counters();
    assert!(sent.subscribes_begun - sent.subscribes_accepted < 25, "one at a time: {sent:?}");
    house.servers[0].frozen = false;
    house.set(0, LampState::Early);
    house.run(310 * SECOND);
    assert!(
        house.shown(0).values().all(|event| matches!(event, Event::Lamp { state: LampState::Early, .. }))
    );
}

#[test]
fn a_server_that_dies_later_is_lost_and_comes_back() {
    let mut house = house(&[11], &["lamp"]);
    house.run(5 * SECOND);
    house.servers[0].frozen = true;
    house.run(60 * SECOND);
    assert_eq!(since(&house, 5 * SECOND), [lost("lamp", Lost::Silent)]);
    house.servers[0].frozen = false;
    house.forget(0);
    house.set(0, LampState::Confirmed);
    house.run(80 * SECOND);
    assert_eq!(since(&house, 60 * SECOND), [subscribed("lamp"), lamp("lamp", LampState::Confirmed)]);
}

#[test]
fn a_server_that_tells_nothing_is_mute() {
    let mut house = house(&[11], &["lamp"]);
    house.servers[0].mute = true;
    house.run(120 * SECOND);
    assert_eq!(since(&house, Duration::ZERO)[..2], [subscribed("lamp"), lost("lamp", Lost::Mute)]);
    assert!(house.servers[0].subscribes < 15, "with growing pauses: {}", house.servers[0].subscribes);
}

#[test]
fn word_from_elsewhere_renews_at_once() {
    let mut house = house(&[11], &["lamp"]);
    house.run(2 * SECOND);
    house.forget(0);
    house.watcher.renew(house.now, asterisk::ServerId(0));
    house.run(3 * SECOND);
    assert_eq!(since(&house, 2 * SECOND)[..2], [lost("lamp", Lost::Forgotten), subscribed("lamp")]);
}

#[test]
fn unsubscribing_ends_all_even_at_a_dead_server() {
    let mut house = house(&[11, 12], &["1001", "1002"]);
    house.run(2 * SECOND);
    house.servers[1].frozen = true;
    house.watcher.unsubscribe(house.now);
    assert!(!house.watcher.is_quiet());
    house.run(60 * SECOND);
    assert!(house.watcher.is_quiet());
    assert_eq!((house.watcher.poll_timeout(), since(&house, 2 * SECOND)), (None, vec![]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn in_any_weather_the_lamp_ends_as_the_server_has_it(
        seed: u64, lost_percent in 0..40_u64, twice_percent in 0..40_u64, delay_ms_max in 1..900_u64,
        steps in prop::collection::vec((0..4_u8, 0..2_usize, 1..4000_u64), 1..25),
    ) {
        let weather = Weather { lost_percent, twice_percent, delay_ms_max };
        let mut house = House::new(watcher(&[11, 12], &["1001", "1002"], seed), 2, seed, weather);
        for (step, server, millis) in steps {
            match step {
                0 => house.set(server, LampState::Terminated),
                1 => house.set(server, LampState::Early),
                2 => house.set(server, LampState::Confirmed),
                _ => house.forget(server),
            }
            let until = house.now + Duration::from_millis(millis);
            house.run(until);
        }
        house.weather = CALM;
        // A life, the longest wait, and the time for a few exchanges.
        let until = house.now + Duration::from_secs(u64::from(EXPIRES_S) + 60 + 60);
        house.run(until);
        for server in 0..2 {
            let state = house.servers[server].state.unwrap_or(LampState::Terminated);
            let shown = house.shown(server);
            prop_assert_eq!(shown.len(), 2);
            for event in shown.values() {
                prop_assert!(matches!(event, Event::Lamp { state: s, .. } if *s == state), "{:?}", event);
            }
        }
    }
}

//! Two agents talk over networks of all kinds.

use crate::network::{self, EID, MS, PEER, Pair, Weather, address, counts, lamp};
use asterisk::{Agent, DropKind, Event, Failure, Outcome, Verdict};
use presence::{Change, DeviceState};
use std::time::Duration;

const STORM: Weather = Weather { lost_percent: 25, twice_percent: 25, delay_ms_max: 700, cut: false };
const SECOND: Duration = Duration::from_secs(1);

/// Each side publishes counts 1..=last, one after the other, the next one when this one is accepted.
fn publish_all(pair: &mut Pair, last: u32) {
    let (mut sent, mut seen) = ([1; 2], [0; 2]);
    for side in 0..2 {
        pair.publish(side, &counts(1));
    }
    while sent.iter().any(|sent| *sent <= last) {
        let before = seen;
        let news = pair.run_while(pair.now + 60 * SECOND, |pair| {
            (0..2).all(|side| pair.events[side].len() == before[side])
        });
        assert!(news, "nothing moves at {:?}", pair.now);
        for side in 0..2 {
            for index in seen[side]..pair.events[side].len() {
                if let Event::Published { outcome, .. } = pair.events[side][index].1 {
                    sent[side] += u32::from(outcome == Outcome::Accepted);
                    if sent[side] <= last {
                        pair.publish(side, &counts(sent[side]));
                    }
                }
            }
            seen[side] = before[side].max(pair.events[side].len());
        }
    }
}

/// What one side was told, repetitions taken out.
fn counts_told(pair: &Pair, side: usize) -> Vec<u32> {
    let mut told = Vec::new();
    for event in pair.told(side) {
        if let Event::Report { change: Change::Mwi { counts, .. }, .. } = event {
            told.push(counts.new);
        }
    }
    told.dedup();
    told
}

#[test]
fn every_state_arrives_in_order_whatever_the_network_does() {
    for seed in 0..60 {
        let password = (seed % 2 == 1).then_some("secret");
        let mut pair = Pair::new(seed, STORM, [password; 2]);
        publish_all(&mut pair, 30);
        for side in 0..2 {
            assert_eq!(counts_told(&pair, side), (1..=30).collect::<Vec<_>>(), "seed {seed} side {side}");
        }
        let counters = pair.agents[0].counters();
        assert!(counters.retransmissions > 0 && counters.repeated_requests > 0, "seed {seed}: {counters:?}");
    }
}

/// Publishes one state until it is accepted, while `trouble` strikes every two seconds.
fn insist(pair: &mut Pair, change: &Change, mut trouble: impl FnMut(&mut Pair)) {
    loop {
        let before = pair.events[0].len();
        pair.publish(0, change);
        let ended = |pair: &Pair| {
            pair.events[0][before..].iter().find_map(|(_, event)| match event {
                Event::Published { outcome, .. } => Some(*outcome),
                Event::Report { .. }
                | Event::RefreshAsked { .. }
                | Event::Restarted { .. }
                | Event::Forgotten { .. }
                | Event::Silent { .. }
                | Event::Alive { .. } => None,
            })
        };
        while !pair.run_while(pair.now + 2 * SECOND, |pair| ended(pair).is_none()) {
            trouble(pair);
        }
        if ended(pair) == Some(Outcome::Accepted) {
            return;
        }
    }
}

#[test]
fn cuts_and_restarts_delay_states_and_never_turn_them_back() {
    for seed in 0..40 {
        let mut pair = Pair::new(seed, STORM, [(seed % 2 == 0).then_some("secret"); 2]);
        let mut strikes = seed;
        for count in 1..=30 {
            insist(&mut pair, &counts(count), |pair| {
                strikes += 1;
                pair.weather.cut = strikes % 5 < 2;
                if strikes % 7 == 0 {
                    pair.restart(1);
                }
            });
        }
        let told = counts_told(&pair, 1);
        assert!(told.is_sorted() && told.last() == Some(&30), "seed {seed}: {told:?}");
        assert_eq!(told, (1..=30).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn on_a_calm_network_nothing_is_counted_as_wrong() {
    let mut pair = Pair::new(7, Weather { delay_ms_max: 3, ..Weather::default() }, [Some("secret"); 2]);
    publish_all(&mut pair, 500);
    let counters = pair.agents[0].counters();
    assert!(counters.drops.is_empty() && counters.publishes_failed.is_empty(), "{counters:?}");
    assert_eq!((counters.retransmissions, counters.forgotten), (0, 0));
    assert_eq!((counters.reports, counters.publishes_accepted), (500, 500));
    assert!(counters.challenges_received <= 2, "a nonce serves many requests: {counters:?}");
}

#[test]
fn a_publication_is_renewed_for_hours_without_a_word_from_the_caller() {
    let mut pair = Pair::calm();
    pair.publish(0, &counts(1));
    pair.publish(1, &counts(1));
    pair.run(Duration::from_secs(6 * 3600));
    for side in 0..2 {
        assert_eq!(pair.told(side).len(), 3, "Alive, Report and Published: {:?}", pair.events[side]);
        let counters = pair.agents[side].counters();
        assert_eq!((counters.publications_expired, counters.forgotten, counters.publishes_begun), (0, 0, 8));
    }
}

#[test]
fn a_cut_is_noticed_within_six_seconds_and_its_end_at_once() {
    let mut pair = Pair::calm();
    pair.run(SECOND);
    pair.weather.cut = true;
    pair.run(8 * SECOND);
    for side in 0..2 {
        let (at, event) = pair.events[side].last().unwrap();
        assert_eq!(*event, Event::Silent { server: PEER });
        assert!((5 * SECOND..=7 * SECOND).contains(at), "{at:?}");
    }
    pair.publish(0, &counts(9));
    pair.run(13 * SECOND);
    pair.weather.cut = false;
    pair.run(14_100 * MS);
    let alive = Event::Alive { server: PEER };
    let published = Event::Published { server: PEER, outcome: Outcome::Accepted };
    assert!(pair.told(0).ends_with(&[&alive, &published]), "{:?}", pair.events[0]);
    assert_eq!(counts_told(&pair, 1), [9]);
    assert!(pair.agents[0].is_quiet());
}

#[test]
fn a_server_that_stays_away_is_reported_and_the_message_given_up() {
    let mut pair = Pair::calm();
    pair.weather.cut = true;
    pair.publish(0, &counts(1));
    pair.run(60 * SECOND);
    let silent = Event::Silent { server: PEER };
    let unanswered = Event::Published { server: PEER, outcome: Outcome::Unanswered };
    assert_eq!(pair.told(0), [&silent, &unanswered]);
    assert_eq!(pair.events[0][1].0, 8 * SECOND);
    assert_eq!(pair.agents[0].counters().publishes_failed[&Failure::Timeout], 1);
}

#[test]
fn a_server_that_restarted_is_told_anew_and_the_caller_knows() {
    let mut pair = Pair::calm();
    pair.publish(0, &counts(1));
    pair.run(SECOND);
    pair.restart(1);
    pair.publish(0, &counts(2));
    pair.run(2 * SECOND);
    assert_eq!(counts_told(&pair, 1), [1, 2]);
    let forgotten = Event::Forgotten { server: PEER };
    assert_eq!(pair.told(0).iter().filter(|event| ***event == forgotten).count(), 1);
    assert_eq!(pair.agents[0].counters().publishes_accepted, 2);
}

#[test]
fn a_refresh_is_asked_for_both_packages_and_heard_once() {
    let mut pair = Pair::calm();
    pair.agents[0].request_refresh(pair.now, PEER);
    pair.run(SECOND);
    let published = Event::Published { server: PEER, outcome: Outcome::Accepted };
    assert!(pair.told(0).contains(&&published));
    let restarted = Event::Restarted { server: PEER, eid: EID };
    assert_eq!(pair.told(1), [&Event::Alive { server: PEER }, &restarted]);
    pair.agents[0].request_refresh(pair.now, PEER);
    pair.run(3 * SECOND);
    assert_eq!(pair.told(1).len(), 3, "asked again is heard again");
}

#[test]
fn a_withdrawal_ends_both_publications_and_says_goodbye() {
    let mut pair = Pair::calm();
    pair.publish(0, &counts(1));
    pair.run(SECOND);
    pair.publish(0, &lamp("Custom:lamp", DeviceState::InUse));
    pair.run(SECOND + SECOND / 2);
    pair.agents[0].withdraw_publications(pair.now);
    assert!(!pair.agents[0].is_quiet());
    assert!(pair.run_while(2 * SECOND, |pair| !pair.agents[0].is_quiet()));
    assert_eq!(pair.told(1).last(), Some(&&Event::Silent { server: PEER }));
    pair.publish(0, &counts(2));
    pair.run(3 * SECOND);
    assert_eq!(counts_told(&pair, 1), [1, 2], "it may come back");
}

#[test]
fn a_refused_state_is_answered_with_the_reason_and_tried_again_later() {
    let mut pair = Pair::calm();
    pair.verdict = Verdict::Refuse("Not Your EID");
    pair.publish(0, &counts(1));
    pair.run(SECOND);
    assert!(pair.told(0).contains(&&Event::Published { server: PEER, outcome: Outcome::Unanswered }));
    assert_eq!(pair.agents[0].counters().publishes_failed[&Failure::Status(403)], 1);
    assert_eq!(pair.agents[1].counters().drops[&DropKind::Refused], 1);
}

#[test]
fn a_wrong_password_is_tried_twice_and_no_more() {
    let mut pair =
        Pair::new(1, Weather { delay_ms_max: 2, ..Weather::default() }, [Some("wrong"), Some("right")]);
    pair.publish(0, &counts(1));
    pair.run(SECOND);
    assert!(pair.told(0).contains(&&Event::Published { server: PEER, outcome: Outcome::Unanswered }));
    assert_eq!(pair.agents[0].counters().publishes_failed[&Failure::Status(401)], 1);
    let counters = pair.agents[1].counters();
    assert!((1..=2).contains(&counters.drops[&DropKind::WrongCredentials]), "{counters:?}");
    assert_eq!(counters.reports, 0);
}

fn replies(agent: &mut Agent, datagram: &[u8], from: std::net::SocketAddr) -> Vec<String> {
    while agent.poll_transmit().is_some() {}
    agent.handle_datagram(SECOND, from, datagram);
    let payloads = std::iter::from_fn(|| agent.poll_transmit());
    payloads.map(|transmit| String::from_utf8_lossy(&transmit.payload).into_owned()).collect()
}

fn request(method: &str) -> String {
    format!(
        "{method} sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2;rport;branch=z9hG4bK{method}\r\nFrom: <sip:presence.0.0.1>;tag=1\r\n\
         To: <sip:presence.0.0.2>\r\nCall-ID: 4b6b44d-8384-479f-ad52-955ac2af4e2e\r\nCSeq: 1 {method}\r\n\r\n"
    )
}

#[test]
fn strangers_get_403_and_leave_nothing() {
    let mut agent = network::agent(0, 1, None, Duration::ZERO);
    let stranger = "127.0.0.9:5060".parse().unwrap();
    let publish = request("PUBLISH");
    let answers = replies(&mut agent, publish.as_bytes(), stranger);
    assert!(answers[0].starts_with("SIP/2.0 403 Forbidden\r\n"), "{answers:?}");
    assert!(answers[0].len() <= 2 * publish.len());
    assert!(replies(&mut agent, request("ACK").as_bytes(), stranger).is_empty());
    assert_eq!(agent.counters().drops[&DropKind::UnknownSource], 2);
    assert!(agent.poll_event().is_none());
}

#[test]
fn other_methods_are_answered_as_the_standard_says() {
    let mut agent = network::agent(0, 1, None, Duration::ZERO);
    let mut answer = |method| replies(&mut agent, request(method).as_bytes(), address(1));
    assert!(answer("OPTIONS")[0].starts_with("SIP/2.0 200 OK\r\n"));
    let refused = answer("INVITE");
    assert!(refused[0].starts_with("SIP/2.0 405 ") && refused[0].contains("Allow: PUBLISH, OPTIONS\r\n"));
    assert!(answer("ACK").is_empty());
    assert!(answer("PUBLISH")[0].starts_with("SIP/2.0 489 "));
    assert_eq!(answer("INVITE"), refused, "a repeated request gets the same answer");
}

#[test]
fn with_credentials_nothing_counts_as_life_before_they_are_shown() {
    let mut agent = network::agent(0, 1, Some("secret"), Duration::ZERO);
    let answers = replies(&mut agent, request("OPTIONS").as_bytes(), address(1));
    assert!(answers[0].starts_with("SIP/2.0 401 ") && answers[0].contains("qop=\"auth\""), "{answers:?}");
    assert!(agent.poll_event().is_none());
}

#[test]
fn two_servers_at_one_address_are_told_apart_by_port() {
    let server = |port: u16| asterisk::ServerConfig {
        name: port.to_string(),
        address: ([127, 0, 0, 2], port).into(),
        credentials: None,
    };
    let config = asterisk::AgentConfig {
        local: address(0),
        eid: EID,
        servers: vec![server(5060), server(5062)],
        seed: 1,
    };
    let mut agent = Agent::new(config, Duration::ZERO);
    agent.handle_datagram(SECOND, ([127, 0, 0, 2], 5062).into(), request("OPTIONS").as_bytes());
    assert_eq!(agent.poll_event(), Some(Event::Alive { server: asterisk::ServerId(1) }));
    agent.handle_datagram(SECOND, ([127, 0, 0, 2], 9999).into(), request("OPTIONS").as_bytes());
    assert_eq!(agent.counters().drops[&DropKind::UnknownSource], 1);
}

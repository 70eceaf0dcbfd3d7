//! One SIP message, as the agent and the watcher of lamps read it.
//!
//! The first byte of an input says whether a server sends the rest or a stranger.

use crate::sip::{Plain, is_keep_alive, is_request};
use asterisk::lamp::{self, Watched, Watcher, WatcherConfig};
use asterisk::{Agent, AgentConfig, DropKind, Event, ServerConfig, Verdict};
use presence::Eid;
use std::net::SocketAddr;
use std::time::Duration;

const NOW: Duration = Duration::from_secs(1);
const US: u8 = 1;
const SERVER: u8 = 2;
const STRANGER: u8 = 9;

/// Agent and watcher agree on what a message is; a request of a server has one answer, which is its own; a stranger
/// gets no more than twice what it sent.
///
/// # Panics
/// When that does not hold.
pub fn run(data: &[u8]) {
    let (from, datagram) = data.split_first().unwrap_or((&0, &[]));
    let is_stranger = from & 1 == 1;
    let from = address(if is_stranger { STRANGER } else { SERVER });
    let (agent, watcher) = (at_agent(from, datagram), at_watcher(from, datagram));
    assert_eq!(agent.malformed, watcher.malformed, "one parser, one opinion");
    for outcome in [&agent, &watcher] {
        let is_answered = is_request(datagram) && !outcome.malformed && !is_stranger;
        match &outcome.answers[..] {
            [] => assert!(!is_answered, "a request has an answer"),
            [answer] => is_answer_to(datagram, answer),
            answers => panic!("{} answers to one datagram", answers.len()),
        }
        let is_seen = outcome.drops > 0 || !outcome.answers.is_empty();
        assert!(is_seen || is_keep_alive(datagram) || !is_request(datagram), "answered or counted");
    }
    if is_stranger {
        assert!(watcher.answers.is_empty(), "the watcher ignores strangers");
        assert!(agent.answers.iter().all(|answer| answer.len() <= 2 * datagram.len()), "no amplification");
        assert_eq!(
            (agent.drops > 0, watcher.drops > 0),
            (!is_keep_alive(datagram), !is_keep_alive(datagram))
        );
    }
}

/// What came of the datagram.
struct Outcome {
    malformed: bool,
    drops: u64,
    answers: Vec<Vec<u8>>,
}

fn at_agent(from: SocketAddr, datagram: &[u8]) -> Outcome {
    let server = ServerConfig { name: String::new(), address: address(SERVER), credentials: None };
    let eid = Eid([2, 0, 0, 0, 1, 0x21]);
    let mut agent = Agent::new(AgentConfig { local: address(US), eid, servers: vec![server], seed: 1 }, NOW);
    agent.handle_datagram(NOW, from, datagram);
    while let Some(event) = agent.poll_event() {
        if let Event::Report { report, .. } = event {
            agent.answer(NOW, report, Verdict::Accept);
        }
    }
    let answers = std::iter::from_fn(|| agent.poll_transmit());
    let answers =
        answers.inspect(|answer| assert_eq!(answer.to.ip(), from.ip())).map(|answer| answer.payload);
    let answers = answers.collect();
    let drops = &agent.counters().drops;
    Outcome { malformed: drops.contains_key(&DropKind::Malformed), drops: drops.values().sum(), answers }
}

fn at_watcher(from: SocketAddr, datagram: &[u8]) -> Outcome {
    let server = Watched { address: address(SERVER), credentials: None, extensions: Vec::new() };
    let config = WatcherConfig { local: address(US), servers: vec![server], expires_s: 60, seed: 1 };
    let mut watcher = Watcher::new(config, NOW);
    watcher.handle_datagram(NOW, from, datagram);
    assert!(watcher.poll_event().is_none(), "nothing is watched");
    let answers = std::iter::from_fn(|| watcher.poll_transmit());
    let answers =
        answers.inspect(|answer| assert_eq!(answer.to.ip(), from.ip())).map(|answer| answer.payload);
    let answers = answers.collect();
    let drops = &watcher.counters().drops;
    Outcome {
        malformed: drops.contains_key(&lamp::DropKind::Malformed),
        drops: drops.values().sum(),
        answers,
    }
}

/// The answer names its request as the sender did; where the request is odd, only we know how we read it.
fn is_answer_to(datagram: &[u8], answer: &[u8]) {
    assert!(is_request(datagram), "no answer to what is no request");
    let answer = Plain::sent(answer);
    assert!(answer.is_answer());
    let Ok(request) = Plain::read(datagram) else { return };
    for name in ["From", "Call-ID"] {
        assert_eq!(answer.header(name), request.header(name));
    }
    assert!(answer.header("To").starts_with(request.header("To")));
    assert_eq!(answer.branch(), request.branch());
    let (count, method) = request.header("CSeq").split_once([' ', '\t']).expect("a number and a method");
    let count: u32 = count.parse().expect("a number");
    assert_eq!(answer.header("CSeq"), format!("{count} {}", method.trim()));
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([198, 18, 0, last], 5060))
}

//! The body of a PUBLISH, in an envelope that is right.
//!
//! The first byte of an input says which event package the envelope names; the rest is the body.

use asterisk::{Agent, AgentConfig, DropKind, Event, ServerConfig, ServerId, Verdict};
use presence::{Change, Eid, Message};
use std::net::SocketAddr;
use std::time::Duration;

const NOW: Duration = Duration::from_secs(1);
const OWN: Eid = Eid([2, 0, 0, 0, 1, 0x21]);

/// Any body is a state, a request for a refresh, or a 400 that changes nothing. What is taken from one server can be
/// told to another and to the group, and means the same there.
///
/// # Panics
/// When that does not hold.
pub fn run(data: &[u8]) {
    let (package, body) = data.split_first().unwrap_or((&0, &[]));
    let package = ["asterisk-devicestate", "asterisk-mwi"][usize::from(package & 1)];
    let mut agent = agent(1);
    let (events, answer) = publish(&mut agent, 1, &envelope(1, package, body));
    let changes = reports(&events);
    let refused = agent.counters().drops.get(&DropKind::Body).copied().unwrap_or_default();
    if answer.starts_with("SIP/2.0 400 ") {
        assert_eq!((changes.len(), refused), (0, 1), "a refused body is counted and states nothing");
        let again = r#"{"type":"refresh","eid":"02:00:00:00:01:13"}"#;
        let (events, answer) = publish(&mut agent, 1, &envelope(2, package, again.as_bytes()));
        assert!(answer.starts_with("SIP/2.0 200 ") && is_asked(&events));
        return;
    }
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    assert_eq!(refused, 0);
    let [(eid, change)] = &changes[..] else {
        assert!(body.is_empty() || is_asked(&events));
        return;
    };
    reaches_another_server(*eid, change);
    reaches_the_group(*eid, change);
}

/// Our own PUBLISH of it, read by another agent, states the same.
fn reaches_another_server(eid: Eid, change: &Change) {
    let (mut teller, mut hearer) = (agent(1), agent(2));
    teller.publish(NOW, ServerId(1), eid, change);
    let publish_bytes = teller.poll_transmit().expect("a publication is sent at once").payload;
    let (events, answer) = publish(&mut hearer, 1, &publish_bytes);
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    assert_eq!(reports(&events), [(eid, change.clone())], "told on, it means the same");
}

/// The event for the group, read by another member, states the same.
fn reaches_the_group(eid: Eid, change: &Change) {
    let message = Message::Change { eid, change: change.clone(), stamp: None };
    let bytes = wire::event::encode(&message);
    assert_eq!(wire::event::decode(&bytes), Ok(message), "said on, it means the same");
}

/// Whether the server has asked for everything.
fn is_asked(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Restarted { server: ServerId(0), .. }))
}

fn reports(events: &[Event]) -> Vec<(Eid, Change)> {
    let report = |event: &Event| match event {
        Event::Report { eid, change, .. } => Some((*eid, change.clone())),
        Event::RefreshAsked { .. }
        | Event::Restarted { .. }
        | Event::Forgotten { .. }
        | Event::Published { .. }
        | Event::Silent { .. }
        | Event::Alive { .. } => None,
    };
    events.iter().filter_map(report).collect()
}

/// What the agent is told by this datagram of the server at `from`, and its one answer.
fn publish(agent: &mut Agent, from: u8, datagram: &[u8]) -> (Vec<Event>, String) {
    agent.handle_datagram(NOW, address(from), datagram);
    let mut events = Vec::new();
    while let Some(event) = agent.poll_event() {
        if let Event::Report { report, .. } = event {
            agent.answer(NOW, report, Verdict::Accept);
        }
        events.push(event);
    }
    let answer = agent.poll_transmit().expect("a PUBLISH has an answer").payload;
    assert!(agent.poll_transmit().is_none(), "and only one");
    (events, String::from_utf8(answer).expect("we send text"))
}

/// An agent at this address that knows the servers at the addresses 1 and 2 by their addresses.
fn agent(own: u8) -> Agent {
    let server = |at| ServerConfig { name: String::new(), address: address(at), credentials: None };
    let servers = vec![server(1), server(2)];
    Agent::new(
        AgentConfig { local: address(100 + own), eid: OWN, servers, seed: u64::from(own) },
        Duration::ZERO,
    )
}

fn envelope(cseq: u32, package: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "PUBLISH sip:presence@198.18.0.101:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 198.18.0.1:5060;rport;branch=z9hG4bK{cseq}\r\n\
         From: <sip:presence@198.18.0.1>;tag=1\r\nTo: <sip:presence@198.18.0.101>\r\nCall-ID: c\r\nCSeq: {cseq} PUBLISH\r\n\
         Event: {package}\r\nExpires: 300\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([198, 18, 0, last], 5060))
}

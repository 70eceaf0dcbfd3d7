//! The agent against what a stock Asterisk really sends (tests/captured/README.md).

use asterisk::{Agent, AgentConfig, Credentials, Event, Outcome, ServerConfig, ServerId, Verdict};
use presence::{Change, Device, DeviceState, Eid, Mailbox, MessageCounts};
use std::net::SocketAddr;
use std::time::Duration;

const NOW: Duration = Duration::from_secs(1);
const SERVER: ServerId = ServerId(0);
const EID: Eid = Eid([2, 0, 0, 0, 9, 3]);

macro_rules! captured {
    ($name:literal) => {
        include_str!(concat!("../captured/", $name, ".sip"))
    };
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([198, 18, 77, last], 5060))
}

fn agent(credentials: Option<Credentials>) -> Agent {
    let server = ServerConfig { name: "pbx".into(), address: address(13), credentials };
    Agent::new(AgentConfig { local: address(21), eid: EID, servers: vec![server], seed: 1 }, NOW)
}

/// The last datagram that the agent sends now.
fn sent(agent: &mut Agent) -> String {
    let last = std::iter::from_fn(|| agent.poll_transmit()).last().expect("something is sent");
    assert_eq!(last.to, address(13));
    String::from_utf8(last.payload).expect("we send text")
}

fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let header = text.lines().find_map(|line| line.strip_prefix(name));
    header.unwrap_or_else(|| panic!("no {name} in {text}")).trim()
}

fn branch(text: &str) -> &str {
    value(text, "Via:").split_once("branch=").expect("a branch").1.split(';').next().unwrap_or_default()
}

/// Sends a captured request, under the entity tag that this agent gave; the answer and its tag.
fn request(agent: &mut Agent, captured: &str, tag: Option<&str>) -> (String, String) {
    let text = match tag {
        Some(tag) => captured.replace(value(captured, "SIP-If-Match:"), tag),
        None => captured.to_owned(),
    };
    agent.handle_datagram(NOW, address(13), text.as_bytes());
    let events: Vec<_> = std::iter::from_fn(|| agent.poll_event()).collect();
    for event in &events {
        if let Event::Report { report, .. } = event {
            agent.answer(NOW, *report, Verdict::Accept);
        }
    }
    let answer = sent(agent);
    assert!(answer.starts_with("SIP/2.0 200 OK\r\n"), "{answer}");
    assert_eq!((value(&answer, "CSeq:"), branch(&answer)), (value(captured, "CSeq:"), branch(captured)));
    (value(&answer, "SIP-ETag:").to_owned(), format!("{events:?}"))
}

#[test]
fn the_life_of_a_server_from_start_to_graceful_stop() {
    let mut agent = agent(None);
    let (devices, events) = request(&mut agent, captured!("refresh-devicestate"), None);
    assert_eq!(
        events,
        "[Alive { server: ServerId(0) }, Restarted { server: ServerId(0), eid: 02:00:00:00:09:03 }]"
    );
    let (mailboxes, events) = request(&mut agent, captured!("refresh-mwi"), None);
    assert_eq!(events, "[]", "one dump answers both");
    let (devices, events) = request(&mut agent, captured!("modify-devicestate"), Some(&devices));
    assert!(
        events.contains("DeviceState { device: PJSIP/1005, state: Unavailable, cachable: true }"),
        "{events}"
    );
    let (_, events) = request(&mut agent, captured!("modify-mwi"), Some(&mailboxes));
    assert!(
        events.contains("Mwi { mailbox: 100@default, counts: MessageCounts { new: 0, old: 0 } }"),
        "{events}"
    );
    let (_, events) = request(&mut agent, captured!("renewal"), Some(&devices));
    assert_eq!(events, "[]");
    assert!(agent.counters().drops.is_empty());
}

#[test]
fn a_graceful_stop_is_a_goodbye() {
    let mut agent = agent(None);
    let (tag, _) = request(&mut agent, captured!("refresh-devicestate"), None);
    let (_, events) = request(&mut agent, captured!("removal"), Some(&tag));
    assert_eq!(events, "[Silent { server: ServerId(0) }]");
}

/// Asterisk counts entity tags from 0 in each process and for all packages together: an old one may name the
/// publication of the other package, which would take our state with 200 and lose it.
#[test]
fn who_said_goodbye_and_comes_back_is_told_under_no_old_entity_tag() {
    let mut agent = agent(None);
    let (tag, _) = request(&mut agent, captured!("refresh-devicestate"), None);
    let change = Change::Mwi {
        mailbox: Mailbox::new("100@default").expect("a mailbox"),
        counts: MessageCounts::default(),
    };
    agent.publish(NOW, SERVER, EID, &change);
    let publish = sent(&mut agent);
    let answer = captured!("publish-200");
    agent.handle_datagram(NOW, address(13), answer.replace(branch(answer), branch(&publish)).as_bytes());
    request(&mut agent, captured!("removal"), Some(&tag));
    agent.publish(NOW, SERVER, EID, &change);
    assert!(!sent(&mut agent).contains("SIP-If-Match"));
}

#[test]
fn a_report_carries_the_eid_of_the_server_and_its_state() {
    let mut agent = agent(None);
    let (tag, _) = request(&mut agent, captured!("refresh-devicestate"), None);
    let captured = captured!("modify-devicestate");
    let text = captured.replace(value(captured, "SIP-If-Match:"), &tag);
    agent.handle_datagram(NOW, address(13), text.as_bytes());
    let device = Device::new("PJSIP/1005").expect("a device");
    let expected = Change::DeviceState { device, state: DeviceState::Unavailable, cachable: true };
    let Some(Event::Report { server: SERVER, eid: EID, change, .. }) = agent.poll_event() else {
        panic!("no report")
    };
    assert_eq!(change, expected);
}

#[test]
fn answers_of_a_server_that_allows_by_address() {
    let mut agent = agent(None);
    agent.handle_timeout(NOW);
    let options = sent(&mut agent);
    let answer = captured!("options-200");
    agent.handle_datagram(NOW, address(13), answer.replace(branch(answer), branch(&options)).as_bytes());
    assert_eq!(agent.poll_event(), Some(Event::Alive { server: SERVER }));
    let counts = MessageCounts { new: 1, old: 0 };
    let change = Change::Mwi { mailbox: Mailbox::new("100@default").expect("a mailbox"), counts };
    agent.publish(NOW, SERVER, EID, &change);
    let publish = sent(&mut agent);
    let answer = captured!("publish-200");
    agent.handle_datagram(NOW, address(13), answer.replace(branch(answer), branch(&publish)).as_bytes());
    assert_eq!(agent.poll_event(), Some(Event::Published { server: SERVER, outcome: Outcome::Accepted }));
    agent.publish(NOW, SERVER, EID, &change);
    assert_eq!(value(&sent(&mut agent), "SIP-If-Match:"), "0");
    assert!(agent.counters().drops.is_empty());
}

#[test]
fn a_challenge_to_options_spares_the_next_publish_one() {
    let credentials = Credentials { user: "presence".into(), password: "zz".into() };
    let mut agent = agent(Some(credentials));
    agent.handle_timeout(NOW);
    let options = sent(&mut agent);
    let answer = captured!("options-401");
    agent.handle_datagram(NOW, address(13), answer.replace(branch(answer), branch(&options)).as_bytes());
    assert_eq!(agent.poll_event(), Some(Event::Alive { server: SERVER }));
    agent.request_refresh(NOW, SERVER);
    let publish = sent(&mut agent);
    assert!(
        value(&publish, "Authorization:").contains("nc=00000002"),
        "both packages share the nonce: {publish}"
    );
}

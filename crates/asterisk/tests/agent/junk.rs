//! Whatever arrives, the agent neither panics nor grows, and still does its work.

use crate::network::{self, EID, PEER, address, counts};
use asterisk::{Agent, Event, Verdict};
use proptest::prelude::*;
use std::time::Duration;

const PUBLISH: &str = "PUBLISH sip:presence@127.0.0.1:5060 SIP/2.0\r\n\
    Via: SIP/2.0/UDP 127.0.0.2:5060;rport;branch=z9hG4bKPj1\r\nFrom: <sip:presence@127.0.0.1>;tag=1\r\n\
    To: <sip:east@127.0.0.1>\r\nCall-ID: c\r\nCSeq: 5 PUBLISH\r\nEvent: asterisk-devicestate\r\nExpires: 300\r\n\
    Authorization: Digest username=\"presence\", realm=\"asterism\", nonce=\"1.2.3\", uri=\"sip:x\", \
    response=\"00\", algorithm=MD5, cnonce=\"4\", qop=auth, nc=00000001\r\nContent-Type: application/json\r\n\r\n\
    {\"type\":\"devicestate\",\"device\":\"Custom:a\",\"state\":\"INUSE\",\"cachable\":1,\"eid\":\"02:00:00:00:01:03\"}";
const ANSWER: &str = "SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=@\r\n\
    From: <sip:presence@127.0.0.1:5060>;tag=1\r\nTo: <sip:presence@127.0.0.2>;tag=2\r\nCall-ID: c\r\n\
    CSeq: 1 PUBLISH\r\nSIP-ETag: 7\r\nExpires: 300\r\nMin-Expires: 400\r\n\
    WWW-Authenticate: Digest realm=\"a\",nonce=\"b\",opaque=\"c\",algorithm=MD5,qop=\"auth\"\r\n\r\n";

/// Takes everything the agent has to give, and answers every report.
fn drain(agent: &mut Agent, now: Duration) -> Vec<String> {
    let mut sent = Vec::new();
    while let Some(event) = agent.poll_event() {
        if let Event::Report { report, .. } = event {
            agent.answer(now, report, Verdict::Accept);
        }
    }
    while let Some(transmit) = agent.poll_transmit() {
        sent.push(String::from_utf8(transmit.payload).expect("we send text"));
    }
    sent
}

/// The branch of the PUBLISH that is in flight.
fn branch(sent: &[String]) -> Option<String> {
    let publish = sent.iter().rfind(|text| text.starts_with("PUBLISH"))?;
    publish.split_once("branch=")?.1.split_once("\r\n").map(|(branch, _)| branch.to_owned())
}

fn damaged(text: &str, edits: &[(prop::sample::Index, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (at, new) in edits {
        let at = at.index(bytes.len());
        let end = bytes.len().min(at + new.len());
        bytes.splice(at..end, new.iter().copied());
    }
    bytes
}

fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, Vec<u8>)>> {
    let text = prop_oneof![
        any::<[u8; 1]>().prop_map(|byte| byte.to_vec()),
        "[ -~\r\n]{1,12}".prop_map(String::into_bytes)
    ];
    prop::collection::vec((any::<prop::sample::Index>(), text), 0..6)
}

proptest! {
    #[test]
    fn junk_and_damaged_requests_are_answered_or_counted(
        requests in prop::collection::vec(edits(), 1..20), junk in prop::collection::vec(any::<u8>(), 0..200), secret: bool,
    ) {
        let mut agent = network::agent(0, 1, secret.then_some("secret"), Duration::ZERO);
        for (second, edits) in (1..).zip(&requests) {
            let now = Duration::from_secs(second);
            for (bytes, side) in [(damaged(PUBLISH, edits), 1), (junk.clone(), 1), (damaged(PUBLISH, edits), 0)] {
                agent.handle_datagram(now, address(side), &bytes);
                drain(&mut agent, now);
            }
            agent.handle_timeout(now);
        }
    }

    #[test]
    fn damaged_answers_leave_an_agent_that_can_still_publish(answers in prop::collection::vec((200_u16..700, edits()), 1..12)) {
        let mut agent = network::agent(0, 1, Some("secret"), Duration::ZERO);
        let mut now = Duration::from_secs(1);
        agent.publish(now, PEER, EID, &counts(1));
        let mut in_flight = branch(&drain(&mut agent, now));
        for (code, edits) in &answers {
            let Some(branch) = &in_flight else { break };
            let text = ANSWER.replace('@', branch).replace("401", &code.to_string());
            agent.handle_datagram(now, address(1), &damaged(&text, edits));
            in_flight = branch_or(&drain(&mut agent, now), in_flight.clone());
        }
        now += Duration::from_secs(9);
        agent.handle_timeout(now);
        drain(&mut agent, now);
        prop_assert!(agent.is_quiet(), "timer F ends what no answer ended");
        agent.publish(now, PEER, EID, &counts(2));
        prop_assert!(branch(&drain(&mut agent, now)).is_some());
    }
}

fn branch_or(sent: &[String], last: Option<String>) -> Option<String> {
    branch(sent).or(last)
}

#[test]
fn a_flood_of_reports_that_nobody_answers_is_bounded() {
    let mut agent = network::agent(0, 1, None, Duration::ZERO);
    for count in 0..20_000 {
        let text =
            PUBLISH.replace("CSeq: 5", &format!("CSeq: {count}")).replace("Pj1", &format!("Pj{count}"));
        agent.handle_datagram(Duration::from_secs(1), address(1), text.as_bytes());
    }
    let events = std::iter::from_fn(|| agent.poll_event()).count();
    assert_eq!(events, 4096);
    assert_eq!(agent.counters().drops[&asterisk::DropKind::Overload], 20_000 - 4095);
    assert!(agent.poll_timeout().is_some());
}

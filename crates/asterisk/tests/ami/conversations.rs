//! Sessions step by step: login, actions, silence and the end.

use crate::{BANNER, SECOND, config, events, logged_in, ping, sent, session};
use asterisk::ami::{ActionId, Event, LINE_BYTES_MAX, Login, NotSent, Reason, Session, Unsendable};
use std::time::Duration;

#[test]
fn a_plain_login_shows_the_secret_and_a_challenge_does_not() {
    let mut plain = session(Login::Plain);
    plain.handle_bytes(Duration::ZERO, BANNER);
    assert_eq!(
        sent(&mut plain),
        "Action: Login\r\nUsername: lab\r\nEvents: call\r\nSecret: zz\r\nActionID: asterism-1\r\n\r\n"
    );
    let mut challenged = session(Login::Challenge);
    challenged.handle_bytes(Duration::ZERO, BANNER);
    assert_eq!(sent(&mut challenged), "Action: Challenge\r\nAuthType: MD5\r\nActionID: asterism-1\r\n\r\n");
    let answer = b"Response: Success\r\nActionID: asterism-1\r\nChallenge: 214345921\r\n\r\n";
    challenged.handle_bytes(Duration::ZERO, answer);
    let login = sent(&mut challenged);
    assert!(login.contains("AuthType: MD5\r\nKey: cdbf9b53aa0807926584d8c24d00a7d7\r\n"), "{login}");
    assert!(!login.contains("zz"));
}

#[test]
fn responses_find_their_actions_and_events_pass_between() {
    let mut session = logged_in();
    let first = session.request(SECOND, &ping()).expect("logged in");
    let second = session.request(SECOND, &ping()).expect("logged in");
    let text = format!("Event: E\r\nActionID: {first}\r\n\r\nResponse: Error\r\nActionID: {second}\r\n\r\n");
    let again = format!("Response: Success\r\nActionID: {first}\r\n\r\n").repeat(2);
    session.handle_bytes(SECOND, format!("{text}Response: Success\r\n\r\n{again}").as_bytes());
    let events = events(&mut session);
    let [Event::Event(item), Event::Response { action_id, message }, Event::Response { .. }] = &events[..]
    else {
        panic!("{events:?}")
    };
    assert_eq!((ActionId::of(item), *action_id), (Some(first), second));
    assert!(!message.is_success());
    assert_eq!(session.stray_responses(), 2, "one came again, one names no action");
}

#[test]
fn an_action_without_a_response_is_given_up_and_its_late_response_ignored() {
    let mut session = logged_in();
    let action_id = session.request(SECOND, &ping()).expect("logged in");
    session.handle_bytes(8 * SECOND, b"Event: E\r\n\r\n");
    session.handle_timeout(11 * SECOND);
    assert_eq!(events(&mut session)[1..], [Event::Unanswered { action_id }]);
    session
        .handle_bytes(12 * SECOND, format!("Response: Success\r\nActionID: {action_id}\r\n\r\n").as_bytes());
    assert_eq!((events(&mut session), session.stray_responses()), (vec![], 1));
}

#[test]
fn actions_are_taken_only_while_logged_in_and_within_bounds() {
    let mut early = session(Login::Plain);
    assert_eq!(early.request(SECOND, &ping()), Err(NotSent::NotLoggedIn));
    let mut session = logged_in();
    let sent = (0..2000).map_while(|_| session.request(SECOND, &ping()).ok()).count();
    assert_eq!((sent, session.request(SECOND, &ping())), (1024, Err(NotSent::Busy)));
    session.handle_close();
    assert_eq!(session.request(SECOND, &ping()), Err(NotSent::NotLoggedIn));
}

/// Runs a session whose server says nothing more; when it ended and what it sent.
fn run(session: &mut Session) -> (Duration, String) {
    let mut text = String::new();
    let mut last = Duration::ZERO;
    while let Some(now) = session.poll_timeout() {
        last = now;
        session.handle_timeout(now);
        text.push_str(&sent(session));
    }
    (last, text)
}

#[test]
fn a_silent_server_is_asked_and_then_given_up() {
    let mut session = logged_in();
    let (ended, text) = run(&mut session);
    assert_eq!(
        (ended, text.as_str()),
        (15 * SECOND, "Action: Ping\r\nActionID: asterism-2\r\n\r\n"),
        "one ping"
    );
    assert_eq!(events(&mut session), [Event::Dead(Reason::Silent)]);
}

#[test]
fn an_answered_ping_keeps_the_session_and_is_not_shown() {
    let mut session = logged_in();
    for count in 2..6 {
        let now = session.poll_timeout().expect("alive");
        session.handle_timeout(now);
        assert!(sent(&mut session).contains("Ping"));
        let answer = format!("Response: Success\r\nActionID: asterism-{count}\r\nPing: Pong\r\n\r\n");
        session.handle_bytes(now + SECOND, answer.as_bytes());
    }
    assert_eq!((events(&mut session), session.stray_responses()), (vec![], 0));
    assert_eq!(session.poll_timeout(), Some(54 * SECOND), "four times 10 s of quiet and 1 s for the answer");
}

#[test]
fn a_server_that_talks_is_never_asked() {
    let mut session = logged_in();
    for second in 1..60 {
        session.handle_timeout(second * SECOND);
        session.handle_bytes(second * SECOND, b"Event: E\r\n\r\n");
    }
    assert_eq!(sent(&mut session), "");
}

#[test]
fn a_login_that_takes_too_long_is_given_up_even_when_bytes_trickle() {
    let mut session = session(Login::Plain);
    session.handle_bytes(4 * SECOND, b"Asterisk Call ");
    assert_eq!(run(&mut session).0, 5 * SECOND);
    assert_eq!(events(&mut session), [Event::Dead(Reason::Login)]);
}

#[test]
fn every_end_is_named_and_is_the_last() {
    let long_line = vec![b'x'; LINE_BYTES_MAX + 3];
    let many_lines = b"Key: value\r\n".repeat(400_000);
    for (bytes, reason) in [
        (&b"SSH-2.0-OpenSSH\r\n"[..], Reason::NoAmi),
        (&[BANNER, &long_line].concat(), Reason::LongLine),
        (&[BANNER, &many_lines].concat(), Reason::LargeMessage),
    ] {
        let mut session = session(Login::Plain);
        session.handle_bytes(Duration::ZERO, bytes);
        assert_eq!(events(&mut session), [Event::Dead(reason)]);
        session.handle_bytes(SECOND, BANNER);
        session.handle_timeout(99 * SECOND);
        session.handle_close();
        assert_eq!((events(&mut session), session.poll_timeout()), (vec![], None), "{reason}");
        assert_eq!(sent(&mut session), "", "{reason}");
    }
}

#[test]
fn a_closed_connection_and_a_refused_challenge_end_the_session() {
    let mut closed = logged_in();
    closed.handle_close();
    assert_eq!(events(&mut closed), [Event::Dead(Reason::Closed)]);
    let mut refused = session(Login::Challenge);
    refused.handle_bytes(Duration::ZERO, BANNER);
    refused.handle_bytes(
        Duration::ZERO,
        b"Response: Error\r\nActionID: asterism-1\r\nMessage: Must specify AuthType\r\n\r\n",
    );
    refused.handle_close();
    assert_eq!(events(&mut refused), [Event::Refused { message: "Must specify AuthType".into() }]);
}

#[test]
fn a_driver_that_takes_no_events_ends_the_session_before_the_memory_is_full() {
    let mut session = logged_in();
    let flood = b"Event: E\r\nDevice: Custom:lamp\r\n\r\n".repeat(1000);
    let rounds = (0..2000).take_while(|_| {
        session.handle_bytes(SECOND, &flood);
        session.poll_timeout().is_some()
    });
    assert!((500..2000).contains(&rounds.count()));
    assert_eq!(events(&mut session).last(), Some(&Event::Dead(Reason::Overrun)));
}

#[test]
fn a_configuration_that_would_inject_an_action_is_refused_and_secrets_are_not_shown() {
    let mut evil = config(Login::Challenge);
    evil.secret = "zz\r\nAction: Command".into();
    assert_eq!(Session::new(evil, SECOND).err(), Some(Unsendable::Break));
    assert!(!format!("{:?}", config(Login::Plain)).contains("zz"));
}

//! The watcher against what a stock Asterisk really sends (tests/captured/README.md).

use crate::{EXPIRES_S, SECOND, address, branch, events, lamp, lost, sent, subscribed, tag, value, watcher};
use asterisk::lamp::{Event, LampState, Lost, Watcher};
use std::time::Duration;

macro_rules! captured {
    ($name:literal) => {
        include_str!(concat!("../captured/lamp/", $name, ".sip"))
    };
}

/// The only datagram that the watcher sends now.
fn only(watcher: &mut Watcher) -> String {
    let mut sent = sent(watcher);
    assert_eq!(sent.len(), 1, "{sent:?}");
    sent.remove(0)
}

/// A captured answer, as it would answer this request.
fn answer(watcher: &mut Watcher, now: Duration, captured: &str, request: &str) {
    let text = captured
        .replace(branch(captured), branch(request))
        .replace(value(captured, "Call-ID:"), value(request, "Call-ID:"))
        .replace(value(captured, "CSeq:"), value(request, "CSeq:"))
        .replace(tag(captured, "From:"), tag(request, "From:"));
    watcher.handle_datagram(now, address(11), text.as_bytes());
}

/// A captured NOTIFY of the subscription that this request made; the answer's status line.
fn notify(watcher: &mut Watcher, now: Duration, captured: &str, request: &str) -> String {
    let text = captured
        .replace(value(captured, "Call-ID:"), value(request, "Call-ID:"))
        .replace(tag(captured, "To:"), tag(request, "From:"));
    watcher.handle_datagram(now, address(11), text.as_bytes());
    let answer = only(watcher);
    assert_eq!((value(&answer, "CSeq:"), branch(&answer)), (value(&text, "CSeq:"), branch(&text)));
    answer.lines().next().unwrap_or_default().to_owned()
}

/// A watcher with a subscription, and the SUBSCRIBE that made it.
fn subscribed_watcher() -> (Watcher, String) {
    let mut watcher = watcher(&[11], &["lamp"], 1);
    watcher.handle_timeout(Duration::ZERO);
    let first = only(&mut watcher);
    assert!(first.starts_with("SUBSCRIBE sip:lamp@198.18.79.11:5060 SIP/2.0\r\n"), "{first}");
    assert_eq!(value(&first, "Contact:"), "<sip:watcher@198.18.79.1:5079>");
    answer(&mut watcher, Duration::ZERO, captured!("challenge"), &first);
    let second = only(&mut watcher);
    assert!(value(&second, "Authorization:").contains("realm=\"asterisk\""), "{second}");
    assert_eq!(value(&second, "CSeq:"), "2 SUBSCRIBE");
    assert_eq!(value(&second, "To:"), "<sip:lamp@198.18.79.11:5060>", "a challenge makes no dialog");
    answer(&mut watcher, Duration::ZERO, captured!("subscribe-200"), &second);
    assert_eq!(notify(&mut watcher, Duration::ZERO, captured!("notify-first"), &second), "SIP/2.0 200 OK");
    assert_eq!(events(&mut watcher), [subscribed("lamp"), lamp("lamp", LampState::Terminated)]);
    (watcher, second)
}

#[test]
fn a_lamp_follows_the_phone() {
    let (mut watcher, request) = subscribed_watcher();
    for (captured, state) in [
        (captured!("notify-ringing"), LampState::Early),
        (captured!("notify-held"), LampState::Confirmed),
        (captured!("notify-idle"), LampState::Terminated),
    ] {
        assert_eq!(notify(&mut watcher, SECOND, captured, &request), "SIP/2.0 200 OK");
        assert_eq!(events(&mut watcher), [lamp("lamp", state)]);
    }
    assert!(watcher.counters().drops.is_empty());
}

#[test]
fn what_was_overtaken_or_comes_again_changes_no_lamp() {
    let (mut watcher, request) = subscribed_watcher();
    for (captured, told) in [
        (captured!("notify-held"), vec![lamp("lamp", LampState::Confirmed)]),
        (captured!("notify-ringing"), vec![]),
        (captured!("notify-held"), vec![]),
        (captured!("notify-first"), vec![]),
    ] {
        assert_eq!(notify(&mut watcher, SECOND, captured, &request), "SIP/2.0 200 OK");
        assert_eq!(events(&mut watcher), told);
    }
    let counters = watcher.counters();
    assert_eq!((counters.repeated_notifies, counters.drops[&asterisk::lamp::DropKind::OutOfOrder]), (1, 2));
}

#[test]
fn a_refresh_goes_to_the_contact_within_the_dialog_and_tells_the_state_again() {
    let (mut watcher, request) = subscribed_watcher();
    let due = watcher.poll_timeout().expect("a refresh is due");
    let life = Duration::from_secs(u64::from(EXPIRES_S.min(10)));
    assert!(due >= life / 2 && due <= life * 3 / 4, "of the ten seconds granted: {due:?}");
    watcher.handle_timeout(due);
    let refresh = only(&mut watcher);
    assert!(refresh.starts_with("SUBSCRIBE sip:198.18.79.11:5060 SIP/2.0\r\n"), "{refresh}");
    assert_eq!(tag(&refresh, "To:"), tag(captured!("subscribe-200"), "To:"));
    assert!(value(&refresh, "Authorization:").contains("nc=00000002"), "the nonce serves again: {refresh}");
    answer(&mut watcher, due, captured!("subscribe-200"), &refresh);
    notify(&mut watcher, due, captured!("notify-refresh"), &request);
    assert_eq!(events(&mut watcher), [lamp("lamp", LampState::Terminated)]);
}

#[test]
fn a_notify_may_overtake_the_answer() {
    let mut watcher = watcher(&[11], &["lamp"], 1);
    watcher.handle_timeout(Duration::ZERO);
    let request = only(&mut watcher);
    assert_eq!(notify(&mut watcher, Duration::ZERO, captured!("notify-first"), &request), "SIP/2.0 200 OK");
    answer(&mut watcher, Duration::ZERO, captured!("subscribe-200"), &request);
    assert_eq!(events(&mut watcher), [subscribed("lamp"), lamp("lamp", LampState::Terminated)]);
}

#[test]
fn a_server_that_forgot_is_asked_anew_at_once() {
    let (mut watcher, request) = subscribed_watcher();
    let due = watcher.poll_timeout().expect("a refresh is due");
    watcher.handle_timeout(due);
    let refresh = only(&mut watcher);
    answer(&mut watcher, due, captured!("forgotten-481"), &refresh);
    assert_eq!(events(&mut watcher), [lost("lamp", Lost::Forgotten)]);
    let again = only(&mut watcher);
    assert_ne!(value(&again, "Call-ID:"), value(&request, "Call-ID:"));
    let stale = notify(&mut watcher, due, captured!("notify-held"), &request);
    assert_eq!(stale, "SIP/2.0 481 Subscription does not exist", "the old subscription is gone");
    answer(&mut watcher, due, captured!("subscribe-200"), &again);
    notify(&mut watcher, due, captured!("notify-first"), &again);
    assert_eq!(events(&mut watcher), [subscribed("lamp"), lamp("lamp", LampState::Terminated)]);
}

#[test]
fn an_extension_without_a_hint_is_named_once_and_tried_again_ever_later() {
    let mut watcher = watcher(&[11], &["nosuch"], 1);
    let (mut tries, mut told): (Vec<u64>, Vec<Event>) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let now = watcher.poll_timeout().expect("another try");
        watcher.handle_timeout(now);
        tries.push(now.as_secs());
        let request = only(&mut watcher);
        answer(&mut watcher, now, captured!("refused-404"), &request);
        told.extend(events(&mut watcher));
    }
    assert_eq!(told, [lost("nosuch", Lost::Refused(404))]);
    assert_eq!(tries, [0, 1, 3, 7, 15, 31, 63, 123, 183]);
}

#[test]
fn an_end_from_the_server_is_not_the_last_word() {
    let (mut watcher, request) = subscribed_watcher();
    let captured = captured!("notify-terminated")
        .replace(tag(captured!("notify-terminated"), "From:"), tag(captured!("notify-first"), "From:"));
    let text = captured.replace("5407 NOTIFY", "20000 NOTIFY");
    let text = text
        .replace(value(&text, "Call-ID:"), value(&request, "Call-ID:"))
        .replace(tag(&text, "To:"), tag(&request, "From:"));
    watcher.handle_datagram(SECOND, address(11), text.as_bytes());
    assert_eq!(events(&mut watcher), [lost("lamp", Lost::Ended)]);
    let sent = sent(&mut watcher);
    assert!(sent[0].starts_with("SIP/2.0 200 OK") && sent[1].starts_with("SUBSCRIBE "), "{sent:?}");
}

#[test]
fn a_goodbye_ends_the_subscription_and_nothing_follows() {
    let (mut watcher, request) = subscribed_watcher();
    watcher.unsubscribe(SECOND);
    assert!(!watcher.is_quiet());
    let goodbye = only(&mut watcher);
    assert_eq!(value(&goodbye, "Expires:"), "0");
    answer(&mut watcher, SECOND, captured!("unsubscribe-200"), &goodbye);
    assert!(watcher.is_quiet());
    assert_eq!(notify(&mut watcher, SECOND, captured!("notify-refresh"), &request), "SIP/2.0 200 OK");
    assert_eq!((events(&mut watcher), watcher.poll_timeout()), (vec![], None));
}

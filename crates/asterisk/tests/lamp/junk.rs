//! Whatever arrives, the watcher neither panics nor grows, and still does its work.

use crate::{SECOND, address, branch, events, sent, tag, value, watcher};
use asterisk::lamp::{DropKind, Watcher};
use proptest::prelude::*;
use std::time::Duration;

const NOTIFY: &str = include_str!("../captured/lamp/notify-ringing.sip");

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
    prop::collection::vec((any::<prop::sample::Index>(), text), 0..5)
}

/// An answer to this SUBSCRIBE, with everything that an answer can hold.
fn answer(request: &str, code: u16) -> String {
    format!(
        "SIP/2.0 {code} Word\r\nVia: {}\r\nFrom: {}\r\nTo: <sip:lamp@198.18.79.11>;tag=ce16caad-adec-44f9-b156-ef49d8b6e54d\r\n\
         Call-ID: {}\r\nCSeq: {}\r\nExpires: 0\r\nMin-Expires: 70\r\nContact: <sip:198.18.79.11:5060>\r\n\
         WWW-Authenticate: Digest realm=\"a\",nonce=\"b\",opaque=\"c\",algorithm=MD5,qop=\"auth\"\r\n\r\n",
        value(request, "Via:"),
        value(request, "From:"),
        value(request, "Call-ID:"),
        value(request, "CSeq:"),
    )
}

fn notify(request: &str) -> String {
    NOTIFY
        .replace(value(NOTIFY, "Call-ID:"), value(request, "Call-ID:"))
        .replace(tag(NOTIFY, "To:"), tag(request, "From:"))
}

/// The last SUBSCRIBE, and whether all that was sent is sound.
fn last(watcher: &mut Watcher, before: String) -> String {
    let sent = sent(watcher);
    assert!(sent.len() < 50, "one datagram makes no flood");
    sent.into_iter().rfind(|text| text.starts_with("SUBSCRIBE")).unwrap_or(before)
}

proptest! {
    #[test]
    fn damaged_answers_and_notifies_leave_a_watcher_that_still_asks(
        turns in prop::collection::vec((100_u16..700, any::<bool>(), edits(), 0..9_u32), 1..20),
    ) {
        let mut watcher = watcher(&[11], &["lamp", "1001"], 1);
        watcher.handle_timeout(Duration::ZERO);
        let mut request = last(&mut watcher, String::new());
        let mut now = Duration::ZERO;
        for (code, notifies, edits, seconds) in turns {
            now += seconds * SECOND;
            let code = [code, 200, 401, 481][usize::from(code) % 4];
            let text = if notifies { notify(&request) } else { answer(&request, code) };
            watcher.handle_datagram(now, address(11), &damaged(&text, &edits));
            watcher.handle_timeout(now);
            events(&mut watcher);
            request = last(&mut watcher, request);
        }
        let due = watcher.poll_timeout().expect("it never gives up");
        prop_assert!(due <= now + 90 * SECOND);
        let begun = watcher.counters().subscribes_begun;
        for second in 1..200 {
            watcher.handle_timeout(now + second * SECOND);
            sent(&mut watcher);
        }
        prop_assert!(watcher.counters().subscribes_begun > begun);
    }

    #[test]
    fn any_bytes_are_answered_or_counted(datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..20)) {
        let mut watcher = watcher(&[11], &["lamp"], 1);
        for datagram in datagrams {
            watcher.handle_datagram(SECOND, address(11), &datagram);
        }
        prop_assert!(sent(&mut watcher).is_empty());
    }
}

/// A watcher with a dialog, and the SUBSCRIBE that made it.
fn established() -> (Watcher, String) {
    let mut watcher = watcher(&[11], &["lamp"], 1);
    watcher.handle_timeout(Duration::ZERO);
    let request = last(&mut watcher, String::new());
    watcher.handle_datagram(Duration::ZERO, address(11), notify(&request).as_bytes());
    assert_eq!(events(&mut watcher).len(), 2);
    sent(&mut watcher);
    (watcher, request)
}

#[test]
fn bodies_that_say_nothing_are_counted_and_accepted() {
    let (mut watcher, request) = established();
    let next = notify(&request).replace("13033 NOTIFY", "13034 NOTIFY");
    for (count, (text, reply)) in [
        (next.replace("<state>early", "<state>loudy"), "SIP/2.0 200 OK"),
        (
            next.replace("13034 NOTIFY", "13035 NOTIFY").replace("dialog-info+xml", "pidf+xml"),
            "SIP/2.0 200 OK",
        ),
        (
            next.replace("13034 NOTIFY", "13036 NOTIFY").replace("Event: dialog", "Event: presence"),
            "SIP/2.0 489 Bad Event",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        watcher.handle_datagram(SECOND, address(11), text.as_bytes());
        assert!(sent(&mut watcher)[0].starts_with(reply), "{count}");
    }
    let drops = &watcher.counters().drops;
    assert_eq!((drops[&DropKind::Body], drops[&DropKind::EventPackage]), (2, 1));
    assert!(events(&mut watcher).is_empty());
}

#[test]
fn an_earlier_version_in_a_later_notify_means_a_server_that_counts_anew() {
    let (mut watcher, request) = established();
    let anew =
        notify(&request).replace("13033 NOTIFY", "13034 NOTIFY").replace("version=\"1\"", "version=\"0\"");
    watcher.handle_datagram(SECOND, address(11), anew.as_bytes());
    assert_eq!(events(&mut watcher), [crate::lost("lamp", asterisk::lamp::Lost::Forgotten)]);
    assert!(sent(&mut watcher).iter().any(|text| text.starts_with("SUBSCRIBE")));
}

#[test]
fn strangers_get_nothing_and_other_methods_what_the_standard_says() {
    let (mut watcher, request) = established();
    watcher.handle_datagram(SECOND, address(99), notify(&request).as_bytes());
    assert!(sent(&mut watcher).is_empty());
    for (method, reply) in [("OPTIONS", "SIP/2.0 200 OK"), ("INVITE", "SIP/2.0 405 Method Not Allowed")] {
        let text = notify(&request).replace("NOTIFY", method);
        watcher.handle_datagram(SECOND, address(11), text.as_bytes());
        let answer = sent(&mut watcher).remove(0);
        assert!(answer.starts_with(reply), "{answer}");
        assert_eq!(answer.contains("Allow: NOTIFY, OPTIONS"), method == "INVITE");
    }
    watcher.handle_datagram(SECOND, address(11), notify(&request).replace("NOTIFY", "ACK").as_bytes());
    assert!(sent(&mut watcher).is_empty());
    let drops = &watcher.counters().drops;
    assert_eq!((drops[&DropKind::UnknownSource], drops[&DropKind::Method]), (1, 1));
    assert_eq!(branch(&request).len(), 23);
}

#[test]
fn a_flood_that_nobody_takes_is_bounded() {
    let (mut watcher, request) = established();
    for count in 20_000..40_000 {
        let text = notify(&request).replace("13033 NOTIFY", &format!("{count} NOTIFY"));
        watcher.handle_datagram(SECOND, address(11), text.as_bytes());
    }
    assert_eq!(events(&mut watcher).len(), 4096);
    assert!(watcher.counters().drops[&DropKind::Overload] >= 20_000 - 4096);
    assert!(sent(&mut watcher).len() <= 4096);
}

//! A session against what a stock Asterisk really sent (tests/captured/README.md).

use crate::{SECOND, events, ping, session};
use asterisk::ami::{ActionId, Event, HintStatus, Login, Message, Report, Session};
use presence::DeviceState;
use std::time::Duration;

const SESSION: &[u8] = include_bytes!("../captured/ami/session.ami");

/// What the server told: each message with the actions sent that it answers.
fn replay() -> (Session, Vec<Event>) {
    let mut session = session(Login::Challenge);
    let text = str::from_utf8(SESSION).expect("this one is UTF-8");
    let mut told = Vec::new();
    for block in text.split_inclusive("\r\n\r\n") {
        if block.starts_with("Response") && told.iter().any(|event| matches!(event, Event::LoggedIn { .. })) {
            // Whatever was asked: only its id matters here.
            session.request(SECOND, &ping()).expect("logged in");
        }
        // In small pieces, as a network may bring them.
        for chunk in block.as_bytes().chunks(7) {
            session.handle_bytes(SECOND, chunk);
        }
        told.extend(events(&mut session));
    }
    (session, told)
}

fn response(event: &Event) -> Option<&Message> {
    if let Event::Response { message, .. } = event { Some(message) } else { None }
}

fn event(event: &Event) -> Option<&Message> {
    if let Event::Event(message) = event { Some(message) } else { None }
}

#[test]
fn a_whole_session_is_read_and_nothing_is_stray() {
    let (session, told) = replay();
    assert_eq!(told[0], Event::LoggedIn { version: "11.0.0".into() });
    assert_eq!(session.stray_responses(), 0);
    let responses: Vec<_> = told.iter().filter_map(response).collect();
    assert_eq!(responses.len(), 15);
    let hints: Vec<_> = responses[0].output().map(String::from_utf8_lossy).collect();
    assert_eq!((hints.len(), hints[0].as_ref()), (13, ""));
    assert_eq!(hints[1], "    -= Registered Asterisk Dial Plan Hints =-");
    assert_eq!(hints.last().expect("a line"), "- 9 hints registered");
    assert!(!responses[1].is_success() && responses[1].output().count() == 1, "an unknown command");
    assert_eq!(responses[12].value("Value").map(<[u8]>::len), Some(1015), "a line of 1024 bytes was taken");
    assert!(responses[14].is("Ping", "Pong"));
}

#[test]
fn a_list_belongs_to_its_action() {
    let (_, told) = replay();
    let begun = told.iter().position(
        |event| matches!(event, Event::Response { message, .. } if message.text("Message").as_deref() == Some("Extension Statuses will follow")),
    );
    let list = &told[begun.expect("a list")..];
    let Event::Response { action_id, .. } = &list[0] else { panic!("no response") };
    let items = list[1..].iter().map_while(event).filter(|message| ActionId::of(message) == Some(*action_id));
    let items: Vec<_> = items.collect();
    assert_eq!(items.len(), 10);
    assert!(items[9].is("EventList", "Complete") && items[9].is("ListItems", "9"));
    let Ok(Some(Report::ExtensionStatus { exten, status, .. })) = Report::read(items[8]) else {
        panic!("no status")
    };
    assert_eq!((exten.as_str(), status), ("lamp", HintStatus::Idle));
}

#[test]
fn every_change_is_told_by_the_device_and_by_the_hint() {
    let (_, told) = replay();
    let own = told.iter().filter_map(event).filter(|message| ActionId::of(message).is_none());
    let reports = own.filter_map(|message| Report::read(message).expect("well formed"));
    let (mut devices, mut hints) = (Vec::new(), Vec::new());
    for report in reports {
        match report {
            Report::DeviceStateChange { device, state } => {
                assert_eq!(device, "Custom:lamp");
                devices.push(state);
            }
            Report::ExtensionStatus { exten, context, hint, status } => {
                assert_eq!(
                    (exten.as_str(), context.as_str(), hint.as_str()),
                    ("lamp", "asterism", "Custom:lamp")
                );
                hints.push(status);
            }
        }
    }
    use DeviceState as Device;
    use HintStatus as Hint;
    assert_eq!(
        devices,
        [
            Device::Ringing,
            Device::InUse,
            Device::RingInUse,
            Device::OnHold,
            Device::Unavailable,
            Device::NotInUse
        ]
    );
    assert_eq!(
        hints,
        [Hint::Ringing, Hint::InUse, Hint::RingInUse, Hint::OnHold, Hint::Unavailable, Hint::Idle]
    );
}

#[test]
fn a_wrong_secret_is_refused_either_way() {
    let captures: [(_, &[u8]); 2] = [
        (Login::Challenge, include_bytes!("../captured/ami/refused-challenge.ami")),
        (Login::Plain, include_bytes!("../captured/ami/refused-plain.ami")),
    ];
    for (login, bytes) in captures {
        let mut session = session(login);
        session.handle_bytes(Duration::ZERO, bytes);
        assert_eq!(events(&mut session), [Event::Refused { message: "Authentication failed".into() }]);
    }
}

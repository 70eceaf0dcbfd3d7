//! Against the corosync of this machine: `COROSYNC_RS_LIVE=1 cargo test -p corosync-rs --test live`.
//!
//! Without the variable the tests pass without doing anything, since most machines have no corosync.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use corosync_rs::{Cpg, CsError, Event, GroupName, Reason, Session};

/// Long enough for a membership change with corosync's default timers.
const PATIENCE: Duration = Duration::from_secs(15);

#[test]
fn messages_come_back_whole_and_in_order_after_joined() {
    let Some(group) = live_group("order") else { return };
    let (session, events) = spawn(&group);
    let first = next(&events);
    let Event::Joined { me, members } = first else { panic!("expected to have joined first, got {first:?}") };
    assert_eq!(members, [me]);
    let mut delivered = 0_u32;
    for number in 0..5_000_u32 {
        while session.multicast(payload(number)).is_err() {
            expect_delivered(&events, me, &mut delivered);
        }
    }
    while delivered < 5_000 {
        expect_delivered(&events, me, &mut delivered);
    }
    assert_eq!(session.lost_total(), 0);
    session.leave(PATIENCE);
}

#[test]
fn what_is_queued_is_sent_before_leaving() {
    let Some(group) = live_group("leave") else { return };
    let (session, events) = spawn(&group);
    for number in 0..200 {
        session.multicast(payload(number)).unwrap();
    }
    session.leave(PATIENCE);
    let delivered = events.iter().filter(|event| matches!(event, Event::Delivered { .. })).count();
    assert_eq!(delivered, 200);
    assert_eq!(on_large_stack(move || Cpg::initialize().unwrap().membership(&group)), Ok(vec![]));
}

#[test]
fn a_connection_without_a_session_sees_its_join_message_and_leave() {
    let Some(group) = live_group("cpg") else { return };
    on_large_stack(move || {
        let cpg = Cpg::initialize().unwrap();
        let me = cpg.local_member().unwrap();
        cpg.join(&group).unwrap();
        cpg.multicast(b"hello").unwrap();
        let mut seen = Vec::new();
        while seen.len() < 2 {
            seen.extend(cpg.dispatch(8).unwrap());
            std::thread::sleep(Duration::from_millis(1));
        }
        let joined = corosync_rs::Incoming::Configuration {
            members: vec![me],
            joined: vec![(me, Reason::Join)],
            left: vec![],
        };
        let hello = corosync_rs::Incoming::Delivered { from: me, payload: b"hello".to_vec() };
        assert_eq!(seen, [joined, hello]);
        assert_eq!(cpg.membership(&group), Ok(vec![me]));
    });
}

#[test]
fn a_second_member_with_the_same_process_id_is_refused_and_told_why() {
    let Some(group) = live_group("twice") else { return };
    let (_session, events) = spawn(&group);
    assert!(matches!(next(&events), Event::Joined { .. }));
    let (_second, second_events) = spawn(&group);
    let first = next(&second_events);
    let Event::Down { error, .. } = first else { panic!("expected to be refused, got {first:?}") };
    assert_eq!(error.code(), Some(CsError::Exist));
}

fn spawn(group: &GroupName) -> (Session, Receiver<Event>) {
    let (sender, events) = mpsc::channel();
    (Session::spawn(group.clone(), move |event| drop(sender.send(event))), events)
}

fn next(events: &Receiver<Event>) -> Event {
    events.recv_timeout(PATIENCE).unwrap()
}

fn expect_delivered(events: &Receiver<Event>, me: corosync_rs::Member, number: &mut u32) {
    assert_eq!(next(events), Event::Delivered { from: me, payload: payload(*number) });
    *number += 1;
}

/// Of different lengths, so that a mix-up shows.
fn payload(number: u32) -> Vec<u8> {
    let mut payload = number.to_be_bytes().to_vec();
    payload.resize(4 + number as usize % 400, number as u8);
    payload
}

fn on_large_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(4 << 20).spawn(work).unwrap().join().unwrap()
}

fn live_group(name: &str) -> Option<GroupName> {
    std::env::var_os("COROSYNC_RS_LIVE")?;
    Some(GroupName::new(format!("corosync-rs-{name}-{}", std::process::id())).unwrap())
}

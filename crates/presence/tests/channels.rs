//! Servers that only publish or only subscribe, as `publish_event` and `subscribe_event` have it for stock servers.

mod world;

use presence::link::{Channel, Filter};
use world::*;

/// All mailboxes and no device.
fn mailboxes() -> Filter {
    let channel = Channel { devices: vec![], mailboxes: vec![Pattern::new("*").expect("a pattern")] };
    Filter { eids: None, channels: Some(vec![channel]) }
}

fn nothing() -> Filter {
    Filter { eids: None, channels: Some(vec![]) }
}

/// A node in the group with one server.
fn serving(tell: Filter, take: Filter) -> World {
    let mut world = World::outside(vec![ServerConfig { eid: Some(PBX3), tell, take }]);
    world.input(Input::Alive(FIRST));
    world.input(Input::Joined { me: ME, members: vec![ME, ONE] });
    world.run();
    world
}

#[test]
fn a_voicemail_server_publishes_its_mailboxes_and_is_told_nothing() {
    let mut world = serving(nothing(), mailboxes());
    world.report(FIRST, PBX3, light(1)).unwrap();
    assert!(world.run().contains(&Output::Multicast(said(PBX3, light(1)))));
    world.report(FIRST, PBX3, lamp(DeviceState::InUse)).expect("it has done nothing wrong");
    assert!(!world.run().contains(&Output::Multicast(said(PBX3, lamp(DeviceState::InUse)))));
    world.input(Input::Report { server: FIRST, report: 1, eid: PBX3, change: lamp(DeviceState::Ringing) });
    assert_eq!(world.notes(), [Note::Dropped(Drop::Barred)]);
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.deliver(ONE, said(PBX1, light(2)));
    world.input(Input::ResyncAsked(FIRST));
    world.left(ONE);
    let told = |output: &Output| matches!(output, Output::Publish { .. });
    assert!(!world.run().iter().any(told));
}

#[test]
fn a_server_of_phones_that_watch_is_told_what_it_subscribes_to_and_publishes_nothing() {
    let mut world = serving(mailboxes(), nothing());
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.deliver(ONE, said(PBX1, light(2)));
    let outputs = world.run();
    assert!(outputs.contains(&publish(FIRST, PBX1, light(2))));
    assert!(!outputs.contains(&publish(FIRST, PBX1, lamp(DeviceState::InUse))));
    world.report(FIRST, PBX3, light(1)).expect("it has done nothing wrong");
    assert!(
        !world
            .run()
            .iter()
            .any(|output| matches!(output, Output::Multicast(Message::Change { eid: PBX3, .. })))
    );
}

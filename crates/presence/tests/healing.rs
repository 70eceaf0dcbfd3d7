//! How a node makes all know the same again: newcomers, merges, departures and returns.

mod world;

use world::*;

#[test]
fn a_newcomer_that_is_a_node_is_told_what_it_asks_for_once() {
    let mut world = World::in_group(&[ONE]);
    world.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
    world.run();
    world.came(OTHER, Arrival::Process);
    world.deliver(OTHER, discovery(OTHER_NODE, 22, Some(1)));
    assert_eq!(world.run(), [Output::Multicast(introduction())]);
    world.wait(Duration::from_secs(5));
    assert_eq!(world.run(), []);
    world.deliver(OTHER, Message::Request { eid: OTHER_NODE, number: 4, wanted: vec![PBX3] });
    let [Output::Multicast(Message::States { eid: PBX3, states, .. })] = &world.effects()[..] else {
        panic!("all in one message, which stock servers skip")
    };
    assert_eq!(
        states.iter().map(|(change, _)| change.clone()).collect::<Vec<_>>(),
        [lamp(DeviceState::InUse)]
    );
    let states = world.last.take().expect("it has just been sent");
    assert!(matches!(states, Message::States { .. }), "nothing says that this was all before it is back");
    world.deliver(ME, states);
    world.effects();
    let Some(Message::Digest { summaries, answered, .. }) = world.last else { panic!("no digest follows") };
    assert_eq!((summaries.len(), answered), (1, vec![(OTHER_NODE, 4)]));
}

#[test]
fn a_node_that_has_missed_something_asks_for_it_and_is_synced_when_it_has_come() {
    let mut world = World::outside(config().servers);
    world.input(Input::Joined { me: ME, members: vec![ME, OTHER] });
    world.run();
    world.deliver(OTHER, discovery(OTHER_NODE, 22, Some(1)));
    let digest = |answered| Message::Digest {
        eid: OTHER_NODE,
        incarnation: 1,
        summaries: vec![Summary { eid: PBX1, sequence: 9 }],
        answered,
    };
    world.deliver(OTHER, digest(vec![]));
    let request = Message::Request { eid: NODE, number: 1, wanted: vec![PBX1] };
    assert_eq!(world.run(), [Output::Multicast(introduction()), Output::Multicast(request)]);
    world.deliver(OTHER, digest(vec![]));
    assert!(!world.node.synced());
    assert_eq!(world.run(), []);
    let stamp = Stamp { incarnation: 1, sequence: 10, time: 0 };
    let states = vec![(lamp(DeviceState::InUse), 7)];
    world.deliver(OTHER, Message::States { eid: PBX1, states, stamp });
    world.deliver(OTHER, digest(vec![(NODE, 1)]));
    assert!(world.node.synced());
    assert_eq!(world.node.states().of(PBX1).map(ServerStates::len), Some(1));
}

#[test]
fn a_second_process_on_a_servers_machine_takes_nothing_with_it_and_the_server_is_made_to_speak() {
    let mut world = World::in_group(&[ONE, TWO]);
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.came(HELPER, Arrival::Process);
    world.run();
    world.left(HELPER);
    assert!(!world.run().contains(&Output::Touch));
    world.wait(Duration::from_secs(1));
    assert!(world.run().contains(&Output::Touch), "stock servers have dropped what pbx1 says");
    assert!(world.node.states().of(PBX1).is_some());
}

#[test]
fn after_a_merge_stock_servers_are_made_to_speak_by_one_node() {
    let mut world = World::in_group(&[ONE]);
    world.came(TWO, Arrival::Machine);
    world.run();
    assert_eq!(world.node.poll_timeout().map(|(_, why)| why), Some(Wakeup::Introduction));
    world.wait(Duration::from_secs(1));
    assert!(world.run().contains(&Output::Touch));
    world.came(Member { nodeid: 21, pid: 99 }, Arrival::Process);
    world.left(Member { nodeid: 21, pid: 99 });
    world.run();
    world.wait(Duration::from_secs(10));
    assert!(!world.run().contains(&Output::Touch), "it was seen");
}

#[test]
fn what_a_stock_member_could_not_say_again_in_a_merge_has_time_until_a_plain_join() {
    let mut world = World::in_group(&[ONE]);
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.run();
    world.input(Input::Lost);
    world.input(Input::Joined { me: ME, members: vec![ME] });
    world.wait(Duration::from_secs(2));
    world.came(ONE, Arrival::Machine);
    world.deliver(ONE, discovery(PBX1, 1, None));
    world.run();
    assert!(world.node.synced());
    let out = publish(FIRST, PBX1, lamp(DeviceState::Unavailable));
    world.wait(Duration::from_secs(4));
    assert!(!world.run().contains(&out), "its dump may have been lost");
    world.wait(Duration::from_secs(1));
    assert!(world.run().contains(&out), "it does not stand for it any more");
}

#[test]
fn a_server_that_is_back_is_not_taken_back() {
    let mut world = World::in_group(&[ONE, TWO]);
    world.deliver(ONE, said(PBX1, device("a", DeviceState::InUse)));
    world.deliver(ONE, said(PBX1, device("b", DeviceState::InUse)));
    world.run();
    world.left(ONE);
    // Its first word is on the way when it is back.
    assert_eq!(world.effects().len(), 2 + 2);
    world.came(ONE, Arrival::Process);
    world.deliver(ONE, said(PBX1, device("a", DeviceState::Ringing)));
    world.deliver(ME, taken_back(PBX1, device("a", DeviceState::Unavailable)));
    let state = world.node.states().of_device(&Device::new("a").unwrap()).next();
    assert_eq!(state, Some((PBX1, DeviceState::Ringing)));
    assert!(world.notes().contains(&Note::StaleWithdrawal { eid: PBX1 }));
}

#[test]
fn a_state_of_ours_that_another_node_has_taken_back_is_said_again() {
    let mut world = World::in_group(&[ONE, OTHER]);
    world.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
    world.run();
    world.deliver(OTHER, taken_back(PBX3, lamp(DeviceState::Unavailable)));
    assert_eq!(world.effects(), [Output::Multicast(said(PBX3, lamp(DeviceState::InUse)))]);
}

#[test]
fn a_node_that_began_anew_is_told_what_was_taken_back_before() {
    let mut world = World::in_group(&[ONE, OTHER]);
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.left(ONE);
    world.run();
    world.left(OTHER);
    world.came(OTHER, Arrival::Process);
    world.deliver(OTHER, discovery(OTHER_NODE, 22, Some(2)));
    world.run();
    world.wait(Duration::from_secs(1));
    let out = lamp(DeviceState::Unavailable);
    assert_eq!(world.run(), [Output::Multicast(taken_back(PBX1, out.clone()))]);

    let mut anew = World::in_group(&[OTHER]);
    anew.deliver(OTHER, taken_back(PBX1, out.clone()));
    assert_eq!(anew.run(), [publish(FIRST, PBX1, out.clone()), publish(SECOND, PBX1, out.clone())]);
    anew.deliver(OTHER, taken_back(PBX1, out));
    assert_eq!(anew.run(), [], "once");
}

#[test]
fn what_a_server_that_began_anew_does_not_say_again_is_taken_back() {
    let mut world = World::in_group(&[ONE]);
    for name in ["a", "b"] {
        world.report(FIRST, PBX3, device(name, DeviceState::InUse)).unwrap();
    }
    world.run();
    world.input(Input::Restarted(FIRST));
    assert_eq!(world.effects(), [Output::RequestRefresh { server: FIRST }]);
    world.report(FIRST, PBX3, device("a", DeviceState::InUse)).unwrap();
    world.wait(Duration::from_secs(3));
    let gone = device("b", DeviceState::Unavailable);
    assert!(world.effects().contains(&Output::Multicast(taken_back(PBX3, gone))));
    assert_eq!(world.node.states().of(PBX3).map(ServerStates::len), Some(1));
}

#[test]
fn two_nodes_do_not_dispute_whose_word_about_a_mailbox_is_the_latest() {
    let mut world = World::in_group(&[OTHER]);
    world.deliver(OTHER, stamped(PBX1, light(3), 1));
    world.report(FIRST, PBX3, light(1)).unwrap();
    world.run();
    world.deliver(OTHER, stamped(PBX1, light(3), 2));
    assert!(!world.run().iter().any(|output| matches!(output, Output::Multicast(_))));
    let mailbox = Mailbox::new("100@default").unwrap();
    let last = world.node.states().of_mailbox(&mailbox).last();
    assert_eq!(last, Some((PBX1, MessageCounts { new: 3, old: 0 })), "the order of the group decides");
}

#[test]
fn a_node_that_is_alone_after_an_absence_waits_for_the_others_before_it_gives_them_up() {
    let mut world = World::in_group(&[OTHER]);
    world.deliver(OTHER, stamped(PBX1, lamp(DeviceState::InUse), 1));
    world.run();
    world.input(Input::Lost);
    world.input(Input::Joined { me: ME, members: vec![ME] });
    world.run();
    assert!(world.node.synced());
    world.wait(Duration::from_secs(4));
    assert_eq!(world.effects(), [], "their part of the group may be found yet");
    world.wait(Duration::from_secs(1));
    assert_eq!(world.effects()[0], publish(FIRST, PBX1, lamp(DeviceState::Unavailable)));
    world.came(OTHER, Arrival::Machine);
    world.run();
    let digest = Message::Digest {
        eid: OTHER_NODE,
        incarnation: 1,
        summaries: vec![Summary { eid: PBX1, sequence: 1 }],
        answered: vec![],
    };
    world.deliver(OTHER, digest);
    let request = Message::Request { eid: NODE, number: 1, wanted: vec![PBX1] };
    assert!(world.run().contains(&Output::Multicast(request)), "what was given up has to be heard again");
}

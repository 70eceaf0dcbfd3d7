//! What happened, and exactly what the node then wants done.

mod world;

use world::*;

#[test]
fn a_lamp_crosses_from_the_group_to_every_server() {
    let mut world = World::in_group(&[ONE]);
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    assert_eq!(
        world.effects(),
        [publish(FIRST, PBX1, lamp(DeviceState::InUse)), publish(SECOND, PBX1, lamp(DeviceState::InUse))]
    );
}

#[test]
fn a_lamp_crosses_from_a_server_to_the_group_and_to_the_other_server_and_never_back() {
    let mut world = World::in_group(&[ONE]);
    world.report(FIRST, PBX3, lamp(DeviceState::Ringing)).unwrap();
    assert_eq!(
        world.effects(),
        [
            Output::Multicast(said(PBX3, lamp(DeviceState::Ringing))),
            publish(SECOND, PBX3, lamp(DeviceState::Ringing)),
        ]
    );
    world.deliver(ME, said(PBX3, lamp(DeviceState::Ringing)));
    assert_eq!(world.effects(), []);
}

#[test]
fn what_everybody_knows_is_not_said_again() {
    let mut world = World::in_group(&[ONE]);
    for _ in 0..2 {
        world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
        world.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
        world.run();
    }
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
    assert_eq!(world.effects(), []);
}

#[test]
fn a_state_that_is_not_cachable_passes_each_time_and_is_not_kept() {
    let mut world = World::in_group(&[ONE]);
    let flash = Change::DeviceState {
        device: Device::new("Custom:flash").unwrap(),
        state: DeviceState::InUse,
        cachable: false,
    };
    for _ in 0..2 {
        world.deliver(ONE, said(PBX1, flash.clone()));
        assert_eq!(world.run().len(), 2);
    }
    assert!(world.node.states().of(PBX1).is_none());
}

#[test]
fn a_stock_members_aggregate_never_enters_the_table() {
    let mut world = World::in_group(&[ONE]);
    let device = Device::new("Custom:lamp").unwrap();
    world.deliver(ONE, Message::Aggregate { eid: PBX1, device: device.clone(), state: DeviceState::Busy });
    assert_eq!(world.effects(), []);
    assert_eq!(world.node.states().aggregate_of(&device), None);
}

#[test]
fn a_departed_members_lamps_go_out_at_every_server_of_ours() {
    let mut world = World::in_group(&[ONE, TWO]);
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.deliver(TWO, said(PBX2, lamp(DeviceState::NotInUse)));
    world.run();
    world.left(ONE);
    assert_eq!(
        world.effects(),
        [
            Output::Multicast(taken_back(PBX1, lamp(DeviceState::Unavailable))),
            publish(FIRST, PBX1, lamp(DeviceState::Unavailable)),
            publish(SECOND, PBX1, lamp(DeviceState::Unavailable))
        ]
    );
    let device = Device::new("Custom:lamp").unwrap();
    assert_eq!(world.node.states().aggregate_of(&device), Some(DeviceState::NotInUse));
}

#[test]
fn a_departed_servers_lamps_go_out_everywhere() {
    let mut world = World::in_group(&[ONE]);
    world.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
    world.run();
    world.input(Input::Silent(FIRST));
    assert_eq!(
        world.effects(),
        [
            Output::Multicast(taken_back(PBX3, lamp(DeviceState::Unavailable))),
            publish(SECOND, PBX3, lamp(DeviceState::Unavailable)),
        ]
    );
    assert!(world.node.states().of(PBX3).is_none());
}

#[test]
fn a_message_light_falls_back_to_what_another_server_says() {
    let mut world = World::in_group(&[ONE, TWO]);
    world.deliver(TWO, said(PBX2, light(1)));
    world.deliver(ONE, said(PBX1, light(3)));
    world.run();
    for (gone, eid, left) in [(ONE, PBX1, 1), (TWO, PBX2, 0)] {
        world.left(gone);
        let outputs = world.run();
        assert!(outputs.contains(&publish(FIRST, eid, light(left))));
        assert!(outputs.contains(&publish(SECOND, eid, light(left))));
        let in_group = outputs.contains(&Output::Multicast(taken_back(eid, light(left))));
        assert_eq!(in_group, gone == ONE, "while a stock member is there to hear it");
    }
}

#[test]
fn a_server_that_answers_again_is_asked_for_its_states_and_told_all_others() {
    let mut world = World::in_group(&[ONE]);
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.report(FIRST, PBX3, lamp(DeviceState::Busy)).unwrap();
    world.run();
    world.input(Input::Silent(FIRST));
    world.run();
    world.input(Input::Alive(FIRST));
    assert_eq!(
        world.run(),
        [Output::RequestRefresh { server: FIRST }, publish(FIRST, PBX1, lamp(DeviceState::InUse))]
    );
}

#[test]
fn for_a_silent_server_only_what_is_no_more_waits_and_then_it_is_told_all_the_same() {
    let mut world = World::in_group(&[ONE, TWO]);
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.deliver(TWO, said(PBX2, device("a", DeviceState::InUse)));
    world.run();
    world.input(Input::Silent(FIRST));
    world.left(ONE);
    world.deliver(TWO, said(PBX2, device("a", DeviceState::Ringing)));
    world.run();
    assert_eq!(world.node.server_queue(FIRST), 1);
    world.input(Input::Alive(FIRST));
    let effects = world.run();
    assert_eq!(effects.len(), 3, "{effects:?}");
    assert!(effects.contains(&publish(FIRST, PBX1, lamp(DeviceState::Unavailable))));
    assert!(effects.contains(&publish(FIRST, PBX2, device("a", DeviceState::Ringing))));
    assert!(effects.contains(&Output::RequestRefresh { server: FIRST }));
}

#[test]
fn a_lamp_that_went_out_and_was_forgotten_while_a_server_was_silent_goes_out_there_too() {
    let mut world = World::in_group(&[ONE]);
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.run();
    world.input(Input::Silent(FIRST));
    world.deliver(ONE, said(PBX1, lamp(DeviceState::Unavailable)));
    world.left(ONE);
    world.run();
    world.input(Input::Alive(FIRST));
    assert!(world.run().contains(&publish(FIRST, PBX1, lamp(DeviceState::Unavailable))));
}

#[test]
fn a_server_is_told_nothing_before_its_eid_is_known() {
    let mut world = World::outside(vec![ServerConfig { eid: None, ..ServerConfig::default() }]);
    world.input(Input::Joined { me: ME, members: vec![ME, ONE] });
    world.input(Input::Alive(FIRST));
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    assert_eq!(world.run().iter().filter(|output| matches!(output, Output::Publish { .. })).count(), 0);
    world.report(FIRST, PBX3, lamp(DeviceState::NotInUse)).unwrap();
    assert!(world.run().contains(&publish(FIRST, PBX1, lamp(DeviceState::InUse))));
}

#[test]
fn a_server_that_only_says_who_it_is_is_told_everything() {
    let mut world = World::outside(vec![ServerConfig { eid: None, ..ServerConfig::default() }; 2]);
    world.input(Input::Joined { me: ME, members: vec![ME, ONE] });
    world.input(Input::Alive(FIRST));
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.run();
    world.input(Input::Named { server: FIRST, eid: PBX3 });
    world.input(Input::Restarted(FIRST));
    assert!(world.run().contains(&publish(FIRST, PBX1, lamp(DeviceState::InUse))));
    world.input(Input::Named { server: SECOND, eid: PBX3 });
    let told = Note::EqualEid { eid: PBX3, holder: Holder::Server(FIRST), second: Holder::Server(SECOND) };
    assert_eq!(world.notes(), [told, Note::Dropped(Drop::EqualEid)]);
}

#[test]
fn a_server_whose_eid_becomes_known_is_told_what_was_taken_back_before() {
    let mut world = World::outside(vec![ServerConfig { eid: None, ..ServerConfig::default() }]);
    world.input(Input::Joined { me: ME, members: vec![ME, OTHER] });
    world.input(Input::Alive(FIRST));
    for eid in [PBX1, PBX3] {
        world.deliver(OTHER, taken_back(eid, lamp(DeviceState::Unavailable)));
    }
    assert_eq!(world.run().iter().filter(|output| matches!(output, Output::Publish { .. })).count(), 0);
    world.report(FIRST, PBX3, lamp(DeviceState::NotInUse)).unwrap();
    let told: Vec<_> =
        world.run().into_iter().filter(|output| matches!(output, Output::Publish { .. })).collect();
    assert_eq!(told, [publish(FIRST, PBX1, lamp(DeviceState::Unavailable))]);
}

#[test]
fn a_word_to_a_server_is_repeated_until_it_is_taken_and_only_the_last_state_counts() {
    let mut world = World::in_group(&[ONE]);
    world.deliver(ONE, said(PBX1, lamp(DeviceState::Ringing)));
    assert_eq!(world.effects().len(), 2);
    world.input(Input::Settled { server: SECOND, outcome: Outcome::Accepted });
    world.input(Input::Settled { server: FIRST, outcome: Outcome::Unanswered });
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    assert_eq!(
        world.effects(),
        [publish(SECOND, PBX1, lamp(DeviceState::InUse))],
        "the first server is given time"
    );
    let (at, why) = world.node.poll_timeout().unwrap();
    assert_eq!((at, why), (world.now + Duration::from_secs(1), Wakeup::Retry(FIRST)));
    world.now = at;
    assert_eq!(world.effects(), [publish(FIRST, PBX1, lamp(DeviceState::InUse))]);
}

#[test]
fn a_word_to_the_group_is_repeated_until_it_comes_back() {
    let mut world = World::in_group(&[ONE]);
    world.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
    world.effects();
    world.wait(Duration::from_secs(10));
    assert_eq!(world.effects(), [Output::Multicast(said(PBX3, lamp(DeviceState::InUse)))]);
    world.deliver(ME, said(PBX3, lamp(DeviceState::InUse)));
    assert_eq!(world.node.group_queue(), 0);
}

#[test]
fn a_newcomer_that_is_no_node_hears_all_states_of_our_servers() {
    let mut world = World::in_group(&[ONE]);
    world.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
    world.run();
    world.came(TWO, Arrival::Process);
    assert_eq!(world.run(), [Output::Multicast(introduction())], "it may be a node");
    world.deliver(TWO, discovery(PBX2, 2, None));
    let states = Output::Multicast(said(PBX3, lamp(DeviceState::InUse)));
    assert_eq!(world.run(), [states.clone(), Output::Multicast(introduction())]);
    world.came(HELPER, Arrival::Process);
    world.run();
    world.wait(Duration::from_secs(1));
    assert_eq!(world.run(), [states], "who says nothing is no node");
}

#[test]
fn the_node_is_synced_when_its_own_words_are_back_and_all_members_are_known() {
    let mut world = World::outside(config().servers);
    world.input(Input::Joined { me: ME, members: vec![ME, ONE] });
    assert_eq!(world.run(), [Output::Multicast(introduction())]);
    assert!(!world.node.synced(), "the other member's dump may still be on its way");
    world.deliver(ONE, discovery(PBX1, 1, None));
    assert!(world.node.synced());
}

#[test]
fn a_member_that_never_speaks_does_not_keep_the_node_from_being_ready() {
    let mut world = World::outside(config().servers);
    world.input(Input::Joined { me: ME, members: vec![ME, ONE] });
    world.run();
    world.deliver(ME, introduction());
    let (at, why) = world.node.poll_timeout().unwrap();
    assert_eq!(why, Wakeup::Sync);
    world.node.handle_timeout(at);
    assert!(world.node.synced());
}

#[test]
fn a_short_absence_from_the_group_changes_no_lamp_and_a_long_one_withdraws_it() {
    let mut world = World::in_group(&[ONE]);
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.run();
    world.input(Input::Lost);
    assert!(!world.node.synced());
    world.input(Input::Joined { me: ME, members: vec![ME, ONE] });
    assert!(!world.run().iter().any(|output| matches!(output, Output::Publish { .. })));
    world.input(Input::Lost);
    let (at, why) = world.node.poll_timeout().unwrap();
    assert_eq!(why, Wakeup::Absence);
    world.now = at;
    world.node.handle_timeout(at);
    assert_eq!(world.effects().len(), 2, "both servers hear that the lamp is out");
    assert!(!matches!(world.node.poll_timeout(), Some((_, Wakeup::Absence))));
}

#[test]
fn a_server_that_answers_and_says_nothing_of_itself_is_asked_again() {
    let mut world = World::in_group(&[]);
    world.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
    world.run();
    let (at, why) = world.node.poll_timeout().unwrap();
    assert_eq!(why, Wakeup::Ask(SECOND));
    for _ in 0..2 {
        world.wait(Duration::from_secs(20));
        assert_eq!(world.run(), [Output::RequestRefresh { server: SECOND }]);
    }
    assert_eq!(at, Duration::from_secs(80));
    world.report(SECOND, PBX4, lamp(DeviceState::InUse)).unwrap();
    world.run();
    assert!(!matches!(world.node.poll_timeout(), Some((_, Wakeup::Ask(_)))));
}

#[test]
fn a_member_that_went_while_we_were_away_is_withdrawn_at_the_rejoin() {
    let mut world = World::in_group(&[ONE, TWO]);
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.run();
    world.input(Input::Lost);
    world.input(Input::Joined { me: ME, members: vec![ME, TWO] });
    assert!(!world.run().contains(&publish(FIRST, PBX1, lamp(DeviceState::Unavailable))), "it may be back");
    world.wait(Duration::from_secs(4));
    assert!(!world.run().contains(&publish(FIRST, PBX1, lamp(DeviceState::Unavailable))), "or not found yet");
    world.wait(Duration::from_secs(1));
    assert!(world.run().contains(&publish(FIRST, PBX1, lamp(DeviceState::Unavailable))));
}

#[test]
fn what_was_said_while_out_of_the_group_is_said_at_the_rejoin() {
    let mut world = World::in_group(&[ONE]);
    world.input(Input::Lost);
    world.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
    assert_eq!(
        world.effects(),
        [publish(SECOND, PBX3, lamp(DeviceState::InUse))],
        "our own servers are served"
    );
    world.input(Input::Joined { me: ME, members: vec![ME, ONE] });
    assert!(world.effects().contains(&Output::Multicast(said(PBX3, lamp(DeviceState::InUse)))));
}

#[test]
fn the_second_of_two_equal_eids_is_refused_and_told_once() {
    let mut world = World::in_group(&[ONE, TWO]);
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.run();
    world.deliver(TWO, said(PBX1, lamp(DeviceState::NotInUse)));
    world.deliver(TWO, said(PBX1, lamp(DeviceState::NotInUse)));
    let told = Note::EqualEid { eid: PBX1, holder: Holder::Member(ONE), second: Holder::Member(TWO) };
    let dropped = Note::Dropped(Drop::EqualEid);
    assert_eq!(world.notes(), [told, dropped.clone(), dropped]);
    let device = Device::new("Custom:lamp").unwrap();
    assert_eq!(world.node.states().aggregate_of(&device), Some(DeviceState::InUse));
}

#[test]
fn a_report_under_somebody_elses_eid_is_refused() {
    let mut world = World::outside(vec![
        ServerConfig { eid: None, ..ServerConfig::default() },
        ServerConfig { eid: Some(PBX4), ..ServerConfig::default() },
    ]);
    world.input(Input::Joined { me: ME, members: vec![ME, ONE] });
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    for taken in [NODE, PBX1, PBX4] {
        assert_eq!(world.report(FIRST, taken, lamp(DeviceState::Busy)), Err(Refusal::EqualEid), "{taken}");
    }
    assert_eq!(world.report(SECOND, PBX3, lamp(DeviceState::Busy)), Err(Refusal::WrongEid));
    assert_eq!(world.report(FIRST, PBX3, lamp(DeviceState::Busy)), Ok(()));
    assert!(world.node.states().of(PBX4).is_none());
}

#[test]
fn a_server_that_comes_back_with_another_eid_leaves_nothing_under_the_old_one() {
    let mut world = World::outside(vec![ServerConfig { eid: None, ..ServerConfig::default() }; 2]);
    world.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
    world.report(FIRST, PBX4, lamp(DeviceState::NotInUse)).unwrap();
    assert!(world.node.states().of(PBX3).is_none());
    assert_eq!(world.node.states().eids().collect::<Vec<_>>(), [PBX4]);
}

#[test]
fn stopping_takes_back_what_others_know_only_through_us() {
    let mut world = World::in_group(&[ONE]);
    world.deliver(ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.report(FIRST, PBX3, light(2)).unwrap();
    world.run();
    world.input(Input::Stop);
    let outputs = world.run();
    assert!(outputs.contains(&publish(FIRST, PBX1, lamp(DeviceState::Unavailable))));
    assert!(outputs.contains(&Output::Multicast(taken_back(PBX3, light(0)))));
    assert!(world.node.drained());
    assert_eq!(world.report(FIRST, PBX3, light(2)), Err(Refusal::Stopping));
}

#[test]
fn what_is_lit_goes_out_first() {
    let mut world = World::in_group(&[ONE, TWO]);
    let state =
        |name, state| Change::DeviceState { device: Device::new(name).unwrap(), state, cachable: true };
    world.deliver(ONE, said(PBX1, state("Custom:a", DeviceState::NotInUse)));
    world.deliver(TWO, said(PBX2, state("Custom:b", DeviceState::Ringing)));
    world.run();
    world.input(Input::Stop);
    assert_eq!(world.effects()[0], publish(FIRST, PBX2, state("Custom:b", DeviceState::Unavailable)));
}

#[test]
fn a_device_that_concerns_nobody_else_goes_nowhere() {
    let mut world = World::in_group(&[ONE]);
    let half = device("Local/1@x-00;1", DeviceState::InUse);
    world.deliver(ONE, said(PBX1, half.clone()));
    assert_eq!(world.report(FIRST, PBX3, half), Ok(()));
    assert_eq!(world.effects(), []);
}

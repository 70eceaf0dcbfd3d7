//! Several sites: what servers of one say shows at the others, whatever becomes of links and nodes.

mod world;

use presence::link::{Adjacency, Barred, Channel, Filter, Frame, PeerId, Statement, Version};
use world::sites::*;
use world::*;

#[test]
fn a_lamp_crosses_to_servers_of_nodes_and_to_stock_ones_and_back() {
    let mut world = Sites::new(&[0, 1], &[(0, 1)]);
    world.report(0, lamp(DeviceState::Ringing));
    assert_eq!(world.lamp(1, pbx(0)), Some(DeviceState::Ringing));
    assert_eq!(world.said_of(1, pbx(0)), [(1, false, DeviceState::Ringing)]);
    world.stock_says(1, said(stock(1).1, lamp(DeviceState::InUse)));
    world.rest();
    assert_eq!(world.lamp(0, stock(1).1), Some(DeviceState::InUse));
    assert_eq!(world.said_of(0, stock(1).1), [(0, false, DeviceState::InUse)]);
    assert_eq!(world.lamp(0, pbx(0)), None, "nothing comes back");
}

#[test]
fn a_message_light_crosses_and_the_latest_word_counts_everywhere() {
    let mut world = Sites::new(&[0, 1], &[(0, 1)]);
    world.report(0, light(3));
    world.now += Duration::from_millis(5);
    world.report(1, light(1));
    assert_eq!(world.places[0].lights["100@default"], 1);
    world.now += Duration::from_millis(5);
    world.report(0, light(4));
    assert_eq!(world.places[1].lights["100@default"], 4);
}

#[test]
fn a_word_about_a_mailbox_that_comes_late_is_the_older_one_for_nodes_without_links_too() {
    let mut world = Sites::new(&[0, 1, 1], &[(0, 2)]);
    world.cut(0, 2, Duration::ZERO);
    world.report(0, light(1));
    world.wait(Duration::from_secs(1));
    world.stock_says(1, said(stock(1).1, light(5)));
    world.rest();
    world.connect(0, 2);
    world.rest();
    let shown: Vec<u32> = world.places.iter().map(|it| it.lights["100@default"]).collect();
    assert_eq!(shown, [5, 5, 5]);
}

#[test]
fn a_site_that_is_lost_for_the_hold_time_goes_out_once_and_a_blink_changes_nothing() {
    let mut world = Sites::new(&[0, 1], &[(0, 1)]);
    world.report(0, lamp(DeviceState::InUse));
    world.stock_says(0, said(stock(0).1, lamp(DeviceState::Ringing)));
    world.rest();
    world.said.clear();
    let publishes = world.places[1].publishes;
    world.cut(0, 1, Duration::ZERO);
    world.wait(BLINK);
    world.connect(0, 1);
    world.wait(HOLD);
    assert_eq!((world.places[1].publishes, world.said_of(1, pbx(0))), (publishes, vec![]));
    world.cut(0, 1, HOLD - Duration::from_secs(1));
    world.wait(Duration::from_secs(2));
    assert_eq!(world.lamp(1, pbx(0)), Some(DeviceState::Unavailable));
    assert_eq!(world.lamp(1, stock(0).1), Some(DeviceState::Unavailable));
    assert_eq!(world.said_of(1, pbx(0)), [(1, true, DeviceState::Unavailable)]);
    world.report(0, lamp(DeviceState::NotInUse));
    world.connect(0, 1);
    world.wait(HOLD * 2);
    assert_eq!(world.lamp(1, pbx(0)), Some(DeviceState::NotInUse));
    assert_eq!(world.lamp(1, stock(0).1), Some(DeviceState::Ringing));
    assert_eq!(world.said_of(1, pbx(0)), [(1, false, DeviceState::NotInUse)], "without what was before");
}

#[test]
fn a_server_that_departs_goes_out_elsewhere_at_once() {
    let mut world = Sites::new(&[0, 1], &[(0, 1)]);
    world.stock_says(0, said(stock(0).1, lamp(DeviceState::InUse)));
    world.report(0, lamp(DeviceState::InUse));
    world.said.clear();
    world.input(0, Input::Changed { joined: vec![], left: vec![stock(0).0] });
    world.input(0, Input::Silent(FIRST));
    world.rest();
    assert_eq!(world.lamp(1, stock(0).1), Some(DeviceState::Unavailable));
    assert_eq!(world.lamp(1, pbx(0)), Some(DeviceState::Unavailable));
    assert_eq!(world.said_of(1, pbx(0)), [(1, true, DeviceState::Unavailable)]);
}

#[test]
fn of_two_nodes_one_says_what_comes_and_the_other_when_that_one_is_gone() {
    let mut world = Sites::new(&[0, 1, 1], &[(0, 1), (0, 2)]);
    world.report(0, lamp(DeviceState::Ringing));
    assert_eq!(world.said_of(1, pbx(0)), [(1, false, DeviceState::Ringing)]);
    assert_eq!(world.lamp(2, pbx(0)), Some(DeviceState::Ringing));
    world.wait(HOLD);
    world.kill(1);
    world.wait(Duration::from_secs(1));
    assert_eq!(world.said_of(1, pbx(0)), [], "it has been said");
    world.report(0, lamp(DeviceState::InUse));
    assert_eq!(world.said_of(1, pbx(0)), [(2, false, DeviceState::InUse)]);
    world.start(1);
    world.connect(0, 1);
    world.wait(HOLD * 2);
    world.said.clear();
    world.report(0, lamp(DeviceState::NotInUse));
    assert_eq!(world.said_of(1, pbx(0)), [(1, false, DeviceState::NotInUse)]);
    assert_eq!(world.lamp(2, pbx(0)), Some(DeviceState::NotInUse));
}

#[test]
fn a_node_without_a_link_hears_in_its_group_what_comes_and_withdraws_it_when_nobody_can_know() {
    let mut world = Sites::new(&[0, 1, 1], &[(0, 2)]);
    world.report(0, lamp(DeviceState::Ringing));
    assert_eq!(world.lamp(1, pbx(0)), Some(DeviceState::Ringing));
    world.report(1, lamp(DeviceState::InUse));
    assert_eq!(world.lamp(0, pbx(1)), Some(DeviceState::InUse));
    world.kill(1);
    world.start(1);
    world.wait(HOLD);
    assert_eq!(
        world.places[1].node.states().aggregate_of(&Device::new("Custom:lamp").unwrap()),
        Some(DeviceState::Ringing)
    );
    world.kill(2);
    world.wait(HOLD - Duration::from_secs(1));
    assert_eq!(world.lamp(1, pbx(0)), Some(DeviceState::Ringing), "it may be back");
    world.said.clear();
    world.wait(Duration::from_secs(2));
    assert_eq!(world.lamp(1, pbx(0)), Some(DeviceState::Unavailable));
    assert_eq!(world.said_of(1, pbx(0)), [(1, true, DeviceState::Unavailable)]);
}

#[test]
fn a_site_between_two_others_hands_on_what_its_nodes_hear_of_each_other() {
    let mut world = Sites::new(&[0, 1, 1, 2], &[(0, 1), (2, 3)]);
    world.report(0, lamp(DeviceState::Ringing));
    assert_eq!(world.lamp(3, pbx(0)), Some(DeviceState::Ringing));
    world.report(3, lamp(DeviceState::InUse));
    assert_eq!(world.lamp(0, pbx(3)), Some(DeviceState::InUse));
    world.cut(0, 1, HOLD);
    world.wait(Duration::from_secs(1));
    assert_eq!(world.lamp(3, pbx(0)), Some(DeviceState::Unavailable));
    assert_eq!(world.lamp(1, pbx(0)), Some(DeviceState::Unavailable));
}

#[test]
fn a_node_that_is_alone_in_its_group_takes_back_what_it_had_said_there_when_it_stops() {
    let mut world = Sites::new(&[0, 1], &[(0, 1)]);
    world.report(0, lamp(DeviceState::Ringing));
    world.said.clear();
    world.input(1, Input::Stop);
    world.rest();
    assert_eq!(world.said_of(1, pbx(0)), [(1, true, DeviceState::Unavailable)]);
    assert_eq!(world.lamp(0, pbx(1)), None);
    assert!(world.places[1].node.drained());
}

#[test]
fn what_a_peer_may_not_say_is_dropped_counted_and_named() {
    let mut world = Sites::new(&[0, 1], &[(0, 1)]);
    let lamps = Channel { devices: vec![Pattern::new("Custom:*").unwrap()], mailboxes: vec![] };
    world.places[1].config[0].take = Filter { eids: Some([pbx(0)].into()), channels: Some(vec![lamps]) };
    world.kill(1);
    world.start(1);
    world.connect(0, 1);
    world.rest();
    world.report(0, lamp(DeviceState::Ringing));
    assert_eq!(world.lamp(1, pbx(0)), Some(DeviceState::Ringing));
    world.report(0, light(3));
    world.stock_says(0, said(stock(0).1, lamp(DeviceState::InUse)));
    world.rest();
    assert_eq!(world.lamp(1, stock(0).1), None);
    assert_eq!(world.places[1].lights.len(), 0);
    let barred = |rule| world.places[1].node.barred(PeerId(0), rule).1;
    assert_eq!(Barred::ALL.map(barred), [1, 1, 0, 0]);
}

#[test]
fn a_peer_whose_words_are_of_another_age_does_not_have_the_last_one() {
    let mut world = Sites::new(&[0, 1], &[(0, 1)]);
    world.report(0, lamp(DeviceState::InUse));
    let clock = u64::MAX - 1;
    let statement = |eid| Statement {
        eid,
        change: lamp(DeviceState::Ringing),
        withdrawn: false,
        version: Version { clock, writer: eid_of_node(1) },
        origin: Stamp::default(),
    };
    let adjacency = Adjacency {
        node: eid_of_node(0),
        site: "site0".into(),
        version: clock,
        neighbours: vec![],
        servers: vec![],
    };
    let peer = PeerId(0);
    world.input(0, Input::LinkFrame { peer, frame: Frame::Adjacency(adjacency) });
    let frame = Frame::States(vec![statement(pbx(0)), statement(pbx(1))]);
    world.input(0, Input::LinkFrame { peer, frame });
    world.wait(HOLD);
    assert_eq!(world.places[0].node.barred(peer, Barred::Clock).1, 3);
    assert_eq!(world.lamp(0, pbx(1)), None);
    world.report(0, lamp(DeviceState::NotInUse));
    assert_eq!(world.lamp(1, pbx(0)), Some(DeviceState::NotInUse));
}

#[test]
fn a_site_that_tells_its_mailboxes_only_shows_the_others_what_they_need() {
    let mut world = Sites::new(&[0, 1], &[(0, 1)]);
    let mailboxes = Channel { devices: vec![], mailboxes: vec![Pattern::new("*").unwrap()] };
    world.places[0].config[0].tell = Filter { eids: None, channels: Some(vec![mailboxes]) };
    world.kill(0);
    world.start(0);
    world.connect(0, 1);
    world.rest();
    world.report(0, lamp(DeviceState::Ringing));
    world.report(0, light(3));
    assert_eq!(world.lamp(1, pbx(0)), None);
    assert_eq!(world.places[1].lights["100@default"], 3);
}

#[test]
fn a_server_that_two_sites_claim_is_named_and_the_own_one_counts() {
    let mut world = Sites::new(&[0, 1], &[(0, 1)]);
    let twin = Member { nodeid: 201, pid: 1 };
    world.input(1, Input::Changed { joined: vec![(twin, Arrival::Process)], left: vec![] });
    world.report(0, lamp(DeviceState::Ringing));
    world.input(1, Input::Delivered { from: twin, message: said(pbx(0), lamp(DeviceState::InUse)) });
    let now = world.now;
    let outputs: Vec<_> = std::iter::from_fn(|| world.places[1].node.poll_output(now)).collect();
    let alarm = |output: &Output| matches!(output, Output::Note(Note::EqualEid { eid, second: Holder::Elsewhere(node), .. }) if *eid == pbx(0) && *node == eid_of_node(0));
    assert!(outputs.iter().any(alarm), "{outputs:?}");
}

#[test]
fn what_was_on_its_way_for_longer_than_the_hold_time_does_not_come_back() {
    let mut world = Sites::new(&[0, 1], &[(0, 1)]);
    world.report(0, lamp(DeviceState::InUse));
    world.cut(0, 1, HOLD);
    world.wait(Duration::from_secs(1));
    assert_eq!(world.lamp(1, pbx(0)), Some(DeviceState::Unavailable));
    let late = Statement {
        eid: pbx(0),
        change: lamp(DeviceState::InUse),
        withdrawn: false,
        version: Version { clock: u64::MAX / 2, writer: eid_of_node(0) },
        origin: Stamp::default(),
    };
    world.stock_says(1, Message::Told(late));
    world.wait(Duration::from_secs(1));
    assert_eq!(world.lamp(1, pbx(0)), Some(DeviceState::Unavailable));
}

#[test]
fn two_nodes_of_a_site_of_which_one_has_missed_a_word_do_not_correct_each_other_for_ever() {
    let mut world = Sites::new(&[0, 1, 1], &[(0, 1), (0, 2)]);
    let (member, eid) = stock(1);
    for heard_by in [1, 2] {
        let message = said(eid, lamp(DeviceState::Ringing));
        world.input(heard_by, Input::Delivered { from: member, message });
        world.rest();
        world.wait(HOLD);
        let publishes = world.places[0].publishes;
        world.wait(HOLD);
        assert_eq!(world.places[0].publishes, publishes);
        world.stock_says(1, said(eid, lamp(DeviceState::NotInUse)));
        world.rest();
        assert_eq!(world.lamp(0, eid), Some(DeviceState::NotInUse));
    }
}

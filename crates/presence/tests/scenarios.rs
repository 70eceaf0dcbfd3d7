//! What happened, and exactly what the node then wants done.

use presence::{
    Change, Config, Device, DeviceState, Drop, Eid, Holder, Mailbox, Member, Message, MessageCounts, Node,
    Note, Outcome, Output, Refusal, ServerConfig, ServerId, Wakeup,
};
use std::time::Duration;

const NODE: Eid = Eid([2, 0, 0, 0, 1, 0x21]);
const PBX1: Eid = Eid([2, 0, 0, 0, 1, 1]);
const PBX2: Eid = Eid([2, 0, 0, 0, 1, 2]);
const PBX3: Eid = Eid([2, 0, 0, 0, 1, 3]);
const PBX4: Eid = Eid([2, 0, 0, 0, 1, 4]);
const ME: Member = Member { nodeid: 21, pid: 1 };
const ONE: Member = Member { nodeid: 1, pid: 7 };
const TWO: Member = Member { nodeid: 2, pid: 7 };
const FIRST: ServerId = ServerId(0);
const SECOND: ServerId = ServerId(1);

#[test]
fn a_lamp_crosses_from_the_group_to_every_server() {
    let mut world = World::in_group(&[ONE]);
    world.node.deliver(world.now, ONE, said(PBX1, lamp(DeviceState::InUse)));
    assert_eq!(
        world.effects(),
        [publish(FIRST, PBX1, lamp(DeviceState::InUse)), publish(SECOND, PBX1, lamp(DeviceState::InUse))]
    );
}

#[test]
fn a_lamp_crosses_from_a_server_to_the_group_and_to_the_other_server_and_never_back() {
    let mut world = World::in_group(&[ONE]);
    world.node.report(FIRST, PBX3, lamp(DeviceState::Ringing)).unwrap();
    assert_eq!(
        world.effects(),
        [
            Output::Multicast(said(PBX3, lamp(DeviceState::Ringing))),
            publish(SECOND, PBX3, lamp(DeviceState::Ringing)),
        ]
    );
    world.node.deliver(world.now, ME, said(PBX3, lamp(DeviceState::Ringing)));
    assert_eq!(world.effects(), []);
}

#[test]
fn what_everybody_knows_is_not_said_again() {
    let mut world = World::in_group(&[ONE]);
    for _ in 0..2 {
        world.node.deliver(world.now, ONE, said(PBX1, lamp(DeviceState::InUse)));
        world.node.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
        world.run();
    }
    world.node.deliver(world.now, ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.node.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
    assert_eq!(world.effects(), []);
}

#[test]
fn a_state_that_is_not_cachable_passes_each_time_and_is_not_kept() {
    let mut world = World::in_group(&[ONE]);
    let flash = Change::DeviceState {
        device: Device::new("Local/1@x").unwrap(),
        state: DeviceState::InUse,
        cachable: false,
    };
    for _ in 0..2 {
        world.node.deliver(world.now, ONE, said(PBX1, flash.clone()));
        assert_eq!(world.run().len(), 2);
    }
    assert!(world.node.states().of(PBX1).is_none());
}

#[test]
fn a_stock_members_aggregate_never_enters_the_table() {
    let mut world = World::in_group(&[ONE]);
    let device = Device::new("Custom:lamp").unwrap();
    world.node.deliver(
        world.now,
        ONE,
        Message::Aggregate { eid: PBX1, device: device.clone(), state: DeviceState::Busy },
    );
    assert_eq!(world.effects(), []);
    assert_eq!(world.node.states().aggregate_of(&device), None);
}

#[test]
fn a_departed_members_lamps_go_out_at_every_server_of_ours() {
    let mut world = World::in_group(&[ONE, TWO]);
    world.node.deliver(world.now, ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.node.deliver(world.now, TWO, said(PBX2, lamp(DeviceState::NotInUse)));
    world.run();
    world.node.group_changed(&[], &[ONE]);
    assert_eq!(
        world.effects(),
        [
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
    world.node.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
    world.run();
    world.node.server_silent(FIRST);
    assert_eq!(
        world.effects(),
        [
            Output::Multicast(said(PBX3, lamp(DeviceState::Unavailable))),
            publish(SECOND, PBX3, lamp(DeviceState::Unavailable)),
        ]
    );
    assert!(world.node.states().of(PBX3).is_none());
}

#[test]
fn a_message_light_falls_back_to_what_another_server_says() {
    let mut world = World::in_group(&[ONE, TWO]);
    world.node.deliver(world.now, TWO, said(PBX2, light(1)));
    world.node.deliver(world.now, ONE, said(PBX1, light(3)));
    world.run();
    world.node.group_changed(&[], &[ONE]);
    assert_eq!(world.run(), [publish(FIRST, PBX1, light(1)), publish(SECOND, PBX1, light(1))]);
    world.node.group_changed(&[], &[TWO]);
    assert_eq!(world.run(), [publish(FIRST, PBX2, light(0)), publish(SECOND, PBX2, light(0))]);
}

#[test]
fn a_server_that_answers_again_is_asked_for_its_states_and_told_all_others() {
    let mut world = World::in_group(&[ONE]);
    world.node.deliver(world.now, ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.node.report(FIRST, PBX3, lamp(DeviceState::Busy)).unwrap();
    world.run();
    world.node.server_silent(FIRST);
    world.run();
    world.node.server_alive(FIRST);
    assert_eq!(
        world.run(),
        [Output::RequestRefresh { server: FIRST }, publish(FIRST, PBX1, lamp(DeviceState::InUse))]
    );
}

#[test]
fn a_server_is_told_nothing_before_its_eid_is_known() {
    let mut node = Node::new(Config {
        eid: NODE,
        address: "192.0.2.21".into(),
        servers: vec![ServerConfig { eid: None }],
    });
    let now = Duration::ZERO;
    node.group_joined(now, ME, vec![ME, ONE]);
    node.server_alive(FIRST);
    node.deliver(now, ONE, said(PBX1, lamp(DeviceState::InUse)));
    let mut world = World { node, now };
    assert_eq!(world.run().iter().filter(|output| matches!(output, Output::Publish { .. })).count(), 0);
    world.node.report(FIRST, PBX3, lamp(DeviceState::NotInUse)).unwrap();
    assert!(world.run().contains(&publish(FIRST, PBX1, lamp(DeviceState::InUse))));
}

#[test]
fn a_word_to_a_server_is_repeated_until_it_is_taken_and_only_the_last_state_counts() {
    let mut world = World::in_group(&[ONE]);
    world.node.deliver(world.now, ONE, said(PBX1, lamp(DeviceState::Ringing)));
    assert_eq!(world.effects().len(), 2);
    world.node.published(world.now, SECOND, Outcome::Accepted);
    world.node.published(world.now, FIRST, Outcome::Unanswered);
    world.node.deliver(world.now, ONE, said(PBX1, lamp(DeviceState::InUse)));
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
    world.node.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
    world.effects();
    world.now += Duration::from_secs(10);
    world.node.handle_timeout(world.now);
    assert_eq!(world.effects(), [Output::Multicast(said(PBX3, lamp(DeviceState::InUse)))]);
    world.node.deliver(world.now, ME, said(PBX3, lamp(DeviceState::InUse)));
    assert_eq!(world.node.group_queue(), 0);
}

#[test]
fn a_newcomer_hears_all_states_of_our_servers_and_then_who_we_are() {
    let mut world = World::in_group(&[ONE]);
    world.node.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
    world.run();
    world.node.group_changed(&[TWO], &[]);
    assert_eq!(
        world.effects(),
        [Output::Multicast(said(PBX3, lamp(DeviceState::InUse))), Output::Multicast(introduction())]
    );
}

#[test]
fn the_node_is_synced_when_its_own_words_are_back_and_all_members_are_known() {
    let mut node = Node::new(config());
    node.group_joined(Duration::ZERO, ME, vec![ME, ONE]);
    let mut world = World { node, now: Duration::ZERO };
    assert_eq!(world.effects(), [Output::Multicast(introduction())]);
    world.node.deliver(world.now, ME, introduction());
    assert!(!world.node.synced(), "the other member's dump may still be on its way");
    world.node.deliver(
        world.now,
        ONE,
        Message::Discovery { eid: PBX1, nodeid: 1, address: "192.0.2.1".into() },
    );
    assert!(world.node.synced());
}

#[test]
fn a_member_that_never_speaks_does_not_keep_the_node_from_being_ready() {
    let mut node = Node::new(config());
    node.group_joined(Duration::ZERO, ME, vec![ME, ONE]);
    let mut world = World { node, now: Duration::ZERO };
    world.run();
    world.node.deliver(world.now, ME, introduction());
    let (at, why) = world.node.poll_timeout().unwrap();
    assert_eq!(why, Wakeup::Sync);
    world.node.handle_timeout(at);
    assert!(world.node.synced());
}

#[test]
fn a_short_absence_from_the_group_changes_no_lamp_and_a_long_one_withdraws_it() {
    let mut world = World::in_group(&[ONE]);
    world.node.deliver(world.now, ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.run();
    world.node.group_lost(world.now);
    assert!(!world.node.synced());
    world.node.group_joined(world.now, ME, vec![ME, ONE]);
    assert!(!world.run().iter().any(|output| matches!(output, Output::Publish { .. })));
    world.node.group_lost(world.now);
    let (at, why) = world.node.poll_timeout().unwrap();
    assert_eq!(why, Wakeup::Absence);
    world.now = at;
    world.node.handle_timeout(at);
    assert_eq!(world.effects().len(), 2, "both servers hear that the lamp is out");
    assert_eq!(world.node.poll_timeout(), None);
}

#[test]
fn a_member_that_went_while_we_were_away_is_withdrawn_at_the_rejoin() {
    let mut world = World::in_group(&[ONE, TWO]);
    world.node.deliver(world.now, ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.run();
    world.node.group_lost(world.now);
    world.node.group_joined(world.now, ME, vec![ME, TWO]);
    assert!(world.run().contains(&publish(FIRST, PBX1, lamp(DeviceState::Unavailable))));
}

#[test]
fn what_was_said_while_out_of_the_group_is_said_at_the_rejoin() {
    let mut world = World::in_group(&[ONE]);
    world.node.group_lost(world.now);
    world.node.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
    assert_eq!(
        world.effects(),
        [publish(SECOND, PBX3, lamp(DeviceState::InUse))],
        "our own servers are served"
    );
    world.node.group_joined(world.now, ME, vec![ME, ONE]);
    assert!(world.effects().contains(&Output::Multicast(said(PBX3, lamp(DeviceState::InUse)))));
}

#[test]
fn the_second_of_two_equal_eids_is_refused_and_told_once() {
    let mut world = World::in_group(&[ONE, TWO]);
    world.node.deliver(world.now, ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.run();
    world.node.deliver(world.now, TWO, said(PBX1, lamp(DeviceState::NotInUse)));
    world.node.deliver(world.now, TWO, said(PBX1, lamp(DeviceState::NotInUse)));
    let told = Note::EqualEid { eid: PBX1, holder: Holder::Member(ONE), second: Holder::Member(TWO) };
    let dropped = Note::Dropped(Drop::EqualEid);
    assert_eq!(world.notes(), [told, dropped.clone(), dropped]);
    let device = Device::new("Custom:lamp").unwrap();
    assert_eq!(world.node.states().aggregate_of(&device), Some(DeviceState::InUse));
}

#[test]
fn a_report_under_somebody_elses_eid_is_refused() {
    let mut node = Node::new(Config {
        eid: NODE,
        address: "192.0.2.21".into(),
        servers: vec![ServerConfig { eid: None }, ServerConfig { eid: Some(PBX4) }],
    });
    node.group_joined(Duration::ZERO, ME, vec![ME, ONE]);
    node.deliver(Duration::ZERO, ONE, said(PBX1, lamp(DeviceState::InUse)));
    for taken in [NODE, PBX1, PBX4] {
        assert_eq!(node.report(FIRST, taken, lamp(DeviceState::Busy)), Err(Refusal::EqualEid), "{taken}");
    }
    assert_eq!(node.report(SECOND, PBX3, lamp(DeviceState::Busy)), Err(Refusal::WrongEid));
    assert_eq!(node.report(FIRST, PBX3, lamp(DeviceState::Busy)), Ok(()));
    assert!(node.states().of(PBX4).is_none());
}

#[test]
fn a_server_that_comes_back_with_another_eid_leaves_nothing_under_the_old_one() {
    let mut world = World::in_group(&[ONE]);
    world.node =
        Node::new(Config { eid: NODE, address: "a".into(), servers: vec![ServerConfig { eid: None }; 2] });
    world.node.report(FIRST, PBX3, lamp(DeviceState::InUse)).unwrap();
    world.node.report(FIRST, PBX4, lamp(DeviceState::NotInUse)).unwrap();
    assert!(world.node.states().of(PBX3).is_none());
    assert_eq!(world.node.states().eids().collect::<Vec<_>>(), [PBX4]);
}

#[test]
fn stopping_takes_back_what_others_know_only_through_us() {
    let mut world = World::in_group(&[ONE]);
    world.node.deliver(world.now, ONE, said(PBX1, lamp(DeviceState::InUse)));
    world.node.report(FIRST, PBX3, light(2)).unwrap();
    world.run();
    world.node.stop();
    let outputs = world.run();
    assert!(outputs.contains(&publish(FIRST, PBX1, lamp(DeviceState::Unavailable))));
    assert!(outputs.contains(&Output::Multicast(said(PBX3, light(0)))));
    assert!(world.node.drained());
    assert_eq!(world.node.report(FIRST, PBX3, light(2)), Err(Refusal::Stopping));
}

#[test]
fn what_is_lit_goes_out_first() {
    let mut world = World::in_group(&[ONE, TWO]);
    let state =
        |name, state| Change::DeviceState { device: Device::new(name).unwrap(), state, cachable: true };
    world.node.deliver(world.now, ONE, said(PBX1, state("Custom:a", DeviceState::NotInUse)));
    world.node.deliver(world.now, TWO, said(PBX2, state("Custom:b", DeviceState::Ringing)));
    world.run();
    world.node.stop();
    assert_eq!(world.effects()[0], publish(FIRST, PBX2, state("Custom:b", DeviceState::Unavailable)));
}

/// A node with what a test needs to drive it.
struct World {
    node: Node,
    now: Duration,
}

impl World {
    /// A node in the group, synced, with two servers that answer.
    fn in_group(others: &[Member]) -> Self {
        let now = Duration::from_secs(60);
        let mut world = Self { node: Node::new(config()), now };
        world.node.server_alive(FIRST);
        world.node.server_alive(SECOND);
        world.node.group_joined(now, ME, [&[ME], others].concat());
        world.run();
        world
    }

    /// The effects of now, but the notes; nothing is confirmed.
    fn effects(&mut self) -> Vec<Output> {
        let outputs = std::iter::from_fn(|| self.node.poll_output(self.now));
        outputs.filter(|output| !matches!(output, Output::Note(_))).collect()
    }

    fn notes(&mut self) -> Vec<Note> {
        let outputs = std::iter::from_fn(|| self.node.poll_output(self.now));
        let note = |output| if let Output::Note(note) = output { Some(note) } else { None };
        outputs.filter_map(note).collect()
    }

    /// Carries out and confirms every effect until none is left; returns them, but the notes.
    fn run(&mut self) -> Vec<Output> {
        let mut all = Vec::new();
        while let Some(output) = self.node.poll_output(self.now) {
            match &output {
                Output::Multicast(message) => self.node.deliver(self.now, ME, message.clone()),
                Output::Publish { server, .. } | Output::RequestRefresh { server } => {
                    self.node.published(self.now, *server, Outcome::Accepted);
                }
                Output::Note(_) => continue,
            }
            all.push(output);
        }
        all
    }
}

fn config() -> Config {
    let server = |eid| ServerConfig { eid: Some(eid) };
    Config { eid: NODE, address: "192.0.2.21".into(), servers: vec![server(PBX3), server(PBX4)] }
}

fn lamp(state: DeviceState) -> Change {
    Change::DeviceState { device: Device::new("Custom:lamp").expect("a name"), state, cachable: true }
}

fn light(new: u32) -> Change {
    Change::Mwi {
        mailbox: Mailbox::new("100@default").expect("a name"),
        counts: MessageCounts { new, old: 0 },
    }
}

fn said(eid: Eid, change: Change) -> Message {
    Message::Change { eid, change }
}

fn publish(server: ServerId, eid: Eid, change: Change) -> Output {
    Output::Publish { server, eid, change }
}

fn introduction() -> Message {
    Message::Discovery { eid: NODE, nodeid: 21, address: "192.0.2.21".into() }
}

//! Mailboxes of which several servers speak: an Asterisk has one value for each, so the last word counts, and has to be the last
//! everywhere.

mod world;

use world::*;

const STRANGER: Eid = Eid([2, 0, 0, 0, 1, 9]);

#[test]
fn a_withdrawal_changes_no_light_of_which_another_server_has_spoken_since() {
    let mut world = World::in_group(&[ONE, OTHER]);
    world.deliver(ONE, said(PBX1, light(3)));
    world.run();
    world.deliver(OTHER, taken_back(PBX2, light(0)));
    assert!(!world.run().contains(&publish(FIRST, PBX2, light(0))));
}

#[test]
fn when_the_last_word_is_a_servers_of_ours_again_it_is_said_again() {
    let mut world = World::in_group(&[ONE, TWO]);
    world.report(FIRST, PBX3, light(1)).unwrap();
    world.run();
    world.deliver(ONE, said(PBX1, light(3)));
    world.run();
    world.left(ONE);
    let outputs = world.run();
    let place = |output: &Output| outputs.iter().position(|one| one == output);
    let back = place(&Output::Multicast(taken_back(PBX1, light(1)))).expect("stock servers keep the light");
    let again = place(&Output::Multicast(said(PBX3, light(1)))).expect("newcomers have not heard it");
    assert!(back < again);
}

#[test]
fn a_withdrawal_says_what_is_right_when_it_is_said() {
    let mut world = World::in_group(&[ONE, TWO]);
    world.deliver(ONE, said(PBX1, light(3)));
    world.run();
    world.left(ONE);
    assert!(world.effects().contains(&Output::Multicast(taken_back(PBX1, light(0)))));
    let on_its_way = world.last.take().expect("it has just been sent");
    world.deliver(TWO, said(PBX2, light(5)));
    world.deliver(ME, on_its_way);
    assert!(world.effects().contains(&Output::Multicast(taken_back(PBX1, light(5)))));
}

#[test]
fn several_servers_that_go_at_once_leave_nothing_of_what_they_had_said() {
    let mut world = World::in_group(&[ONE, OTHER]);
    world.deliver(OTHER, stamped(PBX1, light(1), 1));
    world.deliver(OTHER, stamped(PBX2, light(0), 2));
    world.deliver(OTHER, stamped(STRANGER, light(7), 3));
    world.run();
    world.left(OTHER);
    let told = world.run();
    let mut lights = told.iter().filter(|output| matches!(output, Output::Publish { server: FIRST, .. }));
    assert!(matches!(lights.next_back(), Some(Output::Publish { change, .. }) if *change == light(0)));
}

#[test]
fn a_server_that_speaks_while_another_word_is_on_its_way_to_it_keeps_its_own() {
    let mut world = World::in_group(&[ONE]);
    world.deliver(ONE, said(PBX1, light(3)));
    assert!(world.effects().contains(&publish(FIRST, PBX1, light(3))));
    world.report(FIRST, PBX3, light(4)).unwrap();
    world.input(Input::Settled { server: FIRST, outcome: Outcome::Accepted });
    assert!(world.effects().contains(&publish(FIRST, NODE, light(4))));
}

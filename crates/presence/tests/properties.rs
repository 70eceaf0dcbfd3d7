//! The aggregate is a join semilattice, so any order of arrival ends in the same lamp.

use std::collections::BTreeSet;

use presence::{DeviceState, aggregate};

/// What Asterisk 16 and 22 make of every set of states, as the lab's scenario `aggregates_are_as_recorded` saw it.
const RECORDED: [&str; 2] =
    [include_str!("oracle/aggregate-16.tsv"), include_str!("oracle/aggregate-22.tsv")];

/// Every set of up to five states, by brute force.
fn sets() -> impl Iterator<Item = Vec<DeviceState>> {
    (0_u32..512)
        .map(|bits| {
            DeviceState::ALL.into_iter().filter(|state| bits & (1 << state.number()) != 0).collect::<Vec<_>>()
        })
        .filter(|set| set.len() <= 5)
}

fn permutations(set: &[DeviceState]) -> Vec<Vec<DeviceState>> {
    if set.is_empty() {
        return vec![vec![]];
    }
    (0..set.len())
        .flat_map(|first| {
            let mut rest = set.to_vec();
            let head = rest.remove(first);
            permutations(&rest).into_iter().map(move |tail| [vec![head], tail].concat())
        })
        .collect()
}

#[test]
fn it_is_what_asterisk_makes_of_every_set() {
    for recorded in RECORDED {
        let mut sets = BTreeSet::new();
        for row in recorded.lines().filter(|line| !line.starts_with('#')) {
            let (states, expected) = row.split_once('\t').unwrap();
            let states: Vec<DeviceState> = states.split(' ').map(|state| state.parse().unwrap()).collect();
            assert_eq!(aggregate(states.clone()).as_str(), expected, "{states:?}");
            sets.insert(states.into_iter().collect::<BTreeSet<_>>());
        }
        assert_eq!(sets.len(), (1 << DeviceState::ALL.len()) - 1, "every set but the empty one is recorded");
    }
}

#[test]
fn the_order_of_the_states_does_not_matter() {
    for set in sets() {
        let expected = aggregate(set.clone());
        for order in permutations(&set) {
            assert_eq!(aggregate(order.clone()), expected, "{order:?}");
        }
    }
}

#[test]
fn saying_a_state_twice_changes_nothing() {
    for set in sets() {
        assert_eq!(aggregate([set.clone(), set.clone()].concat()), aggregate(set.clone()), "{set:?}");
    }
}

#[test]
fn a_server_that_does_not_know_the_device_changes_nothing() {
    for set in sets() {
        let with = aggregate(set.iter().copied().chain([DeviceState::Invalid]));
        assert_eq!(with, aggregate(set.clone()), "{set:?}");
    }
}

#[test]
fn servers_may_be_grouped_in_any_way() {
    for left in sets() {
        for right in sets() {
            let grouped = aggregate([aggregate(left.clone()), aggregate(right.clone())]);
            assert_eq!(grouped, aggregate([left.clone(), right.clone()].concat()), "{left:?} and {right:?}");
        }
    }
}

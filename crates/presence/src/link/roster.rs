//! Which nodes of the wide world can be reached over links, and for which servers they vouch: a link-state database.
//!
//! Each node says of itself with whom it is linked and for which servers it speaks, and that goes to all. Two nodes are
//! connected when both say so; whoever is cut off is seen to be by all at the same word, and nobody has to count hops.

use crate::{EIDS_MAX, Eid};
use alloc::boxed::Box;
use alloc::collections::btree_map::Entry;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

/// The most nodes of which something is remembered.
pub const NODES_MAX: usize = 1_024;

/// How long the word of a node out of reach is kept: the word that brings it into reach may be on its way.
const KEPT: Duration = Duration::from_secs(60);

/// What a node says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Adjacency {
    /// The node.
    pub node: Eid,
    /// The name of its site.
    pub site: Box<str>,
    /// The higher the newer.
    pub version: u64,
    /// The nodes that it is linked with. One from which nothing comes is listed for as long as the hold time.
    pub neighbours: Vec<Eid>,
    /// The servers that it vouches for: its own, and those of its site's group.
    pub servers: Vec<Eid>,
}

/// What all nodes say of themselves, ours included.
pub(crate) struct Roster {
    own: Adjacency,
    others: BTreeMap<Eid, Known>,
    /// Of each server for which others vouch or have vouched the node that was the last to do so.
    homes: BTreeMap<Eid, Eid>,
    /// Of each server for which a node in reach vouches that node.
    vouched: BTreeMap<Eid, Eid>,
}

/// How a server elsewhere stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// A node in reach vouches for it.
    Vouched,
    /// Its node is in reach and vouches for it no more: it began anew and has not heard of it yet, or the server has gone.
    Unvouched,
    /// No node that could know of it is in reach.
    CutOff,
    /// No node has ever vouched for it, as far as we know.
    Unknown,
}

struct Known {
    adjacency: Adjacency,
    /// When it went out of reach, or came without being in reach.
    unreachable_since: Option<Duration>,
}

/// What somebody's word of himself is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Worth {
    /// It is to be told to all others.
    News,
    /// It is known.
    Known,
    /// It is an old word of our own, of an earlier run or from a clock that was ahead: ours is to be told again, which is newer now.
    Ours,
    /// There is no room for more nodes.
    Full,
}

impl Roster {
    pub(crate) fn new(me: Eid, site: Box<str>) -> Self {
        let own = Adjacency { node: me, site, version: 0, neighbours: Vec::new(), servers: Vec::new() };
        Self { own, others: BTreeMap::new(), homes: BTreeMap::new(), vouched: BTreeMap::new() }
    }

    /// Says something else of ourselves. Tells whether it is something else.
    pub(crate) fn say(&mut self, version: u64, neighbours: Vec<Eid>, servers: Vec<Eid>) -> bool {
        let same = self.own.version != 0 && self.own.neighbours == neighbours && self.own.servers == servers;
        if !same {
            let left = self.own.servers.iter().filter(|server| !servers.contains(server));
            self.homes.extend(left.map(|server| (*server, self.own.node)));
            self.own.version = version.max(self.own.version.saturating_add(1));
            self.own.neighbours = neighbours;
            self.own.servers = servers;
        }
        !same
    }

    /// A node says something of itself.
    pub(crate) fn hear(&mut self, now: Duration, adjacency: Adjacency) -> Worth {
        if adjacency.node == self.own.node {
            let old = adjacency.version >= self.own.version && adjacency != self.own;
            if old {
                self.own.version = adjacency.version.saturating_add(1);
            }
            return if old { Worth::Ours } else { Worth::Known };
        }
        adjacency.servers.iter().for_each(|server| self.settle(*server, adjacency.node));
        if let Some(known) = self.others.get_mut(&adjacency.node) {
            if adjacency.version <= known.adjacency.version {
                return Worth::Known;
            }
            known.adjacency = adjacency;
        } else {
            if self.others.len() >= NODES_MAX {
                return Worth::Full;
            }
            let known = Known { adjacency, unreachable_since: Some(now) };
            self.others.insert(known.adjacency.node, known);
        }
        self.judge_reach(now);
        Worth::News
    }

    /// Looks anew who is in reach, and forgets who has been out of it for long.
    pub(crate) fn judge_reach(&mut self, now: Duration) {
        let reach = self.reach();
        for (node, known) in &mut self.others {
            known.unreachable_since =
                if reach.contains(node) { None } else { known.unreachable_since.or(Some(now)) };
        }
        self.others.retain(|_, known| known.unreachable_since.is_none_or(|since| now < since + KEPT));
        let in_reach = self.in_reach().flat_map(|it| it.servers.iter().map(|server| (*server, it.node)));
        self.vouched = in_reach.collect();
        // One that was lost is vouched for again by a word that is not new.
        let returned = self.vouched.iter().filter(|(server, _)| !self.homes.contains_key(server));
        let returned: Vec<(Eid, Eid)> = returned.map(|(server, node)| (*server, *node)).collect();
        returned.into_iter().for_each(|(server, node)| self.settle(server, node));
    }

    /// A node vouches for a server.
    fn settle(&mut self, server: Eid, node: Eid) {
        if self.homes.len() < EIDS_MAX || self.homes.contains_key(&server) {
            self.homes.insert(server, node);
        }
    }

    /// All that is known, to be told to a node that is linked anew.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Adjacency> {
        core::iter::once(&self.own).chain(self.others.values().map(|known| &known.adjacency))
    }

    /// What is known of one node.
    pub(crate) fn of(&self, node: Eid) -> Option<&Adjacency> {
        if node == self.own.node {
            Some(&self.own)
        } else {
            self.others.get(&node).map(|known| &known.adjacency)
        }
    }

    /// How a server elsewhere stands.
    pub(crate) fn place(&self, server: Eid) -> Place {
        match self.homes.get(&server) {
            _ if self.vouched.contains_key(&server) => Place::Vouched,
            Some(home) if self.is_in_reach(*home) => Place::Unvouched,
            Some(_) => Place::CutOff,
            None => Place::Unknown,
        }
    }

    fn is_in_reach(&self, node: Eid) -> bool {
        node == self.own.node || self.others.get(&node).is_some_and(|known| known.unreachable_since.is_none())
    }

    /// The node that vouches for a server elsewhere, or did so last.
    pub(crate) fn home(&self, server: Eid) -> Option<Eid> {
        self.vouched.get(&server).or_else(|| self.homes.get(&server)).copied()
    }

    /// Through which of these nodes of one site each node elsewhere is reached: through the first that has a way to it on which no other
    /// of them stands.
    pub(crate) fn gates(&self, nodes: &[Eid]) -> BTreeMap<Eid, Eid> {
        let mut gates = BTreeMap::new();
        for gate in nodes {
            let mut open = Vec::from([*gate]);
            while let Some(from) = open.pop() {
                for node in self.linked(from).filter(|node| !nodes.contains(node)) {
                    if let Entry::Vacant(place) = gates.entry(node) {
                        place.insert(*gate);
                        open.push(node);
                    }
                }
            }
        }
        gates
    }

    /// The nodes that list this one, and are listed by it.
    fn linked(&self, from: Eid) -> impl Iterator<Item = Eid> {
        let neighbours = self.of(from).into_iter().flat_map(|adjacency| &adjacency.neighbours).copied();
        neighbours.filter(move |node| self.of(*node).is_some_and(|it| it.neighbours.contains(&from)))
    }

    /// Forgets who vouched for a server.
    pub(crate) fn forget(&mut self, server: Eid) {
        self.homes.remove(&server);
    }

    /// What the other nodes in reach say of themselves.
    pub(crate) fn in_reach(&self) -> impl Iterator<Item = &Adjacency> {
        let known = self.others.values().filter(|known| known.unreachable_since.is_none());
        known.map(|known| &known.adjacency)
    }

    /// Goes from node to node where both ends of a link list each other.
    fn reach(&self) -> BTreeSet<Eid> {
        let mut reached = BTreeSet::from([self.own.node]);
        let mut open = Vec::from([self.own.node]);
        while let Some(from) = open.pop() {
            open.extend(self.linked(from).filter(|node| reached.insert(*node)));
        }
        reached
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    const ME: Eid = Eid([0, 0, 0, 0, 0, 1]);
    const B: Eid = Eid([0, 0, 0, 0, 0, 2]);
    const C: Eid = Eid([0, 0, 0, 0, 0, 3]);
    const PBX: Eid = Eid([2, 0, 0, 0, 1, 1]);
    const NOW: Duration = Duration::from_secs(100);

    fn adjacency(node: Eid, version: u64, neighbours: &[Eid], servers: &[Eid]) -> Adjacency {
        Adjacency { node, site: "".into(), version, neighbours: neighbours.into(), servers: servers.into() }
    }

    /// Me - B - C, where C speaks for a server.
    fn chain() -> Roster {
        let mut roster = Roster::new(ME, "".into());
        assert!(roster.say(1, vec![B], vec![]));
        assert_eq!(roster.hear(NOW, adjacency(C, 1, &[B], &[PBX])), Worth::News);
        assert_eq!(roster.hear(NOW, adjacency(B, 1, &[ME, C], &[])), Worth::News);
        roster
    }

    #[test]
    fn a_server_behind_two_links_is_vouched_for() {
        let roster = chain();
        assert_eq!(roster.in_reach().map(|it| it.node).collect::<Vec<_>>(), [B, C]);
        assert_eq!(roster.place(PBX), Place::Vouched);
        assert_eq!(roster.place(ME), Place::Unknown);
    }

    #[test]
    fn a_link_that_one_end_has_given_up_is_none() {
        let mut roster = chain();
        assert_eq!(roster.hear(NOW, adjacency(B, 2, &[ME], &[])), Worth::News);
        assert_eq!(roster.place(PBX), Place::CutOff);
        assert_eq!(roster.hear(NOW, adjacency(B, 3, &[ME, C], &[])), Worth::News);
        assert_eq!(roster.place(PBX), Place::Vouched, "what C had said is still known");
    }

    #[test]
    fn a_node_that_vouches_no_more_and_is_there_is_told_from_one_that_is_cut_off() {
        let mut roster = chain();
        roster.hear(NOW, adjacency(C, 2, &[B], &[]));
        assert_eq!(roster.place(PBX), Place::Unvouched);
        roster.forget(PBX);
        assert_eq!(roster.place(PBX), Place::Unknown);
    }

    #[test]
    fn a_server_that_was_lost_and_is_back_is_cut_off_when_its_node_is() {
        let mut roster = chain();
        roster.hear(NOW, adjacency(B, 2, &[ME], &[]));
        roster.forget(PBX);
        roster.hear(NOW, adjacency(B, 3, &[ME, C], &[]));
        assert_eq!(roster.place(PBX), Place::Vouched);
        roster.hear(NOW, adjacency(B, 4, &[ME], &[]));
        assert_eq!(roster.place(PBX), Place::CutOff);
    }

    #[test]
    fn an_older_word_changes_nothing() {
        let mut roster = chain();
        assert_eq!(roster.hear(NOW, adjacency(C, 1, &[B], &[])), Worth::Known);
        assert_eq!(roster.place(PBX), Place::Vouched);
    }

    #[test]
    fn an_old_word_of_our_own_makes_ours_newer() {
        let mut roster = chain();
        assert_eq!(roster.hear(NOW, adjacency(ME, 9, &[C], &[])), Worth::Ours);
        assert_eq!((roster.own.version, roster.own.neighbours.as_slice()), (10, &[B][..]));
        let own = roster.own.clone();
        assert_eq!(roster.hear(NOW, own), Worth::Known, "it comes back by another way");
        assert!(!roster.say(5, vec![B], vec![]), "nothing else");
        assert!(roster.say(5, vec![B, C], vec![]));
        assert_eq!(roster.own.version, 11);
    }

    #[test]
    fn of_two_nodes_of_a_site_the_first_with_a_way_of_its_own_is_the_gate() {
        let mut roster = chain();
        let mate = Eid([0, 0, 0, 0, 0, 9]);
        roster.say(2, vec![B, mate], vec![]);
        roster.hear(NOW, adjacency(mate, 1, &[ME, C], &[]));
        roster.hear(NOW, adjacency(C, 2, &[B, mate], &[PBX]));
        assert_eq!(roster.gates(&[ME, mate]), [(B, ME), (C, ME)].into());
        assert_eq!(roster.gates(&[mate, ME]), [(B, mate), (C, mate)].into());
        roster.hear(NOW, adjacency(B, 2, &[ME], &[]));
        assert_eq!(roster.gates(&[ME, mate]), [(B, ME), (C, mate)].into());
        assert_eq!(roster.home(PBX), Some(C));
    }

    #[test]
    fn who_is_out_of_reach_for_long_is_forgotten() {
        let mut roster = chain();
        roster.say(2, vec![], vec![]);
        roster.judge_reach(NOW);
        assert_eq!(roster.in_reach().count(), 0);
        assert_eq!(roster.all().count(), 3);
        roster.judge_reach(NOW + KEPT);
        assert_eq!(roster.all().count(), 1);
    }

    #[test]
    fn invented_nodes_end_somewhere() {
        let mut roster = Roster::new(ME, "".into());
        for number in 0..NODES_MAX {
            let [a, b, ..] = number.to_le_bytes();
            assert_eq!(roster.hear(NOW, adjacency(Eid([1, 0, 0, 0, b, a]), 1, &[], &[])), Worth::News);
        }
        assert_eq!(roster.hear(NOW, adjacency(B, 1, &[], &[])), Worth::Full);
    }
}

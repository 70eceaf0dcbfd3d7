//! Our own site: which nodes are in its group, and for which servers we vouch.

use crate::Eid;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;

pub(crate) struct Site {
    me: Eid,
    local: BTreeSet<Eid>,
    /// Servers that are of this site, there or not.
    expected: BTreeSet<Eid>,
    /// In the order of the group; ourselves alone while we are in none.
    nodes: Vec<Eid>,
    /// Nodes that were in the group, and when they went: one that begins anew changes no lamp.
    left: BTreeMap<Eid, Duration>,
}

impl Site {
    pub(crate) fn new(me: Eid) -> Self {
        Self {
            me,
            local: BTreeSet::new(),
            expected: BTreeSet::new(),
            nodes: Vec::from([me]),
            left: BTreeMap::new(),
        }
    }

    pub(crate) fn settle(&mut self, now: Duration, local: BTreeSet<Eid>, nodes: Vec<Eid>) {
        let left = self.nodes.iter().filter(|node| !nodes.contains(node));
        self.left.extend(left.map(|node| (*node, now)));
        self.left.retain(|node, _| !nodes.contains(node));
        self.local = local;
        self.nodes = if nodes.contains(&self.me) { nodes } else { Vec::from([self.me]) };
        self.left.remove(&self.me);
    }

    pub(crate) fn expect(&mut self, servers: impl IntoIterator<Item = Eid>) {
        self.expected.extend(servers);
    }

    pub(crate) fn expects(&self, server: Eid) -> bool {
        self.expected.contains(&server)
    }

    pub(crate) fn local(&self) -> &BTreeSet<Eid> {
        &self.local
    }

    pub(crate) fn vouches_for(&self, server: Eid) -> bool {
        self.local.contains(&server)
    }

    pub(crate) fn nodes(&self) -> &[Eid] {
        &self.nodes
    }

    /// The nodes that speak before us.
    pub(crate) fn seniors(&self) -> &[Eid] {
        self.nodes.split(|node| *node == self.me).next().unwrap_or_default()
    }

    /// The other nodes of the site, those that went a short while ago included.
    pub(crate) fn neighbours(&mut self, now: Duration, hold: Duration) -> Vec<Eid> {
        self.left.retain(|_, at| now < *at + hold);
        let others = self.nodes.iter().filter(|node| **node != self.me);
        others.chain(self.left.keys()).copied().collect()
    }

    /// Nodes that went are not waited for.
    pub(crate) fn forget_left(&mut self) {
        self.left.clear();
    }

    /// When a node that went stops to be a neighbour.
    pub(crate) fn given_up_at(&self, hold: Duration) -> Option<Duration> {
        self.left.values().min().map(|at| *at + hold)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    const A: Eid = Eid([0, 0, 0, 0, 0, 1]);
    const ME: Eid = Eid([0, 0, 0, 0, 0, 2]);
    const C: Eid = Eid([0, 0, 0, 0, 0, 3]);
    const HOLD: Duration = Duration::from_secs(15);

    #[test]
    fn a_node_that_went_is_a_neighbour_until_the_hold_time_is_over() {
        let mut site = Site::new(ME);
        site.settle(HOLD, BTreeSet::new(), vec![A, ME, C]);
        assert_eq!(site.seniors(), [A]);
        site.settle(HOLD, BTreeSet::new(), vec![ME, C]);
        assert_eq!((site.seniors().len(), site.nodes().len()), (0, 2));
        assert_eq!(site.neighbours(HOLD, HOLD), [C, A]);
        assert_eq!(site.given_up_at(HOLD), Some(HOLD * 2));
        assert_eq!(site.neighbours(HOLD * 2, HOLD), [C]);
        site.settle(HOLD * 2, BTreeSet::new(), vec![]);
        assert_eq!((site.nodes(), site.seniors().len()), (&[ME][..], 0));
        assert_eq!(site.neighbours(HOLD * 2, HOLD), [C]);
    }
}

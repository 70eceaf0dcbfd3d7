//! Links between sites: what is told to nodes elsewhere, and what is taken from them.
//!
//! Every state of the wide world has a version, so a word may come by any way, twice and late. Whatever was newer goes on to all
//! other links. Two nodes that meet (again) compare fingerprints and tell each other what differs; afterwards each change follows.
//! A node *vouches* for the servers of its site, whose truth it hears in its group: what comes over a link about one of those is
//! corrected, never believed.
//!
//! [`Links`] is this, without sockets and clock; which bytes its frames are is told in `crates/wire`, and who carries them in
//! `crates/link`. [`Node`](crate::Node) does not use it yet.

mod backlog;
mod frame;
mod hearing;
mod ledger;
mod peer;
mod roster;
mod telling;
#[cfg(test)]
mod tests;

pub use frame::{Frame, Hello, Standing, Statement};
pub use ledger::{BUCKETS, Version};
pub use peer::PeerId;
pub use roster::{Adjacency, NODES_MAX};

use crate::{Change, EIDS_MAX, Eid, Stamp, Subject};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;
use ledger::Ledger;
use peer::Peer;
use roster::{Place, Roster};

/// How long a server of this site may take to say what others still remember of it, before that is taken back.
const SILENCE_WAIT: Duration = Duration::from_secs(5);

/// How long a word of a server of this site that comes over a link may be ahead of our group.
const AHEAD_WAIT: Duration = Duration::from_secs(1);

/// All links of a node, and what goes over them. The table of states is its owner's, who carries out each [`Effect`] before the next frame.
pub struct Links {
    hello: Hello,
    /// A node from which nothing came for so long is gone.
    hold: Duration,
    roster: Roster,
    ledger: Ledger,
    peers: Vec<Peer>,
    /// The servers that we vouch for.
    local: BTreeSet<Eid>,
    /// The nodes of our site that speak before us to whom they are linked with, too.
    seniors: Vec<Eid>,
    /// What others say of servers of our site and we have not heard from those.
    rumours: BTreeMap<(Eid, Subject), Rumour>,
    /// Servers elsewhere for which their nodes, in reach, vouch no more, since when.
    unvouched: BTreeMap<Eid, Duration>,
    /// Servers elsewhere whose states were forgotten; others may still have them and believe that we have, too.
    forgotten: BTreeSet<Eid>,
}

/// What comes over a link about a server of this site, and is not what the server has said here. Another node of the site may have
/// heard it earlier; else it is long past.
struct Rumour {
    /// `None`: that the state was taken back.
    change: Option<Change>,
    version: Version,
    /// When it is corrected.
    until: Duration,
}

/// What a frame does to the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// A server elsewhere says this.
    Enter {
        /// The server.
        eid: Eid,
        /// What it says.
        change: Change,
        /// What its own node had stamped on it.
        origin: Stamp,
    },
    /// A server elsewhere stands for it no more.
    Withdraw {
        /// The server.
        eid: Eid,
        /// What it had spoken of.
        subject: Subject,
    },
    /// Something is not taken, because there is no room for more servers, states or nodes.
    Refuse,
}

/// Coming and going.
impl Links {
    /// A node that is linked with nobody yet, and may be with so many peers. One from which nothing came for `hold` is gone.
    #[must_use]
    pub fn new(hello: Hello, peers: usize, hold: Duration) -> Self {
        Self {
            roster: Roster::new(hello.node),
            ledger: Ledger::new(hello.node),
            peers: (0..peers).map(|_| Peer::default()).collect(),
            hello,
            hold,
            local: BTreeSet::new(),
            seniors: Vec::new(),
            rumours: BTreeMap::new(),
            unvouched: BTreeMap::new(),
            forgotten: BTreeSet::new(),
        }
    }

    /// There is a connection with a peer.
    pub fn connected(&mut self, peer: PeerId) {
        let hello = self.hello.clone();
        self.peers[peer.0].connect(hello);
    }

    /// The connection is gone, on which nothing had come for `silent`.
    pub fn disconnected(&mut self, now: Duration, peer: PeerId, silent: Duration) {
        self.peers[peer.0].disconnect(now.saturating_sub(silent));
    }

    /// The servers that this node vouches for from now on, and the nodes of its site that speak before it.
    pub fn settle_site(&mut self, local: BTreeSet<Eid>, seniors: Vec<Eid>) {
        let silent = self.left_to_others();
        self.local = local;
        self.seniors = seniors;
        self.compare_where_we_speak(&silent);
    }

    /// The peers to which we do not speak of this site.
    fn left_to_others(&self) -> Vec<PeerId> {
        self.ids().filter(|peer| !self.speaks_to(*peer)).collect()
    }

    /// What a node before us may have left unsaid to these peers is found by comparing.
    fn compare_where_we_speak(&mut self, silent: &[PeerId]) {
        for peer in silent {
            if self.speaks_to(*peer) {
                self.compare(*peer);
            }
        }
    }

    /// Says anew of ourselves whom we are linked with and whom we vouch for, where that has changed.
    pub fn refresh(&mut self, now: Duration, now_us: u64) {
        let neighbours: BTreeSet<Eid> =
            self.peers.iter().filter_map(|peer| peer.neighbour(now, self.hold)).collect();
        let servers = self.local.iter().copied().collect();
        if self.roster.say(now_us, neighbours.into_iter().collect(), servers) {
            self.tell_node(self.hello.node, None);
        }
        self.roster.judge_reach(now);
        let before = self.forgotten.len();
        self.forgotten.retain(|eid| self.roster.place(*eid) != Place::Vouched);
        if self.forgotten.len() < before {
            self.ids().for_each(|peer| self.compare(peer));
        }
    }

    /// The servers elsewhere of which nothing is to be believed any more.
    pub fn take_lost(&mut self, now: Duration) -> Vec<Eid> {
        let foreign: Vec<Eid> = self.ledger.eids().filter(|eid| !self.local.contains(eid)).collect();
        let lost: Vec<Eid> = foreign.into_iter().filter(|eid| self.is_lost(now, *eid)).collect();
        for eid in &lost {
            self.unvouched.remove(eid);
            self.roster.forget(*eid);
            self.ledger.close(*eid);
            if self.forgotten.len() < EIDS_MAX {
                self.forgotten.insert(*eid);
            }
        }
        lost
    }

    /// Whoever is cut off has been silent for the hold time already; a node that began anew has to hear of its servers first.
    fn is_lost(&mut self, now: Duration, eid: Eid) -> bool {
        match self.roster.place(eid) {
            Place::Vouched => {
                self.unvouched.remove(&eid);
                false
            }
            Place::Unvouched => now >= *self.unvouched.entry(eid).or_insert(now) + self.hold,
            Place::CutOff => true,
        }
    }

    /// When to call [`Self::refresh`], [`Self::end_rumours`] and [`Self::take_lost`] at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let given_up = self.peers.iter().filter_map(|peer| peer.given_up_at(self.hold));
        let unvouched = self.unvouched.values().map(|since| *since + self.hold);
        given_up.chain(unvouched).chain(self.rumours.values().map(|rumour| rumour.until)).min()
    }

    fn ids(&self) -> impl Iterator<Item = PeerId> + use<> {
        (0..self.peers.len()).map(PeerId)
    }

    /// Whether it falls to us to tell a peer what this site says: not to a node of the site before us, nor to whom such a node is
    /// linked with, too.
    fn speaks_to(&self, peer: PeerId) -> bool {
        let Some(node) = self.peers[peer.0].node else { return false };
        let near = |senior: &Eid| {
            *senior == node || self.roster.of(node).is_some_and(|it| it.neighbours.contains(senior))
        };
        !self.seniors.iter().any(near)
    }
}

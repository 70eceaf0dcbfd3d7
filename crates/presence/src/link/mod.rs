//! Links between sites: what is told to nodes elsewhere, and what is taken from them.
//!
//! Every state of the wide world has a version, so a word may come by any way, twice and late. Whatever was newer goes on to all
//! other links. Two nodes that meet (again) compare fingerprints and tell each other what differs; afterwards each change follows.
//! A node *vouches* for the servers of its site, whose truth it hears in its group: what comes over a link about one of those is
//! corrected, never believed.
//!
//! The group is a link, too, on which the nodes of a site hear each other at once. What servers elsewhere say is said there for stock
//! servers as well, by one node, the *gate*; the others wait whether it does.
//!
//! [`Links`] is this, without sockets and clock; which bytes its frames are is told in `crates/wire`, and who carries them in
//! `crates/link`.

mod backlog;
mod filter;
mod frame;
mod hearing;
mod ledger;
mod peer;
mod roster;
mod site;
mod standby;
mod telling;
#[cfg(test)]
mod tests;

pub use filter::{Barred, Channel, Filter};
pub use frame::{Frame, Hello, Standing, Statement};
pub use ledger::{BUCKETS, Version};
pub use peer::{PeerConfig, PeerId};
pub use roster::{Adjacency, NODES_MAX};

use crate::{Change, EIDS_MAX, Eid, Mailbox, Stamp, Subject};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::time::Duration;
use ledger::Ledger;
use peer::Peer;
use roster::{Place, Roster};
use site::Site;
use standby::Standby;

/// How long a server of this site may take to say what others still remember of it, before that is taken back.
pub(crate) const SILENCE_WAIT: Duration = Duration::from_secs(5);

/// How long a word of a server of this site that comes over a link may be ahead of our group.
const AHEAD_WAIT: Duration = Duration::from_secs(1);

/// How long the gate may take to say something in the group that has come over a link of ours.
const STANDBY_WAIT: Duration = Duration::from_millis(500);

/// All links of a node, and what goes over them. The table of states is its owner's, who carries out each [`Effect`] before the next frame.
pub struct Links {
    hello: Hello,
    /// A node from which nothing came for so long is gone.
    hold: Duration,
    roster: Roster,
    ledger: Ledger,
    peers: Vec<Peer>,
    /// All nodes of our group together, as if they were one.
    group: Peer,
    /// Whether any node of our group has links, as far as we know. Else the group has nothing to hear of them.
    has_links: bool,
    site: Site,
    /// Through which node of our site each node elsewhere is reached.
    gates: BTreeMap<Eid, Eid>,
    /// Nodes elsewhere for which this node has become the gate.
    taken_over: BTreeSet<Eid>,
    standby: Standby,
    /// What others say of servers of our site and we have not heard from those.
    rumours: BTreeMap<(Eid, Subject), Rumour>,
    /// Which version of a word about a mailbox all nodes of our group have been told.
    shared: BTreeMap<(Eid, Subject), Version>,
    /// What was corrected, and has not been said here since.
    corrected: BTreeSet<(Eid, Subject)>,
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

/// The way by which something comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// A link.
    Link(PeerId),
    /// The group of our site.
    Group,
}

/// What a frame does, in this order: to the table first.
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
    /// This is to be said in the group, for stock servers too, as it is now.
    Say {
        /// The server.
        eid: Eid,
        /// What it speaks of.
        subject: Subject,
    },
    /// Words about this mailbox have other versions than before.
    Order(Mailbox),
    /// Something is not taken, because there is no room for more servers, states or nodes.
    Refuse,
    /// Something is not taken, because the peer may not say it.
    Bar {
        /// The peer.
        peer: PeerId,
        /// The server.
        eid: Eid,
        /// The rule.
        rule: Barred,
        /// Whether it is the first that this rule bars since the peer is connected.
        first: bool,
    },
}

impl Effect {
    /// What is newly known of a server elsewhere by it.
    pub(crate) fn news(&self) -> Option<(Eid, Subject)> {
        match self {
            Self::Enter { eid, change, .. } => Some((*eid, change.subject())),
            Self::Withdraw { eid, subject } => Some((*eid, subject.clone())),
            Self::Say { .. } | Self::Order(_) | Self::Refuse | Self::Bar { .. } => None,
        }
    }
}

/// Coming and going.
impl Links {
    /// A node that is linked with nobody yet, and may be with these peers. One from which nothing came for `hold` is gone.
    #[must_use]
    pub fn new(hello: Hello, peers: Vec<PeerConfig>, hold: Duration) -> Self {
        Self {
            roster: Roster::new(hello.node, hello.site.clone()),
            ledger: Ledger::new(hello.node),
            has_links: !peers.is_empty(),
            peers: peers.into_iter().map(Peer::new).collect(),
            group: Peer::default(),
            site: Site::new(hello.node),
            gates: BTreeMap::new(),
            taken_over: BTreeSet::new(),
            standby: Standby::new(),
            hello,
            hold,
            rumours: BTreeMap::new(),
            shared: BTreeMap::new(),
            corrected: BTreeSet::new(),
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

    /// Whether any node of our group has links, as far as we know.
    #[must_use]
    pub fn has_links(&self) -> bool {
        self.has_links
    }

    /// Others have come into the group, or we have: all that is known of nodes is said, and how far we have come.
    pub fn meet_group(&mut self) {
        if self.has_links {
            self.shared.clear();
            self.group.join();
            self.tell_roster(Way::Group);
            self.compare(Way::Group);
        }
    }

    /// We are out of the group.
    pub fn leave_group(&mut self, now: Duration) {
        self.group.disconnect(now);
    }

    /// The group stays away: its nodes are no neighbours any more.
    pub fn give_up_group(&mut self) {
        self.site.forget_left();
    }

    /// The servers that this node vouches for from now on, and the nodes of its group in their order, itself among them. Tells whether these are
    /// others than before.
    pub fn settle_site(&mut self, now: Duration, local: BTreeSet<Eid>, nodes: Vec<Eid>) -> bool {
        let changed = *self.site.local() != local || self.site.nodes() != nodes;
        let silent = self.left_to_others();
        self.site.settle(now, local, nodes);
        self.drop_rumours();
        self.compare_where_we_speak(&silent);
        changed
    }

    /// The peers to which we leave it to others to speak of servers of this site, and those servers.
    fn left_to_others(&self) -> Vec<(PeerId, Eid)> {
        let servers = |peer| self.site.local().iter().map(move |eid| (peer, *eid));
        self.ids().flat_map(servers).filter(|(peer, eid)| !self.speaks_to(*peer, *eid)).collect()
    }

    /// What a node before us may have left unsaid to these peers is found by comparing.
    fn compare_where_we_speak(&mut self, silent: &[(PeerId, Eid)]) {
        let ours = silent.iter().filter(|(peer, eid)| self.speaks_to(*peer, *eid)).map(|(peer, _)| *peer);
        for peer in ours.collect::<BTreeSet<_>>() {
            self.compare(Way::Link(peer));
        }
    }

    /// Says anew of ourselves whom we are linked with and whom we vouch for, where that has changed, and finds who is in reach.
    pub fn refresh(&mut self, now: Duration, now_us: u64) {
        self.peers.iter_mut().for_each(|peer| peer.give_up(now, self.hold));
        let mut neighbours: BTreeSet<Eid> =
            self.peers.iter().filter_map(|peer| peer.neighbour(now, self.hold)).collect();
        neighbours.extend(self.site.neighbours(now, self.hold));
        let servers = self.site.local().iter().copied().collect();
        if self.roster.say(now_us, neighbours.into_iter().collect(), servers) {
            self.tell_node(self.hello.node, None);
        }
        self.roster.judge_reach(now);
        let gates = self.roster.gates(self.site.nodes());
        let before = core::mem::replace(&mut self.gates, gates);
        let ours = |gate: Option<&Eid>| gate == Some(&self.hello.node);
        let homes = self.gates.iter().filter(|(home, gate)| ours(Some(*gate)) && !ours(before.get(*home)));
        self.taken_over.extend(homes.map(|(home, _)| *home));
        if self.gates != before {
            // A node that came lately may have got only part from the gate before.
            self.compare(Way::Group);
        }
        self.corrected.retain(|(eid, _)| self.site.vouches_for(*eid));
        self.shared.retain(|(eid, _), _| self.site.vouches_for(*eid));
        let before = self.forgotten.len();
        let elsewhere = |eid| self.roster.place(eid) == Place::Vouched && !self.is_of_this_site(eid);
        let back = |eid: Eid| self.site.vouches_for(eid) || elsewhere(eid);
        let kept: BTreeSet<Eid> = self.forgotten.iter().copied().filter(|eid| !back(*eid)).collect();
        self.forgotten = kept;
        if self.forgotten.len() < before {
            self.ids().for_each(|peer| self.compare(Way::Link(peer)));
            self.compare(Way::Group);
        }
    }

    /// The servers elsewhere of which nothing is to be believed any more.
    pub fn take_lost(&mut self, now: Duration) -> Vec<Eid> {
        let foreign: Vec<Eid> = self.ledger.eids().filter(|eid| !self.site.vouches_for(*eid)).collect();
        let lost: Vec<Eid> = foreign.into_iter().filter(|eid| self.is_lost(now, *eid)).collect();
        let (ledger, site) = (&self.ledger, &self.site);
        self.unvouched.retain(|eid, _| ledger.knows(*eid) && !site.vouches_for(*eid));
        for eid in &lost {
            self.unvouched.remove(eid);
            self.roster.forget(*eid);
            self.ledger.close(*eid);
            self.forget_for_now(*eid);
        }
        lost
    }

    /// Whether a server is one that we should hear in our group, if it were there.
    fn is_of_this_site(&self, eid: Eid) -> bool {
        let home = self.roster.home(eid);
        self.site.expects(eid) || home.is_some_and(|home| self.site.nodes().contains(&home))
    }

    fn forget_for_now(&mut self, eid: Eid) {
        if self.forgotten.len() < EIDS_MAX {
            self.forgotten.insert(eid);
        }
    }

    /// These servers are of this site, there or not.
    pub(crate) fn expect(&mut self, servers: impl IntoIterator<Item = Eid>) {
        self.site.expect(servers);
    }

    /// Whoever is cut off has been silent for the hold time already; a node that began anew has to hear of its servers first, and we, if we did,
    /// of who vouches for what is said in the group.
    fn is_lost(&mut self, now: Duration, eid: Eid) -> bool {
        match self.roster.place(eid) {
            Place::Vouched => {
                self.unvouched.remove(&eid);
                false
            }
            Place::Unvouched | Place::Unknown => now >= *self.unvouched.entry(eid).or_insert(now) + self.hold,
            Place::CutOff => true,
        }
    }

    /// When to call [`Self::refresh`], [`Self::end_rumours`], [`Self::take_says`] and [`Self::take_lost`] at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let given_up = self.peers.iter().filter_map(|peer| peer.given_up_at(self.hold));
        let unvouched = self.unvouched.values().map(|since| *since + self.hold);
        let rumours = self.rumours.values().map(|rumour| rumour.until);
        let others = [self.site.given_up_at(self.hold), self.standby.due_at()];
        given_up.chain(unvouched).chain(rumours).chain(others.into_iter().flatten()).min()
    }

    fn ids(&self) -> impl Iterator<Item = PeerId> + use<> {
        (0..self.peers.len()).map(PeerId)
    }

    fn at(&mut self, way: Way) -> &mut Peer {
        match way {
            Way::Link(peer) => &mut self.peers[peer.0],
            Way::Group => &mut self.group,
        }
    }

    /// Whether it falls to us to tell a peer what a server of this site says: not to a node of the site before us, nor to whom such a node
    /// is linked with, too, if that has heard of the server.
    fn speaks_to(&self, peer: PeerId, server: Eid) -> bool {
        let Some(node) = self.peers[peer.0].node else { return false };
        let vouches = |senior| self.roster.of(senior).is_some_and(|it| it.servers.contains(&server));
        let linked = |senior| self.roster.of(node).is_some_and(|it| it.neighbours.contains(&senior));
        let speaks = |senior: &Eid| *senior == node || linked(*senior) && vouches(*senior);
        !self.site.seniors().iter().any(speaks)
    }

    /// Whether it falls to us to say in the group what a server elsewhere says.
    #[must_use]
    pub fn is_gate(&self, server: Eid) -> bool {
        gate_of(&self.roster, &self.gates, server) == Some(self.hello.node)
    }

    /// Whether it is known to whom it falls.
    pub(crate) fn has_gate(&self, server: Eid) -> bool {
        gate_of(&self.roster, &self.gates, server).is_some()
    }

    /// The servers for which this node has become the gate since it was asked last.
    pub(crate) fn taken_over(&mut self) -> Vec<Eid> {
        let homes = core::mem::take(&mut self.taken_over);
        let is_ours = |eid: &Eid| self.roster.home(*eid).is_some_and(|home| homes.contains(&home));
        self.ledger.eids().filter(|eid| self.carries(*eid)).filter(is_ours).collect()
    }

    /// Whether a server is elsewhere and something is known of it.
    #[must_use]
    pub fn carries(&self, server: Eid) -> bool {
        !self.site.vouches_for(server) && self.ledger.knows(server)
    }

    /// Whether a server is elsewhere and a node in reach vouches for it.
    #[must_use]
    pub fn is_vouched_elsewhere(&self, server: Eid) -> bool {
        self.carries(server) && self.roster.place(server) == Place::Vouched
    }

    /// Servers of our site for which a node of another site in reach vouches, too, and that node.
    #[must_use]
    pub fn doubled(&self) -> Vec<(Eid, Eid)> {
        let elsewhere = self.roster.in_reach().filter(|it| it.site != self.hello.site);
        let claims = elsewhere.flat_map(|it| it.servers.iter().map(|server| (*server, it.node)));
        claims.filter(|(server, _)| self.site.vouches_for(*server)).collect()
    }

    /// How many states a peer was not told because of a rule, and how many of its were not taken.
    #[must_use]
    pub fn barred(&self, peer: PeerId, rule: Barred) -> (u64, u64) {
        let peer = &self.peers[peer.0];
        (peer.told.count(rule), peer.heard.count(rule))
    }

    /// What nodes in reach say of themselves, this one first.
    pub fn roster(&self) -> impl Iterator<Item = &Adjacency> {
        self.roster.of(self.hello.node).into_iter().chain(self.roster.in_reach())
    }

    /// Whether anything is known of what a statement is about.
    pub(crate) fn knows(&self, about: &Statement) -> bool {
        self.version(about.eid, &about.change.subject()).is_some()
    }

    /// The version of a state.
    #[must_use]
    pub fn version(&self, server: Eid, subject: &Subject) -> Option<Version> {
        self.ledger.of(server, subject).map(|entry| entry.version)
    }
}

/// The node of our site through which a server elsewhere is reached.
fn gate_of(roster: &Roster, gates: &BTreeMap<Eid, Eid>, server: Eid) -> Option<Eid> {
    roster.home(server).and_then(|home| gates.get(&home)).copied()
}

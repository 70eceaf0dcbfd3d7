//! One link: the node at its other end, and what it is still to be told.

use super::backlog::Backlog;
use super::filter::{Barred, Filter};
use super::frame::Hello;
use crate::{Change, EIDS_MAX, Eid, Subject};
use alloc::collections::BTreeSet;
use core::time::Duration;

/// The most comparisons that wait: of all that there can be, and of each server in both ways. A peer may name as many servers as it likes.
const COMPARISONS_MAX: usize = 1 + 2 * EIDS_MAX;

/// A peer as the configuration names it: its place there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId(pub usize);

/// What a peer may be told, and may say.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PeerConfig {
    /// What it is told.
    pub tell: Filter,
    /// What is taken from it.
    pub take: Filter,
}

/// The node at the other end of a link.
#[derive(Default)]
pub(crate) struct Peer {
    pub(crate) told: Gatekeeper,
    pub(crate) heard: Gatekeeper,
    /// Who it is; known since it first said so.
    pub(crate) node: Option<Eid>,
    connection: Option<Connection>,
    /// When it was heard last, while it is not connected.
    heard_last: Option<Duration>,
}

/// A filter that counts what it bars.
#[derive(Default)]
pub(crate) struct Gatekeeper {
    filter: Filter,
    barred: [u64; Barred::ALL.len()],
    /// The rules that have barred something since the peer is connected.
    known: BTreeSet<Barred>,
}

impl Gatekeeper {
    fn new(filter: Filter) -> Self {
        Self { filter, ..Self::default() }
    }

    /// Whether a state passes; if not, the rule that bars it, and whether that is its first time among what is a trespass.
    pub(crate) fn admit(&mut self, eid: Eid, change: &Change, trespass: bool) -> Result<(), (Barred, bool)> {
        let Err(rule) = self.filter.admit(eid, change) else { return Ok(()) };
        Err((rule, self.bar(rule, trespass)))
    }

    /// Counts what a rule bars. True the first time that it is a trespass.
    pub(crate) fn bar(&mut self, rule: Barred, trespass: bool) -> bool {
        self.barred[rule as usize] += 1;
        trespass && self.known.insert(rule)
    }

    pub(crate) fn count(&self, rule: Barred) -> u64 {
        self.barred[rule as usize]
    }
}

/// What is to be told while it is connected. Who we are comes first, then what is compared, then who is linked with whom, then states.
struct Connection {
    /// Whether it has said who it is. Before that it is told nothing but who we are and what we know: that we have no neighbours yet would cut us
    /// off.
    met: bool,
    hello: Option<Hello>,
    comparisons: Backlog<Comparison>,
    nodes: Backlog<Eid>,
    states: Backlog<(Eid, Subject)>,
}

/// What is told so that the peer finds out what differs; the fingerprints are those of the moment in which it is told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Comparison {
    /// All servers.
    All,
    /// The parts of one.
    One {
        eid: Eid,
        /// Whether it answers the peer's own.
        answer: bool,
    },
}

/// What may be sent next.
pub(crate) enum Next {
    Hello(Hello),
    Comparison(Comparison),
    /// What is known of this node.
    Node(Eid),
    /// States wait.
    States,
    Nothing,
}

impl Connection {
    fn new(met: bool, hello: Option<Hello>) -> Self {
        Self { met, hello, comparisons: Backlog::new(), nodes: Backlog::new(), states: Backlog::new() }
    }
}

impl Peer {
    pub(crate) fn new(config: PeerConfig) -> Self {
        Self { told: Gatekeeper::new(config.tell), heard: Gatekeeper::new(config.take), ..Self::default() }
    }

    /// It is connected; `hello` comes first, and then what we know, without waiting for it to say who it is.
    pub(crate) fn connect(&mut self, hello: Hello) {
        self.heard.known.clear();
        let mut connection = Connection::new(false, Some(hello));
        connection.comparisons.push(Comparison::All);
        self.connection = Some(connection);
    }

    /// It is the group, whose nodes say who they are in other ways.
    pub(crate) fn join(&mut self) {
        self.connection.get_or_insert_with(|| Connection::new(true, None));
    }

    /// It says who it is.
    pub(crate) fn meet(&mut self, node: Eid) {
        self.node = Some(node);
        if let Some(connection) = &mut self.connection {
            connection.met = true;
        }
    }

    /// The connection is gone; something was heard of it last at that time.
    pub(crate) fn disconnect(&mut self, heard: Duration) {
        self.connection = None;
        self.heard_last = Some(heard);
    }

    pub(crate) fn connected(&self) -> bool {
        self.connection.is_some()
    }

    /// The node at the other end, unless nothing came from there for as long as the hold time.
    pub(crate) fn neighbour(&self, now: Duration, hold: Duration) -> Option<Eid> {
        let lasts = self.connected() || self.heard_last.is_some_and(|heard| now < heard + hold);
        self.node.filter(|_| lasts)
    }

    /// Forgets when it was heard if that is too long ago.
    pub(crate) fn give_up(&mut self, now: Duration, hold: Duration) {
        self.heard_last = self.heard_last.filter(|heard| now < *heard + hold);
    }

    /// When it stops to be a neighbour.
    pub(crate) fn given_up_at(&self, hold: Duration) -> Option<Duration> {
        self.heard_last.filter(|_| !self.connected()).map(|heard| heard + hold)
    }

    /// Tells what is compared. False when there is no room.
    pub(crate) fn push_comparison(&mut self, comparison: Comparison) -> bool {
        let Some(connection) = self.met() else { return true };
        let room = connection.comparisons.len() < COMPARISONS_MAX;
        if room {
            connection.comparisons.push(comparison);
        }
        room
    }

    /// Tells what is known of a node; of the peer itself, too, which may have begun anew with a clock that is behind.
    pub(crate) fn push_node(&mut self, node: Eid) {
        if let Some(connection) = self.met() {
            connection.nodes.push(node);
        }
    }

    /// Tells a state, as it is when its turn comes.
    pub(crate) fn push_state(&mut self, eid: Eid, subject: &Subject) {
        if let Some(connection) = self.met() {
            connection.states.push((eid, subject.clone()));
        }
    }

    fn met(&mut self) -> Option<&mut Connection> {
        self.connection.as_mut().filter(|connection| connection.met)
    }

    pub(crate) fn next(&mut self) -> Next {
        let Some(connection) = &mut self.connection else { return Next::Nothing };
        if let Some(hello) = connection.hello.take() {
            return Next::Hello(hello);
        }
        if let Some(comparison) = connection.comparisons.pop() {
            return Next::Comparison(comparison);
        }
        if !connection.met {
            return Next::Nothing;
        }
        if let Some(node) = connection.nodes.pop() {
            return Next::Node(node);
        }
        if connection.states.is_empty() { Next::Nothing } else { Next::States }
    }

    pub(crate) fn next_state(&mut self) -> Option<(Eid, Subject)> {
        self.connection.as_mut()?.states.pop()
    }

    /// How many states wait to be told.
    pub(crate) fn waiting(&self) -> usize {
        self.connection.as_ref().map_or(0, |connection| connection.states.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: Eid = Eid([1, 0, 0, 0, 0, 1]);

    fn met() -> Peer {
        let mut peer = Peer::default();
        peer.connect(Hello { node: NODE, site: "".into(), incarnation: 1 });
        peer.meet(NODE);
        peer
    }

    #[test]
    fn what_is_compared_waits_once_however_often_a_peer_asks() {
        let mut peer = met();
        for _ in 0..1_000 {
            assert!(peer.push_comparison(Comparison::All));
            assert!(peer.push_comparison(Comparison::One { eid: NODE, answer: true }));
        }
        assert!(matches!(peer.next(), Next::Hello(_)));
        assert!(matches!(peer.next(), Next::Comparison(Comparison::All)));
        assert!(matches!(peer.next(), Next::Comparison(Comparison::One { .. })));
        assert!(matches!(peer.next(), Next::Nothing));
    }

    #[test]
    fn a_peer_that_invents_servers_is_asked_about_so_many() {
        let mut peer = met();
        let invented = (0..u16::MAX).map(|number| {
            let [high, low] = number.to_be_bytes();
            Comparison::One { eid: Eid([3, 0, 0, 0, high, low]), answer: false }
        });
        let waits = 1;
        assert_eq!(invented.filter(|it| peer.push_comparison(*it)).count() + waits, COMPARISONS_MAX);
    }
}

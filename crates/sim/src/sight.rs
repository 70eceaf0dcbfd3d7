//! Who is there, as each server's lamps are entitled to see it; and who saw whom go.

use crate::server::Side;
use crate::shell::Standing;
use crate::world::World;
use presence::{Member, ServerId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is remembered of comings and goings.
#[derive(Default)]
pub(crate) struct Sight {
    /// Which servers are out of a listener's sight: listener, then server.
    absences: BTreeMap<(usize, usize), Absence>,
    /// The last life of a server whose end no node saw that could have told the listener.
    unwitnessed: BTreeMap<(usize, usize), u32>,
    /// When a node's table last held something of a server.
    held: BTreeMap<(usize, usize), Duration>,
    /// Since when a node has been where a listener is.
    beside: BTreeMap<(usize, usize), Duration>,
    /// When a server was last out of anybody's sight.
    unseen_at: BTreeMap<usize, Duration>,
    /// When something last happened that may delay anything.
    pub(crate) disturbed_at: Duration,
    /// How long nothing had happened before that, all that came at once taken together.
    calm: Duration,
}

/// A server is out of a listener's sight.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Absence {
    pub(crate) since: Duration,
    /// The nodes that knew it, saw it go, and are still where the listener is.
    witnesses: BTreeSet<usize>,
    /// Its lamps were out when they had to be.
    pub(crate) settled: bool,
}

/// What happens within this time belongs together.
const AT_ONCE: Duration = Duration::from_millis(200);
/// A node that came has heard after this time what others say then.
const HEARING: Duration = Duration::from_millis(500);
/// A node that held a state so long ago still knew it.
const MEMORY: Duration = Duration::from_millis(150);

impl Sight {
    /// A listener begins anew: its lamps show nothing.
    pub(crate) fn forget(&mut self, listener: usize) {
        self.absences.retain(|(whose, _), _| *whose != listener);
        self.unwitnessed.retain(|(whose, _), _| *whose != listener);
    }

    pub(crate) fn absence(&self, listener: usize, server: usize) -> Option<&Absence> {
        self.absences.get(&(listener, server))
    }

    pub(crate) fn settle(&mut self, listener: usize, server: usize) {
        if let Some(absence) = self.absences.get_mut(&(listener, server)) {
            absence.settled = true;
        }
    }

    /// Whether no node could tell the listener that a life of a server has ended.
    pub(crate) fn is_unwitnessed(&self, listener: usize, server: usize) -> bool {
        self.unwitnessed.get(&(listener, server)).is_some_and(|last| *last > 0)
    }

    /// A server was out of sight.
    pub(crate) fn unsee(&mut self, now: Duration, server: usize) {
        self.unseen_at.insert(server, now);
    }

    /// When a server was last out of anybody's sight, if it ever was.
    pub(crate) fn unseen_at(&self, server: usize) -> Option<Duration> {
        self.unseen_at.get(&server).copied()
    }

    /// Something has happened that may delay anything.
    pub(crate) fn disturb(&mut self, now: Duration) {
        if now > self.disturbed_at + AT_ONCE {
            self.calm = now - self.disturbed_at;
        }
        self.disturbed_at = now;
    }

    /// How long it was calm before what happened just now, or has been if nothing did.
    pub(crate) fn quiet_before(&self, now: Duration) -> Duration {
        if now > self.disturbed_at + AT_ONCE { now - self.disturbed_at } else { self.calm }
    }
}

impl Absence {
    /// Whether some node could have told, and is able to.
    pub(crate) fn is_told(&self, is_well: impl Fn(usize) -> bool) -> bool {
        self.witnesses.iter().any(|node| is_well(*node))
    }
}

impl World<'_> {
    /// Looks who is there now.
    pub(crate) fn look(&mut self) {
        self.look_over_links();
        for node in 0..self.nodes.len() {
            self.look_into_table(node);
        }
        for listener in 0..self.servers.len() {
            self.look_beside(listener);
            for server in (0..self.servers.len()).filter(|server| *server != listener) {
                self.look_at(listener, server);
            }
        }
    }

    /// A machine has seen these members leave; they may be back already.
    pub(crate) fn look_after(&mut self, nodeid: u32, left: &[Member]) {
        for server in 0..self.servers.len() {
            let member = match &self.servers[server].side {
                Side::Stock(stock) => stock.member,
                Side::Plain(plain) => self.nodes[plain.node].member,
            };
            if left.contains(&member) {
                self.sight.unsee(self.now, server);
            }
            if self.servers[server].stock().is_some_and(|stock| stock.member.nodeid == nodeid) {
                let gone = |node: &usize| left.contains(&self.nodes[*node].member);
                let gone: Vec<usize> = (0..self.nodes.len()).filter(gone).collect();
                self.sight.beside.retain(|(listener, node), _| *listener != server || !gone.contains(node));
            }
        }
    }

    fn look_beside(&mut self, listener: usize) {
        let beside = self.nodes_beside(listener);
        self.sight.beside.retain(|(whose, node), _| *whose != listener || beside.contains(node));
        for node in beside {
            self.sight.beside.entry((listener, node)).or_insert(self.now);
        }
    }

    /// A node takes back whatever it has told; or goes on with taking back what it knew, long ago, to be gone.
    pub(crate) fn look_away(&mut self) {
        for server in 0..self.servers.len() {
            self.sight.unsee(self.now, server);
        }
    }

    fn look_into_table(&mut self, node: usize) {
        let Some(core) = &self.nodes[node].core else { return };
        for eid in core.states().eids() {
            if let Some(server) = self.server_of(eid) {
                self.sight.held.insert((node, server), self.now);
            }
        }
    }

    fn look_at(&mut self, listener: usize, server: usize) {
        let key = (listener, server);
        if self.sees(listener, server) {
            self.sight.absences.remove(&key);
            // What this life says is said to the listener too.
            let before = self.servers[server].life.saturating_sub(1);
            if let Some(last) = self.sight.unwitnessed.get_mut(&key) {
                *last = before.min(*last);
            }
            // A machine that is stuck sees a server go on that has begun anew; who saw that may be gone when it moves again.
            if self.nodes_beside(listener).is_empty() {
                self.sight.unwitnessed.insert(key, before);
            }
            return;
        }
        self.sight.unsee(self.now, server);
        let present = self.nodes_beside(listener);
        if let Some(absence) = self.sight.absences.get_mut(&key) {
            absence.witnesses.retain(|node| present.contains(node));
        } else {
            let knew = |node: &usize| {
                let held = self.sight.held.get(&(*node, server));
                let beside = self.sight.beside.get(&(listener, *node));
                // What it took back before it was here, the listener has not heard; and who has just come may not have heard all.
                let here = beside.is_some_and(|since| held.is_some_and(|at| *since + HEARING <= *at));
                here && (held.is_some_and(|at| self.now <= *at + MEMORY) || !self.nodes[*node].is_well())
            };
            let witnesses = present.into_iter().filter(knew).collect();
            self.sight.absences.insert(key, Absence { since: self.now, witnesses, settled: false });
        }
        let absence = &self.sight.absences[&key];
        if absence.witnesses.is_empty() && !absence.settled {
            let life = self.servers[server].life;
            let last = self.sight.unwitnessed.entry(key).or_default();
            *last = life.max(*last);
        }
    }

    /// The nodes whose word reaches a listener: its own, or those of its group.
    pub(crate) fn nodes_beside(&self, listener: usize) -> BTreeSet<usize> {
        match &self.servers[listener].side {
            Side::Plain(plain) => {
                // Whose EID it does not know, a node tells nothing.
                let core = self.nodes[plain.node].core.as_ref();
                let knows = core.is_some_and(|core| core.server_status(ServerId(plain.slot)).0.is_some());
                let stays = self.nodes[plain.node].stopping.is_none();
                (knows && stays).then_some(plain.node).into_iter().collect()
            }
            Side::Stock(stock) => {
                let group = self.group_of(stock.member);
                let inside = |node: &usize| {
                    let node = &self.nodes[*node];
                    let back = self.group_of(node.member);
                    // A corosync that was stopped still sees those that have given it up.
                    let mutual = group.is_some_and(|group| group.contains(&node.member))
                        && back.is_some_and(|group| group.contains(&stock.member));
                    node.core.is_some() && node.stopping.is_none() && mutual
                };
                (0..self.nodes.len()).filter(inside).collect()
            }
        }
    }

    /// Whether some machine's corosync refuses or swallows messages.
    pub(crate) fn is_stormy(&self) -> bool {
        !self.stormy.is_empty()
    }

    /// Whether a listener, as far as anybody can know, is to show what a server says: until its end is noticed, what a dead one said.
    pub(crate) fn sees(&self, listener: usize, server: usize) -> bool {
        let me = match &self.servers[listener].side {
            Side::Stock(stock) => stock.member,
            Side::Plain(plain) => return self.node_sees(plain.node, server),
        };
        self.is_in_sight_of(me, server) || self.is_seen_from_beside(listener, server)
    }

    /// Whether a node of a listener's group hears of a server from elsewhere.
    fn is_seen_from_beside(&self, listener: usize, server: usize) -> bool {
        self.wan.sites > 1 && self.nodes_beside(listener).into_iter().any(|node| self.node_sees(node, server))
    }

    /// Whether a node is to hold what a server says.
    pub(crate) fn node_sees(&self, node: usize, server: usize) -> bool {
        let far = || self.wan.reach[node].iter().any(|other| self.node_sees_near(*other, server));
        self.node_sees_near(node, server) || (self.nodes[node].core.is_some() && far())
    }

    /// The same, in its own group.
    pub(crate) fn node_sees_near(&self, node: usize, server: usize) -> bool {
        if self.nodes[node].core.is_none() {
            return false;
        }
        if let Side::Plain(plain) = &self.servers[server].side
            && plain.node == node
        {
            return self.is_heard(node, plain.slot);
        }
        self.is_joined(node) && self.is_in_sight_of(self.nodes[node].member, server)
    }

    /// Whether a node's process sees itself in the group.
    pub(crate) fn is_joined(&self, node: usize) -> bool {
        self.nodes[node].is_in_group()
    }

    fn is_in_sight_of(&self, me: Member, server: usize) -> bool {
        let Some(group) = self.group_of(me) else { return false };
        match &self.servers[server].side {
            // A process with the same name may be another server's by now.
            Side::Stock(stock) => !self.servers[server].replaced && group.contains(&stock.member),
            Side::Plain(plain) => {
                group.contains(&self.nodes[plain.node].member) && self.is_heard(plain.node, plain.slot)
            }
        }
    }

    fn is_heard(&self, node: usize, slot: usize) -> bool {
        // A node that is on its way out has taken back all that its servers say.
        let stays = self.nodes[node].core.is_some() && self.nodes[node].stopping.is_none();
        stays && self.nodes[node].links[slot].standing == Standing::Alive
    }

    /// The group as a member's machine sees it, while the member is in it.
    pub(crate) fn group_of(&self, member: Member) -> Option<&BTreeSet<Member>> {
        Some(self.bus.group(member.nodeid)).filter(|group| group.contains(&member))
    }
}

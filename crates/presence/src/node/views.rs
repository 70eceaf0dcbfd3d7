//! What the node knows, for operators and tests.

use super::Node;
use crate::link::{Adjacency, Barred, PeerId, Statement};
use crate::server::Server;
use crate::{Eid, Membership, ServerId, States};
use alloc::vec::Vec;
use core::time::Duration;

impl Node {
    /// The node's own EID.
    #[must_use]
    pub fn eid(&self) -> Eid {
        self.eid
    }

    /// The table.
    #[must_use]
    pub fn states(&self) -> &States {
        &self.states
    }

    /// The group.
    #[must_use]
    pub fn membership(&self) -> &Membership {
        &self.group.membership
    }

    /// The EIDs of the servers of this node that have said something.
    #[must_use]
    pub fn own_eids(&self) -> Vec<Eid> {
        self.servers.iter().filter_map(Server::reporting_eid).collect()
    }

    /// Whether the node and the group have told each other all they know.
    #[must_use]
    pub fn synced(&self) -> bool {
        self.sync.is_done()
    }

    /// Whether corosync takes this node's words and gives none back.
    #[must_use]
    pub fn stalled(&self, now: Duration) -> bool {
        self.group.stalled(now)
    }

    /// Words that wait for the group or for their way back from it.
    #[must_use]
    pub fn group_queue(&self) -> usize {
        self.group.outbox.len()
    }

    /// How long the message given last by [`poll_output`](Self::poll_output) had waited since it was decided on.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.group.outbox.waited()
    }

    /// Words that wait for a server or for its answer.
    #[must_use]
    pub fn server_queue(&self, server: ServerId) -> usize {
        self.servers[server.0].outbox.len()
    }

    /// How many states a node of another site was not told because of a rule, and how many of its were not taken.
    #[must_use]
    pub fn barred(&self, peer: PeerId, rule: Barred) -> (u64, u64) {
        self.links.barred(peer, rule)
    }

    /// How many states wait to be told to a node of another site.
    #[must_use]
    pub fn link_queue(&self, peer: PeerId) -> usize {
        self.links.waiting(peer)
    }

    /// Whether a statement says what is not known here yet. Over a second way it comes again.
    #[must_use]
    pub fn is_news(&self, statement: &Statement) -> bool {
        let known = self.links.version(statement.eid, &statement.change.subject());
        known.is_none_or(|known| known < statement.version)
    }

    /// What is known of the nodes in reach by links, this one first.
    pub fn roster(&self) -> impl Iterator<Item = &Adjacency> {
        self.links.roster()
    }

    /// The EID of a server, once known, and whether the server answers.
    #[must_use]
    pub fn server_status(&self, server: ServerId) -> (Option<Eid>, bool) {
        let server = &self.servers[server.0];
        (server.eid(), server.alive())
    }
}

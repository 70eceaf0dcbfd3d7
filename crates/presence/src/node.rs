//! The node's decisions: every input ends here, every effect comes out of here.

mod from_group;
mod from_servers;
mod withdrawal;

use crate::group::Group;
use crate::membership::Membership;
use crate::outbox::Word;
use crate::output::{Config, Drop, Holder, Note, Output, ServerId};
use crate::server::Server;
use crate::states::States;
use crate::{Change, Eid, Message};
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

/// One presence node, without clock, socket or thread.
///
/// `now` is the time since any fixed moment, the same for all calls, and never goes back. After each call take
/// what [`Self::poll_output`] has, and call [`Self::handle_timeout`] no earlier than [`Self::poll_timeout`] says; later
/// is safe, never is a bug.
pub struct Node {
    eid: Eid,
    address: Box<str>,
    states: States,
    group: Group,
    servers: Vec<Server>,
    notes: VecDeque<Note>,
    /// EIDs that were refused, and to whom: the operator knows of these already.
    told: BTreeSet<(Eid, Holder)>,
    /// The server whose turn it is to be sent to, so that none starves another.
    turn: usize,
    stopping: bool,
}

/// Why the node wants to be woken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Wakeup {
    /// Words to the group did not come back.
    Repeat,
    /// A member has not introduced itself.
    Sync,
    /// The group stays away.
    Absence,
    /// A server did not take a word.
    Retry(ServerId),
}

/// Time, effects and the way out.
impl Node {
    /// A node that is in no group yet and has heard of nobody.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            eid: config.eid,
            address: config.address,
            states: States::default(),
            group: Group::new(),
            servers: config.servers.iter().map(Server::new).collect(),
            notes: VecDeque::new(),
            told: BTreeSet::new(),
            turn: 0,
            stopping: false,
        }
    }

    /// The next effect.
    pub fn poll_output(&mut self, now: Duration) -> Option<Output> {
        if let Some(note) = self.notes.pop_front() {
            return Some(Output::Note(note));
        }
        if let Some(word) = self.group.send(now) {
            return Some(Output::Multicast(self.message(word)));
        }
        (0..self.servers.len()).find_map(|_| {
            let server = ServerId(self.turn);
            self.turn = (self.turn + 1) % self.servers.len();
            Some(match self.server(server).send(now)? {
                Word::Change { eid, change } => Output::Publish { server, eid, change },
                Word::Refresh | Word::Discovery | Word::Ping => Output::RequestRefresh { server },
            })
        })
    }

    /// When the node wants to be woken, and why; derived from its state each time.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Duration, Wakeup)> {
        let group = [
            self.group.repeat_at().map(|at| (at, Wakeup::Repeat)),
            self.group.sync_at().map(|at| (at, Wakeup::Sync)),
            self.group.absent_at().map(|at| (at, Wakeup::Absence)),
        ];
        let servers = self.servers.iter().enumerate();
        let retries =
            servers.filter_map(|(id, server)| Some((server.retry_at()?, Wakeup::Retry(ServerId(id)))));
        group.into_iter().flatten().chain(retries).min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        let repeated = self.group.repeat(now);
        self.note_repeated(repeated);
        self.end_sync(now);
        if self.group.give_up(now) {
            let eids = self.group.membership.forget_speakers();
            self.retire(&eids);
            self.note(Note::GroupWithdrawn { servers: eids.len() });
        }
    }

    /// Whether nothing is left to be said to anyone who listens.
    #[must_use]
    pub fn drained(&self) -> bool {
        let group = !self.group.joined() || self.group.outbox.is_empty();
        group && self.servers.iter().all(|server| !server.alive() || server.outbox.is_empty())
    }
}

/// What the node knows, for operators and tests.
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
        self.group.synced()
    }

    /// Words that wait for the group or for their way back from it.
    #[must_use]
    pub fn group_queue(&self) -> usize {
        self.group.outbox.len()
    }

    /// Words that wait for a server or for its answer.
    #[must_use]
    pub fn server_queue(&self, server: ServerId) -> usize {
        self.servers[server.0].outbox.len()
    }

    /// The EID of a server, once known, and whether the server answers.
    #[must_use]
    pub fn server_status(&self, server: ServerId) -> (Option<Eid>, bool) {
        let server = &self.servers[server.0];
        (server.eid(), server.alive())
    }
}

/// Helpers.
impl Node {
    fn server(&mut self, server: ServerId) -> &mut Server {
        &mut self.servers[server.0]
    }

    fn message(&self, word: Word) -> Message {
        let nodeid = self.group.membership.me().map_or(0, |me| me.nodeid);
        match word {
            Word::Change { eid, change } => Message::Change { eid, change },
            Word::Discovery => Message::Discovery { eid: self.eid, nodeid, address: self.address.clone() },
            Word::Ping | Word::Refresh => Message::Ping { eid: self.eid },
        }
    }

    /// Who of this node has an EID: the node itself or one of its servers.
    fn holder_here(&self, eid: Eid) -> Option<Holder> {
        if eid == self.eid {
            return Some(Holder::Node);
        }
        let server =
            |server: &Server| server.reporting_eid() == Some(eid) || server.configured_eid() == Some(eid);
        self.servers.iter().position(server).map(|id| Holder::Server(ServerId(id)))
    }

    /// Tells a state to every server of ours but the one whose it is.
    fn tell_servers(&mut self, eid: Eid, change: &Change) {
        for id in 0..self.servers.len() {
            let own = self.servers[id].eid();
            if own.is_some() && own != Some(eid) {
                self.push_to_server(ServerId(id), Word::Change { eid, change: change.clone() });
            }
        }
    }

    fn push_to_group(&mut self, word: Word) {
        if self.group.outbox.push(word).is_err() {
            self.drop_for(Drop::QueueFull);
        }
    }

    fn push_to_server(&mut self, server: ServerId, word: Word) {
        if self.server(server).outbox.push(word).is_err() {
            self.drop_for(Drop::QueueFull);
        }
    }

    fn refuse_equal(&mut self, eid: Eid, holder: Holder, second: Holder) {
        self.note_equal(eid, holder, second);
        self.drop_for(Drop::EqualEid);
    }

    fn note_equal(&mut self, eid: Eid, holder: Holder, second: Holder) {
        if self.told.insert((eid, second)) {
            self.note(Note::EqualEid { eid, holder, second });
        }
    }

    fn note_repeated(&mut self, words: usize) {
        if words > 0 {
            self.note(Note::Repeated(words));
        }
    }

    fn drop_for(&mut self, reason: Drop) {
        self.note(Note::Dropped(reason));
    }

    fn note(&mut self, note: Note) {
        self.notes.push_back(note);
    }
}

//! The node's decisions: every input ends here, every effect comes out of here.

use crate::group::Group;
use crate::membership::{Member, Membership};
use crate::outbox::Word;
use crate::output::{Config, Drop, Holder, Note, Outcome, Output, Refusal, ServerId};
use crate::server::{Learned, Server};
use crate::states::{Effect, States};
use crate::{Change, DeviceState, Eid, Kind, Message, MessageCounts};
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
    /// Pairs of equal EIDs that the operator knows of already.
    told_equal: BTreeSet<(Eid, Holder)>,
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

/// Inputs from the group.
impl Node {
    /// The node is in the group, which has these members, ourselves among them.
    pub fn group_joined(&mut self, now: Duration, me: Member, members: Vec<Member>) {
        self.note(Note::Joined { members: members.len() });
        for eid in self.group.membership.join(me, members) {
            self.retire(eid);
        }
        self.group.begin_sync(now);
        self.told_equal.clear();
        self.introduce();
    }

    /// Members have come or gone.
    pub fn group_changed(&mut self, joined: &[Member], left: &[Member]) {
        for &member in left {
            let eids = self.group.membership.remove(member);
            self.group.heard(member);
            self.told_equal.retain(|(_, second)| *second != Holder::Member(member));
            for &eid in &eids {
                self.retire(eid);
            }
            self.note(Note::MemberLeft { member, eids });
        }
        for &member in joined {
            self.group.membership.add(member);
            self.note(Note::MemberJoined(member));
        }
        if !joined.is_empty() {
            self.introduce();
        }
    }

    /// The node is out of the group, or cannot come in.
    pub fn group_lost(&mut self, now: Duration) {
        if self.group.joined() {
            self.note(Note::GroupLost);
            self.group.lose(now);
        }
    }

    /// A message was delivered, our own ones included, in the total order of the group.
    pub fn deliver(&mut self, now: Duration, from: Member, message: Message) {
        if Some(from) == self.group.membership.me() {
            return self.confirm(now, &message);
        }
        if self.stopping {
            return self.drop_for(Drop::Stopping);
        }
        match message {
            Message::Aggregate { .. } => self.note(Note::Ignored(Kind::Aggregate)),
            Message::Ping { eid } => self.note(Note::PingHeard { eid, member: from }),
            Message::Discovery { eid, address, .. } => {
                if self.claim(eid, from) && self.group.membership.introduce(from, &address) {
                    self.push_to_group(Word::Discovery);
                    self.group.heard(from);
                    self.end_sync(now);
                }
            }
            Message::Change { eid, change } => {
                if self.claim(eid, from) {
                    match self.states.enter(eid, &change) {
                        Effect::News => self.tell_servers(eid, &change),
                        Effect::Known => self.note(Note::Ignored(Message::Change { eid, change }.kind())),
                        Effect::Full => self.drop_for(Drop::TableFull),
                    }
                }
            }
        }
    }

    /// Sends a sign of life to the group, for an operator.
    pub fn ping(&mut self) {
        self.push_to_group(Word::Ping);
    }

    /// Says who we are and all that our servers say. The introduction comes last: it says that the rest is here.
    fn introduce(&mut self) {
        for eid in self.own_eids() {
            for change in
                self.states.of(eid).into_iter().flat_map(|server| server.changes()).collect::<Vec<_>>()
            {
                self.push_to_group(Word::Change { eid, change });
            }
        }
        self.push_to_group(Word::Discovery);
    }

    fn confirm(&mut self, now: Duration, message: &Message) {
        let word = match message {
            Message::Change { eid, change } => Word::Change { eid: *eid, change: change.clone() },
            Message::Discovery { .. } => Word::Discovery,
            Message::Ping { .. } => Word::Ping,
            Message::Aggregate { .. } => return,
        };
        let swallowed = self.group.confirm(&word.topic());
        self.note_repeated(swallowed);
        self.end_sync(now);
    }

    fn end_sync(&mut self, now: Duration) {
        if let Some(silent) = self.group.end_sync(now) {
            self.note(Note::Synced { silent });
        }
    }

    /// Whether a member may speak for an EID; it may not when the EID is somebody else's.
    fn claim(&mut self, eid: Eid, member: Member) -> bool {
        let known = self.group.membership.speaker(eid) == Some(member);
        if known {
            return true;
        }
        if !self.group.membership.members().any(|(present, _)| present == member) {
            self.drop_for(Drop::NotAMember);
            return false;
        }
        let holder = match self.holder_here(eid) {
            Some(holder) => holder,
            None => match self.group.membership.claim(eid, member) {
                Ok(()) => {
                    self.note(Note::SpeakerLearned { eid, member });
                    return true;
                }
                Err(speaker) => Holder::Member(speaker),
            },
        };
        self.refuse_equal(eid, holder, Holder::Member(member));
        false
    }
}

/// Inputs from the servers of this node.
impl Node {
    /// A server states something of its own.
    ///
    /// # Errors
    /// [`Refusal`] says why it is not taken; the table is untouched.
    pub fn report(&mut self, server: ServerId, eid: Eid, change: Change) -> Result<(), Refusal> {
        let verdict = self.admit(server, eid);
        if let Err(refusal) = verdict {
            self.drop_for(match refusal {
                Refusal::EqualEid => Drop::EqualEid,
                Refusal::WrongEid => Drop::WrongEid,
                Refusal::Full => Drop::TableFull,
                Refusal::Stopping => Drop::Stopping,
            });
            return Err(refusal);
        }
        self.learn(server, eid);
        match self.states.enter(eid, &change) {
            Effect::News => {
                self.tell_servers(eid, &change);
                self.push_to_group(Word::Change { eid, change });
                Ok(())
            }
            Effect::Known => Ok(()),
            Effect::Full => {
                self.drop_for(Drop::TableFull);
                Err(Refusal::Full)
            }
        }
    }

    /// A server wants to be told everything: it started anew, or lost what it knew.
    pub fn resync(&mut self, server: ServerId) {
        let Some(own) = self.server(server).eid() else { return };
        let others: Vec<_> = self.states.eids().filter(|eid| *eid != own).collect();
        let mut told = 0;
        for eid in others {
            for change in
                self.states.of(eid).into_iter().flat_map(|states| states.changes()).collect::<Vec<_>>()
            {
                self.push_to_server(server, Word::Change { eid, change });
                told += 1;
            }
        }
        self.note(Note::Resync { server, states: told });
    }

    /// A server answers, for the first time or again.
    pub fn server_alive(&mut self, server: ServerId) {
        if self.server(server).alive() || self.stopping {
            return;
        }
        self.note(Note::ServerAlive(server));
        self.server(server).wake();
        self.push_to_server(server, Word::Refresh);
        self.resync(server);
    }

    /// A server is gone.
    pub fn server_silent(&mut self, server: ServerId) {
        if let Some(eid) = self.server(server).silence() {
            self.note(Note::ServerSilent(server));
            self.retire(eid);
        }
    }

    /// The one thing in flight to a server ended.
    pub fn published(&mut self, now: Duration, server: ServerId, outcome: Outcome) {
        match outcome {
            Outcome::Accepted => {}
            Outcome::Rejected => self.note(Note::Rejected(server)),
            Outcome::Unanswered => self.note(Note::Unanswered(server)),
        }
        self.server(server).settle(now, outcome);
    }

    /// Whether a server's report under this EID may be taken.
    fn admit(&mut self, server: ServerId, eid: Eid) -> Result<(), Refusal> {
        if self.stopping {
            return Err(Refusal::Stopping);
        }
        if self.server(server).configured_eid().is_some_and(|configured| configured != eid) {
            return Err(Refusal::WrongEid);
        }
        let holder = match self.holder_here(eid) {
            Some(Holder::Server(holder)) if holder == server => None,
            Some(holder) => Some(holder),
            None => self.group.membership.speaker(eid).map(Holder::Member),
        };
        match holder {
            None => Ok(()),
            Some(holder) => {
                self.note_equal(eid, holder, Holder::Server(server));
                Err(Refusal::EqualEid)
            }
        }
    }

    fn learn(&mut self, server: ServerId, eid: Eid) {
        match self.server(server).learn(eid) {
            Learned::Nothing => return,
            Learned::Reporting => {}
            Learned::Changed { before } => self.retire(before),
        }
        self.note(Note::ServerLearned { server, eid });
        self.resync(server);
    }
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
            told_equal: BTreeSet::new(),
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
            for &eid in &eids {
                self.retire(eid);
            }
            self.note(Note::GroupWithdrawn { servers: eids.len() });
        }
    }

    /// The node is to go: it withdraws from everybody what they know only through it, and takes nothing new.
    pub fn stop(&mut self) {
        self.stopping = true;
        for eid in self.states.eids().collect::<Vec<_>>() {
            self.retire(eid);
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

    /// The EIDs of our own servers that have said something.
    fn own_eids(&self) -> Vec<Eid> {
        self.servers.iter().filter_map(Server::reporting_eid).collect()
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

    /// Forgets a server and says so to all that heard of it from us: what it had lit goes out.
    fn retire(&mut self, eid: Eid) {
        let ours = self.servers.iter().any(|server| server.eid() == Some(eid));
        for change in self.states.remove(eid).changes().collect::<Vec<_>>() {
            let Some(change) = self.withdrawal(change) else { continue };
            self.tell_servers(eid, &change);
            if ours {
                self.push_to_group(Word::Change { eid, change });
            }
        }
    }

    /// What takes back a departed server's state, said under its EID.
    ///
    /// A device becomes UNAVAILABLE: UNKNOWN would let queues offer calls to it. A mailbox has one value at each
    /// Asterisk, the last it heard; so it becomes what another server says of it, or else empty.
    fn withdrawal(&self, change: Change) -> Option<Change> {
        match change {
            Change::DeviceState {
                state: DeviceState::Unavailable | DeviceState::Invalid | DeviceState::Unknown,
                ..
            } => None,
            Change::DeviceState { device, .. } => {
                Some(Change::DeviceState { device, state: DeviceState::Unavailable, cachable: true })
            }
            Change::Mwi { mailbox, counts } => {
                let left = self
                    .states
                    .of_mailbox(&mailbox)
                    .next()
                    .map_or(MessageCounts::default(), |(_, left)| left);
                (left != counts).then_some(Change::Mwi { mailbox, counts: left })
            }
        }
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
        if self.told_equal.insert((eid, second)) {
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

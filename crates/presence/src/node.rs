//! The node's decisions: every input ends here, every effect comes out of here.

mod adoption;
mod from_group;
mod from_links;
mod from_servers;
mod order;
mod repair;
mod views;
mod withdrawal;

use crate::group::Group;
use crate::healing::Healing;
use crate::link::{Hello, Links, Way};
use crate::outbox::Word;
use crate::output::{Drop, Holder, Note, Output};
use crate::replication::Replication;
use crate::server::Server;
use crate::states::States;
use crate::sync::Sync;
use crate::{Change, Config, Eid, Input, Kind, Mailbox, Message, MessageCounts, Pattern, ServerId, Stamp};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
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
    started: Duration,
    ephemeral: Vec<Pattern>,
    states: States,
    group: Group,
    sync: Sync,
    replication: Replication,
    healing: Healing,
    links: Links,
    /// Who is in the group or who speaks for whom may have changed, and has not been told to the links.
    site_changed: bool,
    /// Servers of this site of which something was heard from elsewhere first, and until when they may say it again.
    adopted: BTreeMap<Eid, Duration>,
    /// When the group was last told everything.
    told_all_at: Option<Duration>,
    /// Servers elsewhere that nobody spoke of then, because their gate was not known yet.
    gateless: BTreeSet<Eid>,
    /// When the node said all for members that are no nodes.
    told_newcomers_at: Option<Duration>,
    servers: Vec<Server>,
    outputs: VecDeque<Output>,
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
    /// A member has not told what it has.
    Sync,
    /// A newcomer has not introduced itself.
    Introduction,
    /// The group stays away.
    Absence,
    /// Something is to be taken back that another node has not.
    Withdrawal,
    /// Stock members have to be made to say again what was lost.
    Touch,
    /// A server did not take a word.
    Retry(ServerId),
    /// A server that began anew has said all that it still stands for.
    Sweep(ServerId),
    /// A server answers and has said nothing of itself.
    Ask(ServerId),
    /// A server elsewhere may be lost, or something heard over links is to be said or corrected.
    Links,
}

/// Time, effects and the way out.
impl Node {
    /// A node that is in no group yet and has heard of nobody.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let hello = Hello { node: config.eid, site: config.site, incarnation: micros(config.started) };
        let mut links = Links::new(hello, config.peers, config.hold);
        links.expect(config.servers.iter().filter_map(|server| server.eid));
        Self {
            eid: config.eid,
            address: config.address,
            started: config.started,
            ephemeral: config.ephemeral,
            // Nobody who invents names knows the microsecond in which the node started.
            states: States::new(micros(config.started)),
            group: Group::new(),
            sync: Sync::Out,
            replication: Replication::default(),
            healing: Healing::default(),
            links,
            site_changed: false,
            adopted: BTreeMap::new(),
            told_all_at: None,
            gateless: BTreeSet::new(),
            told_newcomers_at: None,
            servers: config.servers.iter().map(Server::new).collect(),
            outputs: VecDeque::new(),
            told: BTreeSet::new(),
            turn: 0,
            stopping: false,
        }
    }

    /// Something has happened.
    pub fn handle(&mut self, now: Duration, input: Input) {
        self.group.outbox.pass_time(now);
        match input {
            Input::Joined { me, members } => self.group_joined(now, me, members),
            Input::Changed { joined, left } => self.group_changed(now, &joined, &left),
            Input::Lost => self.group_lost(now),
            Input::Delivered { from, message } => self.deliver(now, from, message),
            Input::Report { server, report, eid, change } => self.report(now, server, report, eid, change),
            Input::Named { server, eid } => self.named(now, server, eid),
            Input::Settled { server, outcome } => self.settled(now, server, outcome),
            Input::Alive(server) => self.server_alive(now, server),
            Input::Silent(server) => self.server_silent(now, server),
            Input::Restarted(server) => self.server_restarted(now, server),
            Input::ResyncAsked(server) => self.resync(server),
            Input::LinkUp(peer) => self.links.connected(peer),
            Input::LinkDown { peer, silent } => self.link_down(now, peer, silent),
            Input::LinkFrame { peer, frame } => self.hear_frame(now, Way::Link(peer), frame),
            Input::Ping => self.push_to_group(Word::Ping),
            Input::Stop => self.stop(now),
        }
        if core::mem::take(&mut self.site_changed) {
            self.settle_site(now);
        }
    }

    /// The next effect.
    pub fn poll_output(&mut self, now: Duration) -> Option<Output> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        self.let_frame_wait();
        if let Some((word, sequence)) = self.group.send(now) {
            return Some(Output::Multicast(self.message(word, sequence)));
        }
        (0..self.servers.len()).find_map(|_| {
            let server = ServerId(self.turn);
            self.turn = (self.turn + 1) % self.servers.len();
            Some(match self.server(server).send(now)? {
                Word::Change { eid, change, .. } | Word::Withdrawal { eid, change, .. } => {
                    Output::Publish { server, eid, change }
                }
                Word::Counts { eid, mailbox, counts } => {
                    Output::Publish { server, eid, change: Change::Mwi { mailbox, counts } }
                }
                Word::Refresh
                | Word::States { .. }
                | Word::Told(_)
                | Word::Link(_)
                | Word::Discovery
                | Word::Digest
                | Word::Request
                | Word::Ping => Output::RequestRefresh { server },
            })
        })
    }

    /// When the node wants to be woken, and why; derived from its state each time.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Duration, Wakeup)> {
        let rank = self.group.membership.rank();
        let joined = self.group.joined();
        let accompanied = joined && !self.group.membership.others().is_empty();
        let stock = joined && self.group.membership.stock().next().is_some();
        let group = [
            self.group.repeat_at().map(|at| (at, Wakeup::Repeat)),
            self.sync.due_at().map(|at| (at, Wakeup::Sync)),
            self.replication.silent_at().filter(|_| joined).map(|at| (at, Wakeup::Introduction)),
            self.group.absent_at().map(|at| (at, Wakeup::Absence)),
            self.healing.due_at(rank).filter(|_| accompanied).map(|at| (at, Wakeup::Withdrawal)),
            self.healing.touch_at(rank).filter(|_| stock).map(|at| (at, Wakeup::Touch)),
            self.links.poll_timeout().map(|at| (at, Wakeup::Links)),
            self.adoption_ends_at().map(|at| (at, Wakeup::Links)),
        ];
        let servers = self.servers.iter().enumerate().flat_map(|(id, server)| {
            let id = ServerId(id);
            let retry = server.retry_at().map(|at| (at, Wakeup::Retry(id)));
            let sweep = server.sweep_at().map(|at| (at, Wakeup::Sweep(id)));
            [retry, sweep, server.ask_at().map(|at| (at, Wakeup::Ask(id)))]
        });
        group.into_iter().chain(servers).flatten().min()
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.group.outbox.pass_time(now);
        let repeated = self.group.repeat(now);
        self.note_repeated(repeated);
        self.end_sync(now);
        if self.links.poll_timeout().is_some_and(|at| at <= now) {
            self.end_rumours(now);
            self.settle_site(now);
        }
        self.end_adoptions(now);
        self.end_absence(now);
        if self.group.joined() {
            if self.replication.give_up(now) {
                self.tell_newcomers_everything(now);
            }
            self.heal(now);
        }
        for server in 0..self.servers.len() {
            self.end_repeats(now, ServerId(server));
            self.ask_again(now, ServerId(server));
        }
    }

    /// Whether nothing is left to be said to anyone who listens.
    #[must_use]
    pub fn drained(&self) -> bool {
        let group = !self.group.joined() || self.group.outbox.is_empty();
        let servers = self.servers.iter().all(|server| !server.alive() || server.outbox.is_empty());
        group && servers && self.links.is_drained()
    }
}

/// Helpers.
impl Node {
    fn server(&mut self, server: ServerId) -> &mut Server {
        &mut self.servers[server.0]
    }

    fn message(&self, word: Word, sequence: u64) -> Message {
        let nodeid = self.group.membership.me().map_or(0, |me| me.nodeid);
        let incarnation = micros(self.started);
        let stamp = |time| Some(Stamp { incarnation, sequence, time });
        match word {
            Word::Change { eid, change, time } => Message::Change { eid, change, stamp: stamp(time) },
            Word::Withdrawal { eid, change, time } => Message::Withdrawal { eid, change, stamp: stamp(time) },
            Word::Counts { eid, mailbox, counts } => {
                Message::Change { eid, change: Change::Mwi { mailbox, counts }, stamp: stamp(0) }
            }
            Word::States { eid, subjects, .. } => Message::States {
                eid,
                states: subjects.iter().filter_map(|subject| self.states.find(eid, subject)).collect(),
                stamp: Stamp { incarnation, sequence, time: 0 },
            },
            Word::Told(statement) => Message::Told(self.told_now(*statement)),
            Word::Link(frame) => Message::Link { eid: self.eid, frame },
            Word::Discovery => Message::Discovery {
                eid: self.eid,
                nodeid,
                address: self.address.clone(),
                node: Some(incarnation),
            },
            Word::Digest => Message::Digest {
                eid: self.eid,
                incarnation,
                summaries: self.replication.summaries(self.own_eids().into_iter()),
                answered: self.replication.answered(),
            },
            Word::Request => {
                let (number, wanted) = self.replication.wanted();
                Message::Request { eid: self.eid, number, wanted }
            }
            Word::Ping | Word::Refresh => Message::Ping { eid: self.eid },
        }
    }

    /// The microsecond since 1970.
    fn time(&self, now: Duration) -> u64 {
        micros(self.started + now)
    }

    /// Whether a device is nobody else's business.
    fn is_ephemeral(&self, change: &Change) -> bool {
        match change {
            Change::DeviceState { device, .. } => {
                self.ephemeral.iter().any(|pattern| pattern.matches(device.as_str()))
            }
            Change::Mwi { .. } => false,
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

    /// The last word about a mailbox, if it is of a server of ours.
    fn last_word_of_ours(&self, mailbox: &Mailbox) -> Option<(Eid, MessageCounts)> {
        let latest = self.states.latest_of(mailbox);
        latest.filter(|(eid, _)| matches!(self.holder_here(*eid), Some(Holder::Server(_))))
    }

    /// Tells a state to every server of ours but the one whose it is; one that does not answer will be told when it does.
    fn tell_servers(&mut self, eid: Eid, change: &Change) {
        for id in 0..self.servers.len() {
            let server = &self.servers[id];
            let other = server.eid().is_some_and(|own| own != eid);
            let later = server.will_be_told() && self.states.keeps(eid, change);
            if other && !later {
                self.tell_server(ServerId(id), eid, change.clone());
            }
        }
    }

    fn push_to_group(&mut self, word: Word) {
        if self.group.outbox.push(word).is_err() {
            self.drop_for(Drop::QueueFull);
        }
    }

    /// Behind all that waits.
    fn push_last_to_group(&mut self, word: Word) {
        if self.group.outbox.push_last(word).is_err() {
            self.drop_for(Drop::QueueFull);
        }
    }

    /// Tells a server what another says, if it is one to be told that.
    fn tell_server(&mut self, server: ServerId, eid: Eid, change: Change) {
        if self.server(server).is_told(eid, &change) {
            self.push_to_server(server, Word::told(eid, change));
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

    fn note_ignored(&mut self, kind: Kind) {
        self.note(Note::Ignored(kind));
    }

    fn drop_for(&mut self, reason: Drop) {
        self.note(Note::Dropped(reason));
    }

    fn note(&mut self, note: Note) {
        self.outputs.push_back(Output::Note(note));
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

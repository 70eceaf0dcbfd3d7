//! A server of the site: its process, and the way by which it takes part.

use crate::asterisk::{Asterisk, Flavour, Module};
use crate::bus::Incoming;
use crate::names::{Topic, Word};
use presence::{Eid, Member};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// One Asterisk, over all its lives.
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) eid: Eid,
    pub(crate) flavour: Flavour,
    /// What it speaks of.
    pub(crate) topics: Vec<Topic>,
    /// The running process; none, while it is dead.
    pub(crate) asterisk: Option<Asterisk>,
    /// Counts its processes.
    pub(crate) life: u32,
    /// When its process started.
    pub(crate) started_at: Duration,
    /// Stopped by a signal.
    pub(crate) frozen: bool,
    /// When it was stopped last.
    pub(crate) frozen_at: Duration,
    /// For how long it was stopped when it went on last: what had waited for it came so late.
    pub(crate) late: Duration,
    /// Another server has taken its machine: it never comes back.
    pub(crate) replaced: bool,
    pub(crate) side: Side,
}

/// How a server takes part.
pub(crate) enum Side {
    /// With `res_corosync`.
    Stock(Stock),
    /// With PUBLISH to and from its node.
    Plain(Plain),
}

/// The group's side of a stock server.
pub(crate) struct Stock {
    pub(crate) member: Member,
    /// The module; none, when it has lost corosync and does not find back.
    pub(crate) module: Option<Module>,
    /// Its process sees itself in the group.
    pub(crate) joined: bool,
    pub(crate) inbox: VecDeque<Incoming>,
    pub(crate) dispatch_planned: bool,
    /// What it tried to say and could not, without anybody knowing that it is missing.
    pub(crate) lost: BTreeSet<Topic>,
    /// When its group was last merged, and what it had lost before: the nodes make it say that again.
    pub(crate) to_say_again: (Duration, BTreeSet<Topic>),
    /// What it had lost in its lives before.
    pub(crate) lost_before: BTreeSet<Topic>,
    /// When it could say again what it had lost.
    pub(crate) lost_until: BTreeMap<Topic, Duration>,
}

/// The SIP side of a server without cluster module.
pub(crate) struct Plain {
    /// Its node, and its place among the servers of the node.
    pub(crate) node: usize,
    pub(crate) slot: usize,
    /// It has just started, and does not report yet.
    pub(crate) starting: bool,
    /// One publication for each event package, each with its own queue: devices, mailboxes.
    pub(crate) channels: [Channel; 2],
    /// What reached its socket while it was stopped by a signal.
    pub(crate) late: VecDeque<Publish>,
    /// Nothing gets through between it and its node.
    pub(crate) cut: bool,
    /// How much of what they send each other is lost.
    pub(crate) loss: f64,
    /// It refuses what it is told.
    pub(crate) rejecting: bool,
    /// What it has refused, and so cannot know: who said it, and of what.
    pub(crate) rejected: BTreeSet<(usize, Topic)>,
    /// What it has told its node in this life, and the life of the node that heard it last; and when something of it was told for
    /// the first time last.
    pub(crate) told: BTreeMap<Topic, Option<u32>>,
    pub(crate) told_first_at: Duration,
    /// What it had not said again to its node when one of the two ended, so that nobody could know of it.
    pub(crate) untold: BTreeSet<Topic>,
}

/// A queue of PUBLISH requests to the node, one in flight.
#[derive(Default)]
pub(crate) struct Channel {
    pub(crate) queue: VecDeque<Item>,
    pub(crate) flight: Option<Flight>,
    /// Its node has accepted something in this life.
    pub(crate) published: bool,
}

/// What a server tells its node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Item {
    State(Word),
    Refresh,
}

/// A request that is under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    pub(crate) number: u64,
    pub(crate) item: Item,
    pub(crate) since: Duration,
    /// The life of the node that has it.
    pub(crate) delivered: Option<u32>,
    /// How that node has answered.
    pub(crate) answer: Option<bool>,
}

/// What a node tells a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Publish {
    pub(crate) node_life: u32,
    pub(crate) number: u64,
    /// Whose state it is, and what; or else everything is asked for.
    pub(crate) state: Option<(Eid, Word)>,
}

impl Server {
    /// Whether it tried to say something of a topic, in this life or one before, and could not.
    pub(crate) fn has_lost(&self, topic: Topic) -> bool {
        self.stock().is_some_and(|stock| stock.lost.contains(&topic) || stock.lost_before.contains(&topic))
    }

    /// Whether there is something that it has not told its node yet.
    pub(crate) fn has_backlog(&self) -> bool {
        let is_idle = |channel: &Channel| channel.queue.is_empty() && channel.flight.is_none();
        self.plain().is_some_and(|plain| !plain.channels.iter().all(is_idle))
    }

    /// Whether its node does not hear it, and is about to take back what it says.
    pub(crate) fn is_missed(&self) -> bool {
        self.frozen || self.plain().is_some_and(|plain| plain.cut)
    }

    /// Whether its process runs and is not stopped.
    pub(crate) fn is_well(&self) -> bool {
        self.asterisk.is_some() && !self.frozen
    }

    pub(crate) fn stock(&self) -> Option<&Stock> {
        match &self.side {
            Side::Stock(stock) => Some(stock),
            Side::Plain(_) => None,
        }
    }

    pub(crate) fn plain(&self) -> Option<&Plain> {
        match &self.side {
            Side::Plain(plain) => Some(plain),
            Side::Stock(_) => None,
        }
    }

    pub(crate) fn stock_mut(&mut self) -> &mut Stock {
        match &mut self.side {
            Side::Stock(stock) => stock,
            Side::Plain(_) => unreachable!("{} runs no cluster module", self.name),
        }
    }

    pub(crate) fn plain_mut(&mut self) -> &mut Plain {
        match &mut self.side {
            Side::Plain(plain) => plain,
            Side::Stock(_) => unreachable!("{} runs the cluster module", self.name),
        }
    }
}

impl Stock {
    pub(crate) fn new(member: Member) -> Self {
        Self {
            member,
            module: None,
            joined: false,
            inbox: VecDeque::new(),
            dispatch_planned: false,
            lost: BTreeSet::new(),
            to_say_again: (Duration::ZERO, BTreeSet::new()),
            lost_before: BTreeSet::new(),
            lost_until: BTreeMap::new(),
        }
    }
}

impl Plain {
    pub(crate) fn new(node: usize, slot: usize, loss: f64) -> Self {
        Self {
            node,
            slot,
            starting: false,
            channels: Default::default(),
            late: VecDeque::new(),
            cut: false,
            loss,
            rejecting: false,
            rejected: BTreeSet::new(),
            told: BTreeMap::new(),
            told_first_at: Duration::ZERO,
            untold: BTreeSet::new(),
        }
    }
}

/// The channel of a topic.
pub(crate) fn channel_of(topic: Topic) -> usize {
    usize::from(matches!(topic, Topic::Mailbox(_)))
}

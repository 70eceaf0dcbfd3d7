//! The site in motion: takes events in their order and carries out what each leads to.

mod group;
mod links;
mod listeners;
mod node;
mod phases;
mod plain;
mod site;
mod stock;
mod unrest;
mod work;

pub(crate) use unrest::Cure;

use crate::bus::{Bus, BusEffect, BusEvent};
use crate::checkers::Checkers;
use crate::journal::Journal;
use crate::model::Model;
use crate::names::{Topic, Word};
use crate::options::Options;
use crate::random::Random;
use crate::report::{Checker, Failure, Stats};
use crate::saboteur::Saboteur;
use crate::schedule::Schedule;
use crate::server::{Item, Publish, Server};
use crate::shell::Shell;
use crate::sight::Sight;
use crate::wan::Wan;
use phases::Phase;
use presence::{Eid, Member, Outcome};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::rc::Rc;
use std::time::Duration;

/// How often the checkers look at everything.
const TICK: Duration = Duration::from_millis(50);

/// A run that takes more steps than this does not end.
const STEPS_MAX: u64 = 5_000_000;

/// One run.
pub(crate) struct World<'a> {
    pub(crate) now: Duration,
    pub(crate) options: Options,
    pub(crate) random: Random,
    schedule: Schedule<Event>,
    pub(crate) bus: Bus,
    pub(crate) servers: Vec<Server>,
    pub(crate) nodes: Vec<Shell>,
    /// Processes that join and leave.
    helpers: BTreeSet<Member>,
    pub(crate) model: Model,
    pub(crate) sight: Sight,
    pub(crate) checkers: Checkers,
    pub(crate) stats: Stats,
    journal: Journal<'a>,
    pub(crate) failure: Option<Failure>,
    pub(crate) phase: Phase,
    saboteur: Saboteur,
    /// Machines whose corosync refuses or swallows messages.
    pub(crate) stormy: BTreeSet<u32>,
    pub(crate) wan: Wan,
    /// Counts splits of the site.
    split: u64,
    /// Counts requests, reports, pids and message counts: none is used twice.
    count: u64,
}

/// What is planned.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Bus(BusEvent),
    /// A stock server hears what its corosync has for it.
    Dispatch {
        server: usize,
        life: u32,
    },
    /// A node takes what has come in.
    Turn {
        node: usize,
        life: u32,
    },
    /// A node's core wanted to be woken.
    Wake {
        node: usize,
        life: u32,
    },
    /// A node's session tries again to send or to connect.
    Session {
        node: usize,
        life: u32,
    },
    /// A stock server tries to join.
    Join {
        server: usize,
        life: u32,
    },
    /// A node asks a server for a sign of life.
    Qualify {
        node: usize,
        life: u32,
        slot: usize,
    },
    /// A server that has just started begins to report.
    ReportBegin {
        server: usize,
        life: u32,
    },
    /// A server sends a request, or sends it again.
    ReportAttempt {
        server: usize,
        life: u32,
        channel: usize,
        number: u64,
    },
    /// A server's request reaches its node.
    ReportArrives {
        server: usize,
        life: u32,
        node_life: u32,
        channel: usize,
        number: u64,
        item: Item,
    },
    /// The answer reaches the server.
    ReportAnswered {
        server: usize,
        life: u32,
        channel: usize,
        number: u64,
        accepted: bool,
    },
    /// A node sends a request, or sends it again.
    PublishAttempt {
        node: usize,
        life: u32,
        slot: usize,
        number: u64,
    },
    /// A node's request reaches the server.
    PublishArrives {
        server: usize,
        life: u32,
        publish: Publish,
    },
    /// The answer reaches the node.
    PublishSettled {
        node: usize,
        life: u32,
        slot: usize,
        number: u64,
        outcome: Outcome,
    },
    /// A connection between sites is there, as one of its ends sees it.
    LinkOpens {
        line: usize,
        number: u64,
        end: usize,
    },
    /// What an end has sent has come through.
    LinkArrives {
        line: usize,
        number: u64,
        from: usize,
        bytes: Rc<[u8]>,
    },
    /// An end hears that the other has closed.
    LinkEnds {
        line: usize,
        number: u64,
        end: usize,
    },
    /// A helper leaves.
    HelperLeaves(Member),
    /// Something changes at some server.
    Change,
    /// One device changes again and again.
    Flap {
        server: usize,
        life: u32,
        topic: Topic,
        left: usize,
    },
    Fault,
    Cure(Cure),
    Tick,
}

impl World<'_> {
    /// Runs to the end, or to the first broken promise.
    pub(crate) fn run(&mut self) {
        self.begin();
        while self.phase != Phase::Over && self.failure.is_none() {
            let (at, event) = self.schedule.pop().expect("the next tick is always planned");
            self.now = at;
            self.stats.steps += 1;
            if self.stats.steps > STEPS_MAX {
                return self.fail(Checker::Bounds, "the run does not end");
            }
            self.step(event);
            self.carry_out_bus();
        }
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Bus(event) => self.bus.handle(self.now, event),
            Event::Dispatch { server, life } => self.dispatch(server, life),
            Event::Turn { node, life } => self.take_turn(node, life),
            Event::Wake { node, life } => self.wake(node, life),
            Event::Session { node, life } => self.serve_session(node, life),
            Event::Join { server, life } => self.join_stock(server, life),
            Event::Qualify { node, life, slot } => self.qualify(node, life, slot),
            Event::ReportBegin { server, life } => self.begin_reports(server, life),
            Event::ReportAttempt { server, life, channel, number } => {
                self.attempt_report(server, life, channel, number);
            }
            Event::ReportArrives { server, life, node_life, channel, number, item } => {
                self.receive_report(server, life, node_life, channel, number, item);
            }
            Event::ReportAnswered { server, life, channel, number, accepted } => {
                self.end_report(server, life, channel, number, accepted);
            }
            Event::PublishAttempt { node, life, slot, number } => {
                self.attempt_publish(node, life, slot, number)
            }
            Event::PublishArrives { server, life, publish } => self.receive_publish(server, life, publish),
            Event::PublishSettled { node, life, slot, number, outcome } => {
                self.settle_publish(node, life, slot, number, outcome);
            }
            Event::LinkOpens { line, number, end } => self.open_end(line, number, end),
            Event::LinkArrives { line, number, from, bytes } => self.arrive(line, number, from, bytes),
            Event::LinkEnds { line, number, end } => self.hear_end(line, number, end),
            Event::HelperLeaves(member) => self.let_helper_leave(member),
            Event::Change => self.work(),
            Event::Flap { server, life, topic, left } => self.flap(server, life, topic, left),
            Event::Fault => self.strike(),
            Event::Cure(cure) => self.cure(cure),
            Event::Tick => self.tick(),
        }
    }

    fn tick(&mut self) {
        self.plan(TICK, Event::Tick);
        self.tend_lines();
        self.look();
        self.judge();
        self.advance_phase();
    }

    pub(crate) fn plan(&mut self, wait: Duration, event: Event) {
        self.schedule.push(self.now + wait, event);
    }

    fn carry_out_bus(&mut self) {
        while let Some(effect) = self.bus.poll_effect() {
            match effect {
                BusEffect::Later(at, event) => self.schedule.push(at, Event::Bus(event)),
                BusEffect::Hand(member, incoming) => self.hand(member, incoming),
                BusEffect::Seen { nodeid, left } => {
                    self.note("bus", || format!("machine {nodeid} sees another group; left: {left:?}"));
                    self.look_after(nodeid, &left);
                    self.look();
                }
                BusEffect::Formed(machines) => {
                    self.note("bus", || format!("ring of {machines:?}"));
                    self.disturb();
                }
            }
        }
    }

    /// A process of the group hears something.
    fn hand(&mut self, member: Member, incoming: crate::bus::Incoming) {
        if self.helpers.contains(&member) {
            return self.hand_to_helper(member, &incoming);
        }
        if let Some(node) = self.nodes.iter().position(|shell| shell.member == member) {
            return self.hand_to_node(node, incoming);
        }
        let holds = |server: &Server| {
            server.asterisk.is_some() && server.stock().is_some_and(|stock| stock.member == member)
        };
        if let Some(server) = self.servers.iter().position(holds) {
            self.hand_to_stock(server, incoming);
        }
    }

    /// A server says something of its own. What is ephemeral is nobody's business, and nobody is held to it.
    pub(crate) fn record(&mut self, server: usize, word: Word) {
        self.stats.words += 1;
        if word.topic.is_cachable() {
            self.model.say(self.now, server, word.topic, word.value);
            self.checkers.touch(self.now, word.topic);
        }
        let who = self.servers[server].name.clone();
        self.note(&who, || format!("says {word}"));
    }

    /// Something has happened that may delay anything.
    pub(crate) fn disturb(&mut self) {
        self.sight.disturb(self.now);
    }

    pub(crate) fn counted(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    pub(crate) fn note<T: Display>(&mut self, who: &str, what: impl FnOnce() -> T) {
        self.journal.line(self.now, who, what);
    }

    pub(crate) fn fail(&mut self, checker: Checker, text: impl Into<String>) {
        if self.failure.is_none() {
            let text = text.into();
            self.note("BROKEN", || format!("{checker:?}: {text}"));
            self.failure = Some(Failure { checker, at: self.now, text });
        }
    }

    /// How somebody with this EID is called.
    pub(crate) fn name_of(&self, eid: Eid) -> String {
        let server = self.servers.iter().find(|server| server.eid == eid).map(|server| &server.name);
        let node = self.nodes.iter().find(|node| node.eid == eid).map(|node| &node.name);
        server.or(node).cloned().unwrap_or_else(|| eid.to_string())
    }
}

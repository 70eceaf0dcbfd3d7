//! How a site is built from its options.

use super::phases::Phase;
use super::{Event, TICK, World};
use crate::asterisk::Flavour;
use crate::bus::Bus;
use crate::checkers::Checkers;
use crate::journal::Journal;
use crate::model::Model;
use crate::names::{Topic, server_eid};
use crate::options::Options;
use crate::random::Random;
use crate::report::Stats;
use crate::saboteur::{Plant, Saboteur};
use crate::schedule::Schedule;
use crate::server::{Plain, Server, Side, Stock};
use crate::shell::{Link, Shell};
use crate::sight::Sight;
use crate::wan::Wan;
use presence::Member;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The machine from which strangers come.
pub(super) const STRANGERS: u32 = 99;

/// 2026 or so: clocks count from 1970.
const CLOCK: Duration = Duration::from_secs(1_780_000_000);

impl<'a> World<'a> {
    /// The site of a seed, before anything runs.
    pub(crate) fn new(
        options: Options,
        mut random: Random,
        plant: Option<Plant>,
        reader: Option<&'a mut dyn FnMut(&str)>,
    ) -> Self {
        let stock = options.stock.len();
        let mut nodeids: Vec<u32> = (1..).take(stock + options.nodes.len()).collect();
        random.shuffle(&mut nodeids);
        let members: Vec<Member> = nodeids.iter().map(|nodeid| Member { nodeid: *nodeid, pid: 1 }).collect();
        let mut servers: Vec<Server> = Vec::new();
        for (flavour, member) in options.stock.iter().zip(&members) {
            let side = Side::Stock(Stock::new(*member));
            servers.push(server(servers.len(), *flavour, &options, side));
        }
        let mut nodes = Vec::new();
        let mut skews = BTreeMap::new();
        for (node, flavours) in options.nodes.iter().enumerate() {
            let first = servers.len();
            for (slot, flavour) in flavours.iter().enumerate() {
                let side = Side::Plain(Plain::new(node, slot, options.sip_loss));
                servers.push(server(servers.len(), *flavour, &options, side));
            }
            let skew = random.time(Duration::ZERO..Duration::from_secs(10));
            let skew = *skews.entry(options.wide.nodes.get(node).copied().unwrap_or(node)).or_insert(skew);
            let link = |server: usize| {
                let configured = random.chance(options.configured_eids).then(|| server_eid(server));
                Link::new(server, configured)
            };
            let served = (first..servers.len()).map(link).collect();
            nodes.push(Shell::new(node, members[stock + node], served, CLOCK + skew));
        }
        let wan = Wan::new(&options.wide, &members, stock, options.nodes.len());
        let machines = nodeids.iter().copied().chain([STRANGERS]);
        let bus = Bus::new(options.pace.clone(), random.fork(), machines);
        Self {
            now: Duration::ZERO,
            options,
            random,
            schedule: Schedule::new(),
            bus,
            sight: Sight::default(),
            servers,
            nodes,
            helpers: BTreeSet::new(),
            model: Model::default(),
            checkers: Checkers::default(),
            stats: Stats::default(),
            journal: Journal::new(reader),
            failure: None,
            phase: Phase::Unrest,
            saboteur: Saboteur::new(plant),
            stormy: BTreeSet::new(),
            wan,
            split: 0,
            count: 0,
        }
    }

    /// Starts everything, and time.
    pub(super) fn begin(&mut self) {
        let spread = Duration::from_secs(if self.options.cold_start { 0 } else { 3 });
        if self.wan.sites > 1 {
            let islands = self.islands(&[]);
            self.bus.divide(self.now, &islands);
        }
        for nodeid in self.nodeids() {
            self.bus.disturb(nodeid, self.options.refusal, self.options.swallowing);
            let wait = self.random.time(Duration::ZERO..spread);
            self.plan(wait, Event::Cure(super::Cure::StartCorosync(nodeid)));
        }
        for server in 0..self.servers.len() {
            let wait = self.random.time(Duration::ZERO..spread);
            self.plan(wait, Event::Cure(super::Cure::StartServer(server)));
        }
        for node in 0..self.nodes.len() {
            let wait = self.random.time(Duration::ZERO..spread);
            self.plan(wait, Event::Cure(super::Cure::StartNode(node)));
        }
        self.plan(TICK, Event::Tick);
        self.plan(spread, Event::Change);
        self.plan(spread + Duration::from_secs(2), Event::Fault);
    }

    /// Every machine, the strangers' included.
    pub(super) fn nodeids(&self) -> Vec<u32> {
        let stock = self.servers.iter().filter_map(|server| server.stock()).map(|stock| stock.member.nodeid);
        let nodes = self.nodes.iter().map(|node| node.member.nodeid);
        let all: BTreeSet<u32> = stock.chain(nodes).chain([STRANGERS]).collect();
        all.into_iter().collect()
    }

    /// All machines in reach of each other, or these apart from the others.
    pub(super) fn islands(&self, apart: &[u32]) -> BTreeMap<u32, u32> {
        let island = |nodeid| 2 * self.wan.site_of_machine(nodeid) + u32::from(apart.contains(&nodeid));
        self.nodeids().into_iter().map(|nodeid| (nodeid, island(nodeid))).collect()
    }

    /// Another server takes the machine of a stock server that is gone.
    pub(super) fn replace(&mut self, server: usize) {
        self.servers[server].replaced = true;
        let Some(stock) = self.servers[server].stock() else { return };
        let side = Side::Stock(Stock::new(stock.member));
        let flavour = self.servers[server].flavour;
        let number = self.servers.len();
        self.servers.push(self::server(number, flavour, &self.options, side));
    }
}

fn server(number: usize, flavour: Flavour, options: &Options, side: Side) -> Server {
    let kind = match side {
        Side::Stock(_) => "stock",
        Side::Plain(_) => "plain",
    };
    Server {
        name: format!("{kind}{number}"),
        eid: server_eid(number),
        flavour,
        topics: topics(number, options),
        asterisk: None,
        life: 0,
        started_at: Duration::ZERO,
        frozen: false,
        frozen_at: Duration::ZERO,
        late: Duration::ZERO,
        replaced: false,
        side,
    }
}

/// What a server speaks of: devices and mailboxes of its own, what several speak of, and a channel that concerns nobody.
fn topics(number: usize, options: &Options) -> Vec<Topic> {
    let number = u16::try_from(number).unwrap_or(u16::MAX);
    let count = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
    let own = 1000 * (number + 1);
    let devices = (0..count(options.devices)).map(|index| Topic::Device(own + index));
    let mailboxes = (0..count(options.mailboxes)).map(|index| Topic::Mailbox(own + index));
    let shared = (0..count(options.shared)).flat_map(|index| [Topic::Device(index), Topic::Mailbox(index)]);
    devices.chain(mailboxes).chain(shared).chain([Topic::Ephemeral(own)]).collect()
}

//! What each fault does, and how it is undone.

use super::phases::Phase;
use super::site::STRANGERS;
use super::{Event, World};
use crate::faults::FaultKind;
use crate::server::Side;
use presence::{Change, Device, DeviceState, Member, Message};
use std::time::Duration;

/// What ends a fault. One that comes after the end of all faults does nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cure {
    StartServer(usize),
    ThawServer {
        server: usize,
        life: u32,
    },
    StartNode(usize),
    ThawNode {
        node: usize,
        life: u32,
    },
    StartCorosync(u32),
    /// A corosync that has just started comes into reach of the others.
    Reach,
    ThawCorosync(u32),
    Unite {
        split: u64,
    },
    Calm(u32),
    Path(usize),
    /// What was wrong with a link.
    Line {
        line: usize,
        fault: u64,
    },
    StartSite(usize),
}

const REFUSAL: f64 = 0.95;
const SWALLOWING: f64 = 0.3;
const LOSS: f64 = 0.5;

/// Beginnings.
impl World<'_> {
    /// The next fault, whichever applies.
    pub(super) fn strike(&mut self) {
        if self.phase != Phase::Unrest {
            return;
        }
        let gap = self.random.gap(self.options.fault_gap);
        self.plan(gap, Event::Fault);
        let kind = self.random.pick(&self.options.faults);
        if self.inject(kind) {
            self.stats.fault(kind);
            self.disturb();
            self.checkers.interrupt(None);
            self.checkers.interrupt_links();
            self.note("fault", || kind);
            self.watch_blink();
        }
    }

    /// If the fault was that of a link, no lamp changes unless it lasts.
    fn watch_blink(&mut self) {
        if let Some((line, lasts)) = self.wan.spoilt.take() {
            self.begin_blink(line, lasts);
        }
    }

    /// One fault alone. Tells whether it is one of links.
    pub(super) fn drill(&mut self) -> bool {
        let of_links = self.wan.sites > 1 && self.random.chance(0.6);
        let kind = self.random.pick(if of_links { &FaultKind::WIDE } else { &FaultKind::DRILL });
        self.checkers.interrupt(None);
        self.checkers.interrupt_links();
        let injected = self.inject(kind);
        self.note("drill", || format!("{kind}: {injected}"));
        self.disturb();
        self.watch_blink();
        of_links
    }

    /// Injects a fault; tells whether there was anything to inject it into.
    fn inject(&mut self, kind: FaultKind) -> bool {
        match kind {
            FaultKind::StockKilled | FaultKind::StockStopped | FaultKind::StockReplaced => {
                self.kill_stock(kind)
            }
            FaultKind::StockFrozen => self.freeze_server(true),
            FaultKind::HelperLeft => self.help(),
            FaultKind::CorosyncKilled => self.kill_corosync(),
            FaultKind::CorosyncFrozen => self.freeze_corosync(),
            FaultKind::Split | FaultKind::Blink => {
                let blink = Duration::ZERO..self.options.pace.token_loss.start;
                let wait = if kind == FaultKind::Blink { self.random.time(blink) } else { self.duration() };
                self.divide();
                let split = self.split;
                self.plan(wait, Event::Cure(Cure::Unite { split }));
                true
            }
            FaultKind::Refusals => self.storm(REFUSAL, self.options.swallowing),
            FaultKind::Swallows => self.storm(self.options.refusal, SWALLOWING),
            FaultKind::NodeKilled | FaultKind::NodeStopped => self.kill_node(kind == FaultKind::NodeStopped),
            FaultKind::NodeFrozen => self.freeze_node(),
            FaultKind::PlainKilled | FaultKind::PlainStopped => {
                self.kill_plain(kind == FaultKind::PlainStopped)
            }
            FaultKind::PlainFrozen => self.freeze_server(false),
            FaultKind::PlainReloaded => self.reload_some(),
            FaultKind::PathCut | FaultKind::PathLossy | FaultKind::Rejections => self.spoil_path(kind),
            FaultKind::Stranger => self.let_stranger_in(),
            FaultKind::LinkCut | FaultKind::LinkReset | FaultKind::LinkRebound | FaultKind::LinkSlow => {
                self.spoil_line(kind)
            }
            FaultKind::SiteStopped => self.stop_site(),
        }
    }

    /// How long a fault lasts: a moment, less than anybody notices, or long enough for all to notice.
    pub(super) fn duration(&mut self) -> Duration {
        let in_unrest = [50, 500, 2500, 2500, 7000, 7000, 20_000, 40_000];
        let choice = if self.phase == Phase::Unrest { &in_unrest[..] } else { &in_unrest[..5] };
        let millis = self.random.pick(choice);
        self.random.time(Duration::from_millis(millis / 5)..Duration::from_millis(millis))
    }

    fn some_server(&mut self, stock: bool) -> Option<usize> {
        let fits = |server: &usize| {
            let server = &self.servers[*server];
            server.is_well() && server.stock().is_some() == stock
        };
        let fitting: Vec<usize> = (0..self.servers.len()).filter(fits).collect();
        self.random.pick_any(fitting)
    }

    fn some_node(&mut self) -> Option<usize> {
        let well: Vec<usize> = (0..self.nodes.len()).filter(|node| self.nodes[*node].is_well()).collect();
        self.random.pick_any(well)
    }

    fn kill_stock(&mut self, kind: FaultKind) -> bool {
        let Some(server) = self.some_server(true) else { return false };
        self.end_stock(server);
        let mut next = server;
        if kind == FaultKind::StockReplaced {
            self.replace(server);
            next = self.servers.len() - 1;
        }
        let wait = self.duration();
        self.plan(wait, Event::Cure(Cure::StartServer(next)));
        true
    }

    fn kill_plain(&mut self, orderly: bool) -> bool {
        let Some(server) = self.some_server(false) else { return false };
        self.end_plain(server, orderly);
        let wait = self.duration();
        self.plan(wait, Event::Cure(Cure::StartServer(server)));
        true
    }

    fn freeze_server(&mut self, stock: bool) -> bool {
        let Some(server) = self.some_server(stock) else { return false };
        self.servers[server].frozen = true;
        self.servers[server].frozen_at = self.now;
        let (wait, life) = (self.duration(), self.servers[server].life);
        self.plan(wait, Event::Cure(Cure::ThawServer { server, life }));
        true
    }

    fn reload_some(&mut self) -> bool {
        let Some(server) = self.some_server(false) else { return false };
        self.reload_plain(server);
        true
    }

    fn help(&mut self) -> bool {
        let Some(server) = self.some_server(true) else { return false };
        if self.wan.sites > 1 && !self.node_beside(server) {
            // In a site whose nodes are all gone nobody puts right what stock servers make of it.
            return false;
        }
        let nodeid = self.servers[server].stock_mut().member.nodeid;
        self.send_helper(nodeid);
        true
    }

    fn kill_corosync(&mut self) -> bool {
        let running: Vec<u32> =
            self.nodeids().into_iter().filter(|nodeid| self.bus.is_running(*nodeid)).collect();
        let Some(nodeid) = self.random.pick_any(running) else { return false };
        self.bus.kill(self.now, nodeid);
        let wait = self.duration();
        self.plan(wait, Event::Cure(Cure::StartCorosync(nodeid)));
        true
    }

    fn freeze_corosync(&mut self) -> bool {
        let well: Vec<u32> = self.nodeids().into_iter().filter(|nodeid| self.bus.is_well(*nodeid)).collect();
        let Some(nodeid) = self.random.pick_any(well) else { return false };
        self.bus.freeze(self.now, nodeid, true);
        let wait = self.duration();
        self.plan(wait, Event::Cure(Cure::ThawCorosync(nodeid)));
        true
    }

    /// Splits the site's machines in two, at random.
    pub(super) fn divide(&mut self) {
        let mut nodeids = self.nodeids();
        if self.wan.sites > 1 {
            let site = self.random.number(0..self.wan.sites);
            nodeids.retain(|nodeid| usize::try_from(self.wan.site_of_machine(*nodeid)) == Ok(site));
        }
        self.random.shuffle(&mut nodeids);
        let apart = self.random.number(1..nodeids.len());
        self.split += 1;
        let islands = self.islands(&nodeids[..apart]);
        self.note("fault", || format!("apart: {:?}", &nodeids[..apart]));
        self.bus.divide(self.now, &islands);
        self.disturb();
    }

    fn storm(&mut self, refusal: f64, swallowing: f64) -> bool {
        let nodeids = self.nodeids();
        let nodeid = self.random.pick(&nodeids);
        self.bus.disturb(nodeid, refusal, swallowing);
        self.stormy.insert(nodeid);
        let wait = self.duration();
        self.plan(wait, Event::Cure(Cure::Calm(nodeid)));
        true
    }

    pub(super) fn kill_node(&mut self, orderly: bool) -> bool {
        let Some(node) = self.some_node() else { return false };
        if orderly {
            self.begin_way_out(node);
        } else {
            self.end_node(node);
        }
        let wait = self.duration();
        self.plan(wait, Event::Cure(Cure::StartNode(node)));
        true
    }

    fn freeze_node(&mut self) -> bool {
        let Some(node) = self.some_node() else { return false };
        self.nodes[node].frozen = true;
        let (wait, life) = (self.duration(), self.nodes[node].life);
        self.plan(wait, Event::Cure(Cure::ThawNode { node, life }));
        true
    }

    fn spoil_path(&mut self, kind: FaultKind) -> bool {
        let Some(server) = self.some_server(false) else { return false };
        let plain = self.servers[server].plain_mut();
        match kind {
            FaultKind::PathCut => plain.cut = true,
            FaultKind::PathLossy => plain.loss = LOSS,
            _ => plain.rejecting = true,
        }
        let wait = self.duration();
        self.plan(wait, Event::Cure(Cure::Path(server)));
        true
    }

    /// Somebody joins and sends what no server sends, and what is not his to say. Stock servers are spared: nobody could protect them.
    fn let_stranger_in(&mut self) -> bool {
        let member = Member { nodeid: STRANGERS, pid: self.new_pid() };
        if !self.bus.join(self.now, member) {
            return false;
        }
        self.helpers.insert(member);
        let words = (0..self.servers.len()).filter(|server| self.is_known_to_all(*server)).map(|server| {
            let device = self.servers[server].topics[0].name();
            let state = DeviceState::Busy;
            let device = Device::new(&device).expect("the site's devices have legal names");
            let change = Change::DeviceState { device, state, cachable: true };
            wire::event::encode(&Message::Change { eid: self.servers[server].eid, change, stamp: None })
        });
        let mut payloads: Vec<Vec<u8>> = words.collect();
        let junk: Vec<Vec<u8>> = payloads.iter().map(|payload| self.spoil(payload)).collect();
        payloads.extend(junk);
        payloads.extend([
            vec![],
            vec![0],
            vec![0, 6, 0, 4],
            vec![0, 13, 0, 14, 0, 33, 0, 6, 2, 0, 0, 1, 0, 0],
        ]);
        for payload in payloads {
            self.bus.multicast(self.now, member, &payload);
        }
        true
    }

    /// The same bytes, but for one or the end of them; the EID stays, or nobody could say whose word it is.
    fn spoil(&mut self, payload: &[u8]) -> Vec<u8> {
        let mut spoilt = payload.to_vec();
        let behind = spoilt.len() - 10;
        if self.random.chance(0.3) {
            spoilt.truncate(self.random.number(0..behind));
        } else {
            let at = self.random.number(0..behind);
            spoilt[at] ^= 1 << self.random.number(0..8);
        }
        spoilt
    }

    /// Whether every node knows who speaks for a server, and nothing is about to change that.
    fn is_known_to_all(&self, server: usize) -> bool {
        let eid = self.servers[server].eid;
        let knows = |shell: &crate::shell::Shell| {
            let Some(core) = &shell.core else { return false };
            let served = shell.links.iter().any(|link| link.server == server);
            let known = core.states().of(eid).is_some();
            shell.is_well() && core.synced() && known && (served || core.membership().speaker(eid).is_some())
        };
        let stands = self.now > self.sight.disturbed_at + Duration::from_secs(1);
        stands && self.servers[server].is_well() && !self.bus.is_forming() && self.nodes.iter().all(knows)
    }
}

/// Ends.
impl World<'_> {
    pub(super) fn cure(&mut self, cure: Cure) {
        if !self.phase.has_cures() {
            return;
        }
        self.note("cure", || format!("{cure:?}"));
        self.disturb();
        self.checkers.interrupt(self.returning(cure));
        self.cured(cure);
        match cure {
            Cure::StartServer(server) => self.start_any(server),
            Cure::ThawServer { server, life } => {
                if self.servers[server].life == life {
                    self.thaw_server(server);
                }
            }
            Cure::StartNode(node) => self.start_node(node),
            Cure::ThawNode { node, life } => {
                if self.nodes[node].life == life && self.nodes[node].frozen {
                    self.thaw_node(node);
                }
            }
            Cure::StartCorosync(nodeid) => self.start_corosync(nodeid),
            Cure::Reach => self.bus.settle(self.now),
            Cure::ThawCorosync(nodeid) => self.thaw_corosync(nodeid),
            Cure::Unite { split } => {
                if split == self.split {
                    self.unite();
                }
            }
            Cure::Calm(nodeid) => self.calm(nodeid),
            Cure::Path(server) => self.restore_path(server),
            Cure::Line { line, fault } => {
                if self.wan.lines[line].fault == fault {
                    self.restore_line(line);
                }
            }
            Cure::StartSite(site) => self.start_site(site),
        }
    }

    /// The node whose return this cure is a part of.
    fn returning(&self, cure: Cure) -> Option<usize> {
        match cure {
            Cure::StartNode(node) => Some(node),
            Cure::StartCorosync(nodeid) => self.nodes.iter().position(|node| node.member.nodeid == nodeid),
            Cure::Reach => self.checkers.returning(),
            _ => None,
        }
    }

    /// Ends everything that is wrong. What is dead comes back, or is gone for good.
    pub(super) fn cure_all(&mut self) {
        self.checkers.interrupt(None);
        self.checkers.interrupt_links();
        for nodeid in self.nodeids() {
            self.bus.disturb(nodeid, 0.0, 0.0);
            self.thaw_corosync(nodeid);
            self.start_corosync(nodeid);
        }
        self.stormy.clear();
        self.restore_lines();
        self.unite();
        self.bus.settle(self.now);
        for server in 0..self.servers.len() {
            self.cure_server(server);
        }
        let mut spare =
            self.nodes.iter().filter(|node| node.core.is_some() && node.stopping.is_none()).count();
        for node in 0..self.nodes.len() {
            if self.nodes[node].stopping.is_some() {
                self.end_node(node);
            }
            if self.nodes[node].frozen {
                self.thaw_node(node);
            } else if self.nodes[node].core.is_none()
                && (spare == 0 || !self.random.chance(self.options.for_good))
            {
                self.start_node(node);
                spare += 1;
            }
        }
        self.disturb();
    }

    fn cure_server(&mut self, server: usize) {
        if matches!(self.servers[server].side, Side::Plain(_)) {
            self.restore_path(server);
            self.servers[server].plain_mut().loss = 0.0;
        }
        self.thaw_server(server);
        let stuck = self.servers[server].asterisk.is_some()
            && self.servers[server].stock().is_some_and(|stock| stock.module.is_none());
        if stuck {
            // Nothing but a restart helps a module that spins on closed descriptors.
            self.end_stock(server);
            self.start_any(server);
        } else if self.servers[server].asterisk.is_none() && !self.random.chance(self.options.for_good) {
            self.start_any(server);
        }
    }

    pub(super) fn start_any(&mut self, server: usize) {
        match self.servers[server].side {
            Side::Stock(_) => self.start_stock(server),
            Side::Plain(_) => self.start_plain(server),
        }
    }

    fn thaw_server(&mut self, server: usize) {
        if !std::mem::replace(&mut self.servers[server].frozen, false) {
            return;
        }
        self.servers[server].late = self.now - self.servers[server].frozen_at;
        match self.servers[server].side {
            Side::Stock(_) => {
                self.servers[server].stock_mut().dispatch_planned = false;
                self.plan_dispatch(server);
            }
            Side::Plain(_) => self.thaw_plain(server),
        }
    }

    pub(super) fn start_corosync(&mut self, nodeid: u32) {
        if !self.bus.is_running(nodeid) {
            self.bus.start(nodeid);
            // It may stand alone for a moment, and its processes with it.
            let wait = if self.random.chance(0.5) { Duration::ZERO } else { self.options.pace.merge.end };
            let wait = self.random.time(Duration::ZERO..wait);
            self.plan(wait, Event::Cure(Cure::Reach));
        }
    }

    fn thaw_corosync(&mut self, nodeid: u32) {
        if self.bus.is_running(nodeid) && !self.bus.is_well(nodeid) {
            self.bus.freeze(self.now, nodeid, false);
        }
    }

    pub(super) fn unite(&mut self) {
        let islands = self.islands(&[]);
        self.bus.divide(self.now, &islands);
        self.disturb();
    }

    fn calm(&mut self, nodeid: u32) {
        self.bus.disturb(nodeid, self.options.refusal, self.options.swallowing);
        self.stormy.remove(&nodeid);
    }

    fn restore_path(&mut self, server: usize) {
        let loss = self.options.sip_loss;
        let plain = self.servers[server].plain_mut();
        plain.cut = false;
        plain.loss = loss;
        plain.rejecting = false;
        // If it began anew meanwhile, it may have taken too long to say again what it stands for.
        self.sight.unsee(self.now, server);
    }
}

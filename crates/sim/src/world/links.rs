//! Links in motion: connections are made, carry frames through the real codec, and break; and who can hear of whom by them.

use super::{Event, World};
use crate::faults::FaultKind;
use crate::report::Checker;
use crate::server::Side;
use crate::wan::{End, Flow, Line};
use presence::Input;
use presence::link::Frame;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;
use wire::link::{Decoder, encode};

/// How long a node waits before it tries again to make a connection.
const DIAL_MIN: Duration = Duration::from_millis(100);
const DIAL_MAX: Duration = Duration::from_millis(1500);
/// A slow link has this part of its speed, and so many times its delay.
const SLOWNESS: u32 = 10;
/// How long a link whose addresses change is without.
const REBINDING: std::ops::Range<Duration> = Duration::from_millis(50)..Duration::from_secs(2);
/// Each end asks for a sign of life that often, in parts of the hold time.
const PINGS: u32 = 5;

/// What comes and goes.
impl World<'_> {
    /// The core says what it has to say to other sites, as far as there is room.
    pub(super) fn send_over_links(&mut self, node: usize) {
        for (line, end) in self.wan.ends_of(node) {
            while self.wan.lines[line].ends[end].open
                && self.wan.lines[line].flows[end].under_way < Flow::WINDOW
            {
                let peer = self.wan.lines[line].ends[end].peer;
                let Some(core) = &mut self.nodes[node].core else { return };
                let Some(frame) = core.poll_frame(peer) else { break };
                self.send_frame(line, end, frame);
            }
        }
    }

    fn send_frame(&mut self, line: usize, from: usize, frame: Frame) {
        let who = self.nodes[self.wan.lines[line].ends[from].node].name.clone();
        self.note(&who, || format!("tells over line {line}: {frame:?}"));
        let mut bytes = Vec::new();
        let frame = wire::link::Frame::Said(frame);
        encode(&frame, &mut bytes);
        let mut decoder = Decoder::new();
        decoder.push(&bytes);
        let read = decoder.next();
        if read.as_ref() != Ok(&Some(frame)) || decoder.next() != Ok(None) {
            return self.fail(Checker::Harm, format!("{who} writes a frame that reads as {read:?}"));
        }
        self.stats.frames += 1;
        self.stats.link_bytes += bytes.len() as u64;
        let mut delay = self.delay_of(line);
        if self.random.chance(self.options.wide.loss) {
            // It is missed and sent again.
            delay += 2 * self.delay_of(line) + Duration::from_millis(10);
        }
        let line_of = &mut self.wan.lines[line];
        let speed = f64::from(self.options.wide.bytes_per_second / if line_of.slow { SLOWNESS } else { 1 });
        let flow = &mut line_of.flows[from];
        let takes = Duration::from_secs_f64(bytes.len() as f64 / speed);
        flow.busy_until = flow.busy_until.max(self.now) + takes;
        flow.last_at = flow.last_at.max(flow.busy_until + delay);
        flow.under_way += bytes.len();
        let (at, number) = (flow.last_at, line_of.number);
        self.schedule.push(at, Event::LinkArrives { line, number, from, bytes: bytes.into() });
    }

    fn delay_of(&mut self, line: usize) -> Duration {
        let slowness = if self.wan.lines[line].slow { SLOWNESS } else { 1 };
        self.random.time(self.options.wide.delay.clone()) * slowness
    }

    /// What one end has sent reaches the other.
    pub(super) fn arrive(&mut self, line: usize, number: u64, from: usize, bytes: Rc<[u8]>) {
        let line_of = &mut self.wan.lines[line];
        if line_of.number != number {
            return;
        }
        if line_of.cut {
            return line_of.flows[from].held.push_back(bytes);
        }
        line_of.flows[from].under_way -= bytes.len();
        let end = &mut line_of.ends[1 - from];
        let (node, peer) = (end.node, end.peer);
        if end.open {
            end.heard_at = self.now;
            let mut decoder = Decoder::new();
            decoder.push(&bytes);
            while let Ok(Some(wire::link::Frame::Said(frame))) = decoder.next() {
                self.nodes[node].link_inbox.push_back(Input::LinkFrame { peer, frame });
            }
            self.plan_turn(node);
        }
        let sender = self.wan.lines[line].ends[from].node;
        if self.nodes[sender].is_well() {
            self.send_over_links(sender);
        }
    }

    /// One end sees the connection.
    pub(super) fn open_end(&mut self, line: usize, number: u64, end: usize) {
        let now = self.now;
        let line_of = &mut self.wan.lines[line];
        let node = line_of.ends[end].node;
        if line_of.number != number || self.nodes[node].core.is_none() || !line_of.pending {
            return;
        }
        line_of.pending = end == 0;
        line_of.ends[end].open = true;
        line_of.ends[end].heard_at = now;
        let peer = line_of.ends[end].peer;
        self.hear_of_link(node, line, Input::LinkUp(peer));
    }

    /// The other end says that it closes.
    pub(super) fn hear_end(&mut self, line: usize, number: u64, end: usize) {
        if self.wan.lines[line].number == number && !self.wan.lines[line].cut {
            self.close_end(line, end);
        }
    }

    /// One end sees the connection no more.
    fn close_end(&mut self, line: usize, end: usize) {
        let now = self.now;
        let line_of = &mut self.wan.lines[line];
        line_of.pending = false;
        let end = &mut line_of.ends[end];
        if std::mem::replace(&mut end.open, false) {
            let (node, peer, silent) = (end.node, end.peer, now - end.heard_at);
            self.hear_of_link(node, line, Input::LinkDown { peer, silent });
        }
    }

    fn hear_of_link(&mut self, node: usize, line: usize, input: Input) {
        let who = self.nodes[node].name.clone();
        self.note(&who, || format!("line {line}: {input:?}"));
        self.nodes[node].link_inbox.push_back(input);
        self.plan_turn(node);
        self.disturb();
        self.look();
    }

    /// A node's process ends. The others hear of it, or find out.
    pub(super) fn hang_up(&mut self, node: usize) {
        for (line, end) in self.wan.ends_of(node) {
            let number = self.wan.lines[line].number;
            self.wan.lines[line].ends[end].open = false;
            self.wan.lines[line].pending = false;
            if self.nodes[node].stopping.is_some() || self.random.chance(0.5) {
                let at = self.wan.lines[line].flows[end].last_at.max(self.now + self.options.wide.delay.end);
                self.schedule.push(at, Event::LinkEnds { line, number, end: 1 - end });
            }
        }
    }

    /// Signs of life, their absence, and attempts to connect.
    pub(super) fn tend_lines(&mut self) {
        for line in 0..self.wan.lines.len() {
            self.tend_end(line, 0);
            self.tend_end(line, 1);
            let line_of = &self.wan.lines[line];
            let open = line_of.ends.iter().all(|end| end.open);
            if !open && !line_of.pending && self.now >= line_of.dial_at {
                self.wan.lines[line].dial_at = self.now + self.random.time(DIAL_MIN..DIAL_MAX);
                self.dial(line);
            }
        }
    }

    fn tend_end(&mut self, line: usize, end: usize) {
        let (now, hold) = (self.now, self.wan.hold);
        let line_of = &self.wan.lines[line];
        let (this, other) = (&line_of.ends[end], &line_of.ends[1 - end]);
        if !this.open || !self.nodes[this.node].is_well() || line_of.pending {
            return;
        }
        let answers = !line_of.cut && self.nodes[other.node].is_well();
        if answers && !other.open {
            return self.close_end(line, end);
        }
        if answers && now < this.heard_at + hold {
            if now >= this.heard_at + hold / PINGS {
                self.wan.lines[line].ends[end].heard_at = now;
            }
        } else if now >= this.heard_at + hold {
            self.close_end(line, end);
        }
    }

    /// A connection is made, if there is a way. Who takes the old one for alive learns better.
    fn dial(&mut self, line: usize) {
        let line_of = &self.wan.lines[line];
        let [one, other] = [line_of.ends[0].node, line_of.ends[1].node];
        if line_of.cut || !self.nodes[one].is_well() || !self.nodes[other].is_well() {
            return;
        }
        self.close_end(line, 0);
        self.close_end(line, 1);
        let (number, delay) = (self.counted(), self.delay_of(line));
        let line_of = &mut self.wan.lines[line];
        line_of.number = number;
        line_of.pending = true;
        line_of.flows = Default::default();
        line_of.flows[0].last_at = self.now + 3 * delay;
        self.plan(2 * delay, Event::LinkOpens { line, number, end: 0 });
        self.plan(3 * delay, Event::LinkOpens { line, number, end: 1 });
    }
}

/// What goes wrong.
impl World<'_> {
    pub(super) fn spoil_line(&mut self, kind: FaultKind) -> bool {
        let line = self.random.number(0..self.wan.lines.len());
        let (fault, hold) = (self.counted(), self.wan.hold);
        self.wan.lines[line].fault = fault;
        let lasts = match kind {
            FaultKind::LinkCut => self.random.time(hold / 10..hold * 3),
            FaultKind::LinkRebound => self.random.time(REBINDING),
            FaultKind::LinkSlow => self.duration(),
            _ => {
                self.close_end(line, 0);
                self.close_end(line, 1);
                self.wan.spoilt = Some((line, Duration::ZERO));
                return true;
            }
        };
        if kind == FaultKind::LinkSlow {
            self.wan.lines[line].slow = true;
        } else {
            self.wan.lines[line].cut = true;
            self.wan.spoilt = Some((line, lasts));
        }
        self.note("fault", || format!("line {line} for {lasts:?}"));
        self.plan(lasts, Event::Cure(super::Cure::Line { line, fault }));
        true
    }

    pub(super) fn restore_line(&mut self, line: usize) {
        self.wan.lines[line].cut = false;
        self.wan.lines[line].slow = false;
        for from in 0..2 {
            let number = self.wan.lines[line].number;
            let held = std::mem::take(&mut self.wan.lines[line].flows[from].held);
            held.into_iter().for_each(|bytes| self.arrive(line, number, from, bytes));
        }
    }

    pub(super) fn restore_lines(&mut self) {
        (0..self.wan.lines.len()).for_each(|line| self.restore_line(line));
    }

    /// Every process and every machine of a site stops at once.
    pub(super) fn stop_site(&mut self) -> bool {
        let site = self.random.number(0..self.wan.sites);
        self.note("fault", || format!("site {site}"));
        for nodeid in self.machines_of(site) {
            if self.bus.is_running(nodeid) {
                self.bus.kill(self.now, nodeid);
            }
        }
        for node in self.nodes_of(site) {
            self.end_node(node);
        }
        for server in self.servers_of(site) {
            match self.servers[server].side {
                Side::Stock(_) if self.servers[server].asterisk.is_some() => self.end_stock(server),
                Side::Stock(_) => {}
                Side::Plain(_) => self.end_plain(server, false),
            }
        }
        let lasts = if self.random.chance(0.5) { self.wan.hold * 2 } else { self.wan.hold / 2 };
        self.plan(lasts, Event::Cure(super::Cure::StartSite(site)));
        true
    }

    pub(super) fn start_site(&mut self, site: usize) {
        self.machines_of(site).into_iter().for_each(|nodeid| self.start_corosync(nodeid));
        self.nodes_of(site).into_iter().for_each(|node| self.start_node(node));
        self.servers_of(site).into_iter().for_each(|server| self.start_any(server));
    }

    fn machines_of(&self, site: usize) -> Vec<u32> {
        let here = |nodeid: &u32| usize::try_from(self.wan.site_of_machine(*nodeid)) == Ok(site);
        self.nodeids().into_iter().filter(here).collect()
    }

    fn nodes_of(&self, site: usize) -> Vec<usize> {
        (0..self.nodes.len()).filter(|node| self.wan.site_of_node(*node).number == site).collect()
    }

    fn servers_of(&self, site: usize) -> Vec<usize> {
        (0..self.servers.len()).filter(|server| self.site_of(*server) == site).collect()
    }
}

/// Who can hear of whom.
impl World<'_> {
    /// The site of a server.
    pub(crate) fn site_of(&self, server: usize) -> usize {
        match &self.servers[server].side {
            Side::Stock(stock) => {
                usize::try_from(self.wan.site_of_machine(stock.member.nodeid)).unwrap_or(usize::MAX)
            }
            Side::Plain(plain) => self.wan.site_of_node(plain.node).number,
        }
    }

    /// Whether there is anything between two servers but their group.
    pub(crate) fn is_far(&self, one: usize, other: usize) -> bool {
        self.wan.sites > 1 && self.site_of(one) != self.site_of(other)
    }

    /// Whether whatever is said elsewhere is heard in no time: every link is seen by both ends as it is, and nothing waits.
    pub(crate) fn are_links_clear(&self) -> bool {
        self.are_lines_clear(|_| true)
    }

    /// The same of some links.
    pub(crate) fn are_lines_clear(&self, among: impl Fn(usize) -> bool) -> bool {
        let idle = |line: &Line, end: usize| {
            let End { node, peer, .. } = line.ends[end];
            let core = self.nodes[node].core.as_ref();
            line.flows[end].under_way == 0 && core.is_none_or(|core| core.link_queue(peer) == 0)
        };
        let as_it_is = |line: &Line| !line.cut || line.ends.iter().all(|end| !end.open);
        let told = |line: &Line| !line.ends[0].open || (idle(line, 0) && idle(line, 1));
        let is_clear = |line: &Line| as_it_is(line) && !line.slow && !line.pending && told(line);
        self.wan.lines.iter().enumerate().all(|(number, line)| !among(number) || is_clear(line))
    }

    /// Looks which nodes hear of each other over links, and through the groups between them.
    pub(crate) fn look_over_links(&mut self) {
        if self.wan.sites < 2 {
            return;
        }
        let near: Vec<BTreeSet<usize>> = (0..self.nodes.len()).map(|node| self.near(node)).collect();
        for node in 0..self.nodes.len() {
            let mut reached = BTreeSet::from([node]);
            let mut open = vec![node];
            while let Some(from) = open.pop() {
                open.extend(near[from].iter().filter(|to| reached.insert(**to)));
            }
            self.wan.reach[node] = reached;
        }
    }

    fn near(&self, node: usize) -> BTreeSet<usize> {
        let runs = |node: usize| self.nodes[node].core.is_some() && self.nodes[node].stopping.is_none();
        if !runs(node) {
            return BTreeSet::new();
        }
        let linked = self.wan.ends_of(node).into_iter().map(|(line, end)| (&self.wan.lines[line].ends, end));
        let linked = linked.filter(|(ends, _)| ends.iter().all(|end| end.open));
        let linked = linked.map(|(ends, end)| ends[1 - end].node);
        let mates = (0..self.nodes.len()).filter(|mate| self.are_mates(node, *mate));
        linked.chain(mates).filter(|node| runs(*node)).collect()
    }

    pub(crate) fn are_mates(&self, one: usize, other: usize) -> bool {
        let (a, b) = (self.nodes[one].member, self.nodes[other].member);
        let sees = |from, to| self.group_of(from).is_some_and(|group| group.contains(&to));
        self.is_joined(one) && self.is_joined(other) && sees(a, b) && sees(b, a)
    }
}

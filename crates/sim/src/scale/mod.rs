//! What it costs that every site knows the states of every other: sites in a graph of links, each a node between stock servers, without
//! faults. The cores and the codec are the real ones; time is virtual, and only links take some.
//!
//! Everything is said once in each site before there are links. Then the links come up, and all is copied ([`Scale::link`]); then single
//! states change ([`Scale::change`]). Each step ends when nothing is under way or waits, and returns what it took.

mod line;
mod site;

use crate::random::Random;
use crate::schedule::Schedule;
use crate::wide::{Graph, edges};
use line::Line;
use presence::link::{Frame, PeerId};
use presence::{DeviceState, Input};
use site::Site;
use std::fmt;
use std::time::Duration;
use wire::link::Decoder;

/// More than anything waits for that a node decides on when it has heard all.
const CALM: Duration = Duration::from_secs(20);

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How the sites are linked.
    pub graph: Graph,
    /// Sites; each has one node.
    pub sites: usize,
    /// Servers of each site.
    pub servers: usize,
    /// Devices of each server.
    pub devices: usize,
}

impl Size {
    /// The states of all servers.
    #[must_use]
    pub fn states(&self) -> usize {
        self.sites * self.servers * self.devices
    }

    /// The states that sites have to tell each other: each to all but its own.
    #[must_use]
    pub fn copies(&self) -> usize {
        self.states() * (self.sites - 1)
    }
}

/// What a step took.
#[derive(Clone, Copy, Default, Debug)]
pub struct Traffic {
    /// Bytes on all links.
    pub bytes: usize,
    /// Bytes of those that carry states; the others say who is there, and compare.
    pub state_bytes: usize,
    /// Until the last state arrived.
    pub time: Duration,
}

enum Event {
    /// A frame reaches the end of a line.
    Arrives { line: usize, from: usize, bytes: Box<[u8]> },
    /// The node of a site wants to be woken.
    Wake { site: usize },
}

/// The sites of a run.
pub struct Scale {
    size: Size,
    now: Duration,
    schedule: Schedule<Event>,
    sites: Vec<Site>,
    lines: Vec<Line>,
    /// What every site has to know: the states of each server.
    truth: Vec<Vec<DeviceState>>,
    /// Frames that have not arrived.
    under_way: usize,
    traffic: Traffic,
    /// When the last state arrived.
    told_at: Duration,
}

impl Scale {
    /// Sites in which everything has been said, without links.
    #[must_use]
    pub fn new(size: Size) -> Self {
        let pairs = edges(&mut Random::new(0), size.graph, size.sites);
        let mut sites: Vec<Site> = Vec::new();
        let mut lines = Vec::new();
        let mut peers = vec![Vec::new(); size.sites];
        for (one, other) in pairs {
            let ends = [one, other].map(|site| (site, PeerId(peers[site].len())));
            peers[one].push((lines.len(), 0));
            peers[other].push((lines.len(), 1));
            lines.push(Line::new(ends));
        }
        let mut truth = Vec::new();
        for (number, ends) in peers.into_iter().enumerate() {
            let mut site = Site::new(number, &size, ends);
            truth.extend((0..size.servers).map(|server| site.say_all(server, size.devices)));
            sites.push(site);
        }
        let mut scale = Self {
            size,
            now: Duration::ZERO,
            schedule: Schedule::new(),
            sites,
            lines,
            truth,
            under_way: 0,
            traffic: Traffic::default(),
            told_at: Duration::ZERO,
        };
        (0..size.sites).for_each(|site| scale.go_on(site));
        scale.rest();
        scale
    }

    /// All links come up at once.
    pub fn link(&mut self) -> Traffic {
        self.step(|scale| (0..scale.lines.len()).for_each(|line| scale.connect(line)))
    }

    /// One link goes and comes back, and nothing has changed.
    pub fn blink(&mut self) -> Traffic {
        self.step(|scale| {
            for (site, peer) in scale.lines[0].ends {
                let silent = Duration::ZERO;
                scale.sites[site].handle(scale.now, Input::LinkDown { peer, silent });
            }
            scale.connect(0);
        })
    }

    /// So many devices change at the same moment, here and there.
    pub fn change(&mut self, count: usize) -> Traffic {
        self.step(|scale| {
            let Size { servers, devices, .. } = scale.size;
            for number in 0..count {
                // Neighbours in time are at different sites and servers.
                let server = number * (servers + 1) % (scale.size.sites * servers);
                let device = number * 7 % devices;
                let state = &mut scale.truth[server][device];
                *state = if *state == DeviceState::InUse { DeviceState::Ringing } else { DeviceState::InUse };
                let change = site::change(server, device, *state);
                scale.sites[server / servers].hear_server(scale.now, server, change);
            }
            (0..scale.sites.len()).for_each(|site| scale.go_on(site));
        })
    }

    /// The first that some site knows wrongly, or what it dropped.
    #[must_use]
    pub fn disagreement(&self) -> Option<String> {
        self.sites.iter().find_map(|site| site.disagreement(&self.truth))
    }

    fn connect(&mut self, line: usize) {
        for (site, peer) in self.lines[line].ends {
            self.sites[site].handle(self.now, Input::LinkUp(peer));
        }
        for (site, _) in self.lines[line].ends {
            self.go_on(site);
        }
    }

    fn step(&mut self, begin: impl FnOnce(&mut Self)) -> Traffic {
        let since = self.now;
        self.traffic = Traffic::default();
        begin(self);
        self.rest();
        Traffic { time: self.told_at.saturating_sub(since), ..self.traffic }
    }

    /// Lets time pass until nothing happens any more.
    fn rest(&mut self) {
        let mut moved_at = self.now;
        while let Some((at, event)) = self.schedule.pop() {
            if self.under_way == 0 && at > moved_at + CALM {
                self.schedule.push(at, event);
                break;
            }
            self.now = at;
            match event {
                Event::Arrives { line, from, bytes } => {
                    moved_at = at;
                    self.arrive(line, from, &bytes);
                }
                Event::Wake { site } => {
                    self.sites[site].wake(at);
                    self.go_on(site);
                }
            }
        }
        self.now = self.now.max(moved_at + CALM);
    }

    fn arrive(&mut self, line: usize, from: usize, bytes: &[u8]) {
        self.under_way -= 1;
        self.lines[line].arrived(from, bytes.len());
        let (site, peer) = self.lines[line].ends[1 - from];
        let mut decoder = Decoder::new();
        decoder.push(bytes);
        while let Ok(Some(wire::link::Frame::Said(frame))) = decoder.next() {
            if matches!(frame, Frame::States(_)) {
                self.told_at = self.now;
                self.traffic.state_bytes += bytes.len();
            }
            self.sites[site].handle(self.now, Input::LinkFrame { peer, frame });
        }
        self.go_on(site);
        self.send(line, from);
    }

    /// A node has done something: it may have something to say on its links, and want to be woken at another time.
    fn go_on(&mut self, site: usize) {
        for (line, end) in self.sites[site].ends.clone() {
            self.send(line, end);
        }
        if let Some(at) = self.sites[site].plan_wake() {
            self.schedule.push(at.max(self.now), Event::Wake { site });
        }
    }

    /// What an end has to say, as far as there is room.
    fn send(&mut self, line: usize, end: usize) {
        let (site, peer) = self.lines[line].ends[end];
        while self.lines[line].has_room(end)
            && let Some(frame) = self.sites[site].node.poll_frame(peer)
        {
            let mut bytes = Vec::new();
            wire::link::encode(&wire::link::Frame::Said(frame), &mut bytes);
            self.traffic.bytes += bytes.len();
            self.under_way += 1;
            let at = self.lines[line].send(self.now, end, bytes.len());
            self.schedule.push(at, Event::Arrives { line, from: end, bytes: bytes.into() });
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { graph, sites, servers, devices } = self;
        write!(f, "{sites} × {servers} × {devices}, {}", graph.name())
    }
}

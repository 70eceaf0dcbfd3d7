//! Nodes of several sites, their groups and links, driven by hand.

use super::*;
use presence::link::{PeerConfig, PeerId};
use std::collections::BTreeMap;

pub(crate) const HOLD: Duration = Duration::from_secs(15);
pub(crate) const BLINK: Duration = Duration::from_secs(10);

/// A node of some site, with one server of its own that takes everything.
pub(crate) struct Place {
    pub(crate) node: Node,
    pub(crate) site: u8,
    pub(crate) member: Member,
    pub(crate) peers: Vec<usize>,
    pub(crate) config: Vec<PeerConfig>,
    pub(crate) running: bool,
    /// What its server was told last of each state.
    pub(crate) told: BTreeMap<(Eid, Change), usize>,
    pub(crate) lamps: BTreeMap<(Eid, String), DeviceState>,
    pub(crate) lights: BTreeMap<String, u32>,
    pub(crate) publishes: usize,
}

pub(crate) struct Sites {
    pub(crate) places: Vec<Place>,
    pub(crate) up: Vec<(usize, usize)>,
    pub(crate) now: Duration,
    /// What was said in each group, by whom.
    pub(crate) said: Vec<(u8, usize, Message)>,
}

pub(crate) fn eid_of_node(place: usize) -> Eid {
    Eid([1, 0, 0, 0, 0, place as u8 + 1])
}

/// The server of a node.
pub(crate) fn pbx(place: usize) -> Eid {
    Eid([2, 0, 0, 0, 0, place as u8 + 1])
}

/// A stock server of a site.
pub(crate) fn stock(site: u8) -> (Member, Eid) {
    (Member { nodeid: 200, pid: 1 }, Eid([3, 0, 0, 0, 0, site]))
}

impl Sites {
    /// Nodes at these sites, linked so; all links are up.
    pub(crate) fn new(sites: &[u8], edges: &[(usize, usize)]) -> Self {
        let places = sites.iter().enumerate().map(|(place, site)| {
            let ends = edges.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]);
            let peers: Vec<_> = ends.filter(|(from, _)| *from == place).map(|(_, to)| to).collect();
            let member = Member { nodeid: 20 + place as u32, pid: 1 };
            Place {
                node: new_node(place, *site, vec![PeerConfig::default(); peers.len()], Duration::ZERO),
                site: *site,
                member,
                config: vec![PeerConfig::default(); peers.len()],
                peers,
                running: false,
                told: BTreeMap::new(),
                lamps: BTreeMap::new(),
                lights: BTreeMap::new(),
                publishes: 0,
            }
        });
        let mut world =
            Self { places: places.collect(), up: vec![], now: Duration::from_secs(60), said: vec![] };
        (0..sites.len()).for_each(|place| world.start(place));
        edges.iter().for_each(|(a, b)| world.connect(*a, *b));
        world.rest();
        world
    }

    pub(crate) fn start(&mut self, place: usize) {
        let site = self.places[place].site;
        let (member, now) = (self.places[place].member, self.now);
        let node = new_node(place, site, self.places[place].config.clone(), now);
        self.places[place].node = node;
        self.places[place].running = true;
        self.input(place, Input::Alive(FIRST));
        self.input(place, Input::Named { server: FIRST, eid: pbx(place) });
        let mates: Vec<usize> = self.mates(place);
        let mut members: Vec<_> = mates.iter().map(|mate| self.places[*mate].member).collect();
        members.push(stock(site).0);
        members.sort_unstable();
        self.input(place, Input::Joined { me: member, members });
        for mate in mates.into_iter().filter(|mate| *mate != place) {
            self.input(mate, Input::Changed { joined: vec![(member, Arrival::Process)], left: vec![] });
        }
        self.stock_says(site, discovery(stock(site).1, 200, None));
        self.rest();
    }

    /// The process ends without a word.
    pub(crate) fn kill(&mut self, place: usize) {
        for far in self.places[place].peers.clone() {
            self.cut(place, far, Duration::ZERO);
        }
        self.places[place].running = false;
        for mate in self.mates(place) {
            let left = vec![self.places[place].member];
            self.input(mate, Input::Changed { joined: vec![], left });
        }
        self.rest();
    }

    pub(crate) fn mates(&self, place: usize) -> Vec<usize> {
        let places = self.places.iter().enumerate();
        let mates = places.filter(|(_, it)| it.site == self.places[place].site && it.running);
        mates.map(|(place, _)| place).collect()
    }

    pub(crate) fn connect(&mut self, a: usize, b: usize) {
        self.up.push((a, b));
        for (from, to) in [(a, b), (b, a)] {
            let peer = self.peer(from, to);
            self.input(from, Input::LinkUp(peer));
        }
    }

    pub(crate) fn cut(&mut self, a: usize, b: usize, silent: Duration) {
        let before = self.up.len();
        self.up.retain(|ends| *ends != (a, b) && *ends != (b, a));
        if self.up.len() < before {
            for (from, to) in [(a, b), (b, a)] {
                let peer = self.peer(from, to);
                self.input(from, Input::LinkDown { peer, silent });
            }
        }
    }

    pub(crate) fn peer(&self, from: usize, to: usize) -> PeerId {
        PeerId(self.places[from].peers.iter().position(|it| *it == to).expect("they are linked"))
    }

    pub(crate) fn input(&mut self, place: usize, input: Input) {
        let now = self.now;
        if self.places[place].running {
            self.places[place].node.handle(now, input);
        }
    }

    pub(crate) fn stock_says(&mut self, site: u8, message: Message) {
        for place in 0..self.places.len() {
            if self.places[place].site == site {
                self.input(place, Input::Delivered { from: stock(site).0, message: message.clone() });
            }
        }
    }

    pub(crate) fn report(&mut self, place: usize, change: Change) {
        self.input(place, Input::Report { server: FIRST, report: 1, eid: pbx(place), change });
        self.rest();
    }

    /// All that is under way arrives; no time passes.
    pub(crate) fn rest(&mut self) {
        while (0..self.places.len()).any(|place| self.step(place)) {}
    }

    pub(crate) fn step(&mut self, place: usize) -> bool {
        if !self.places[place].running {
            return false;
        }
        let now = self.now;
        if let Some(output) = self.places[place].node.poll_output(now) {
            self.carry_out(place, output);
            return true;
        }
        for far in self.places[place].peers.clone() {
            let up = self.up.contains(&(place, far)) || self.up.contains(&(far, place));
            let (to, from) = (self.peer(place, far), self.peer(far, place));
            if up && let Some(frame) = self.places[place].node.poll_frame(to) {
                self.input(far, Input::LinkFrame { peer: from, frame });
                return true;
            }
        }
        false
    }

    pub(crate) fn carry_out(&mut self, place: usize, output: Output) {
        match output {
            Output::Multicast(message) => {
                self.said.push((self.places[place].site, place, message.clone()));
                let from = self.places[place].member;
                for mate in self.mates(place) {
                    self.input(mate, Input::Delivered { from, message: message.clone() });
                }
            }
            Output::Publish { server, eid, change } => {
                let it = &mut self.places[place];
                it.publishes += 1;
                *it.told.entry((eid, change.clone())).or_default() += 1;
                match change {
                    Change::DeviceState { device, state, .. } => {
                        it.lamps.insert((eid, device.as_str().to_owned()), state);
                    }
                    Change::Mwi { mailbox, counts } => {
                        it.lights.insert(mailbox.as_str().to_owned(), counts.new);
                    }
                }
                self.input(place, Input::Settled { server, outcome: Outcome::Accepted });
            }
            Output::RequestRefresh { server } => {
                self.input(place, Input::Settled { server, outcome: Outcome::Accepted });
            }
            Output::Touch | Output::Answer { .. } | Output::Note(_) => {}
        }
    }

    /// Time passes, in steps in which all is done that falls due.
    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(250);
            for it in self.places.iter_mut().filter(|it| it.running) {
                if it.node.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
                    it.node.handle_timeout(self.now);
                    let next = it.node.poll_timeout();
                    assert!(next.is_none_or(|(at, _)| at > self.now), "it wants to be woken again: {next:?}");
                }
            }
            self.rest();
        }
    }

    /// What a node's server shows of a server.
    pub(crate) fn lamp(&self, place: usize, eid: Eid) -> Option<DeviceState> {
        self.places[place].lamps.get(&(eid, "Custom:lamp".to_owned())).copied()
    }

    /// What was said in a site's group about a server, and by which nodes.
    pub(crate) fn said_of(&mut self, site: u8, whose: Eid) -> Vec<(usize, bool, DeviceState)> {
        let said = std::mem::take(&mut self.said).into_iter().filter(|(where_said, ..)| *where_said == site);
        #[allow(clippy::wildcard_enum_match_arm, reason = "the rest says nothing of servers elsewhere")]
        let word = |(_, place, message)| match message {
            Message::Told(it) if it.eid == whose => Some((place, it.withdrawn, state_of(&it.change)?)),
            Message::Withdrawal { eid, change, .. } if eid == whose => {
                Some((place, true, state_of(&change)?))
            }
            _ => None,
        };
        said.filter_map(word).collect()
    }
}

pub(crate) fn state_of(change: &Change) -> Option<DeviceState> {
    if let Change::DeviceState { state, .. } = change { Some(*state) } else { None }
}

pub(crate) fn new_node(place: usize, site: u8, peers: Vec<PeerConfig>, now: Duration) -> Node {
    let started = STARTED + now;
    let servers = vec![ServerConfig { eid: Some(pbx(place)), ..ServerConfig::default() }];
    let site = format!("site{site}").into();
    Node::new(Config {
        servers,
        site,
        peers,
        hold: HOLD,
        ..Config::new(eid_of_node(place), "192.0.2.1", started)
    })
}

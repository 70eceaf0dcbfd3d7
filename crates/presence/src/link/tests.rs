//! Nodes of several sites, linked in some graph, with words and frames that are under way: whatever happens, when it is over
//! all know the same.

use super::*;
use crate::{Device, DeviceState, States};
use alloc::collections::VecDeque;
use std::vec;

const HOLD: Duration = Duration::from_secs(15);

type Truth = BTreeMap<Device, DeviceState>;

/// A node, or the place of one that has ended.
struct Place {
    site: usize,
    /// Which nodes are at the other end of its links.
    far: Vec<usize>,
    running: Option<Running>,
}

struct Running {
    links: Links,
    states: States,
    /// What was said in the site's group and it has not heard yet.
    group: VecDeque<Said>,
}

#[derive(Clone)]
enum Said {
    /// The server says something, or stands for something no more.
    Server(Device, Option<DeviceState>),
    Node(Frame),
}

struct World {
    now: Duration,
    /// What the one server of each site says; a device that it stands for no more is not there.
    truths: Vec<Truth>,
    places: Vec<Place>,
    /// Frames under way, from node to node, where there is a connection.
    pipes: BTreeMap<(usize, usize), VecDeque<Frame>>,
    random: u64,
    seed: u64,
}

fn node(place: usize) -> Eid {
    Eid([1, 0, 0, 0, 0, u8::try_from(place).unwrap()])
}

fn server(site: usize) -> Eid {
    Eid([2, 0, 0, 0, 0, u8::try_from(site).unwrap()])
}

/// What a node says in its group in the name of a server elsewhere.
fn spoken(links: &Links, states: &States, effect: Effect) -> Option<Frame> {
    let Effect::Say { eid, subject } = effect else { panic!("{effect:?}") };
    links.statement(eid, &subject, states).map(|statement| Frame::States(vec![statement]))
}

fn lamp(number: usize) -> Device {
    Device::new(&std::format!("Custom:{number}")).unwrap()
}

/// What happens.
impl World {
    /// Nodes at these sites, linked so.
    fn new(sites: &[usize], edges: &[(usize, usize)], seed: u64) -> Self {
        let far = |place| {
            let ends = edges.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]);
            ends.filter(|(from, _)| *from == place).map(|(_, to)| to).collect()
        };
        let places = sites.iter().enumerate();
        let places = places.map(|(place, site)| Place { site: *site, far: far(place), running: None });
        let truths = vec![Truth::new(); sites.iter().max().unwrap() + 1];
        let now = Duration::from_secs(100);
        let mut world =
            Self { now, truths, places: places.collect(), pipes: BTreeMap::new(), random: seed, seed };
        (0..sites.len()).for_each(|place| world.start(place));
        edges.iter().for_each(|(a, b)| world.connect(*a, *b));
        world
    }

    /// The node begins with nothing; its site's server tells it everything.
    fn start(&mut self, place: usize) {
        if self.places[place].running.is_some() {
            return;
        }
        // The clock never gives one microsecond to two words about the same.
        self.now += Duration::from_secs(1);
        let hello = Hello {
            node: node(place),
            site: std::format!("{}", self.places[place].site).into(),
            incarnation: self.now_us(),
        };
        let links = Links::new(hello, vec![PeerConfig::default(); self.places[place].far.len()], HOLD);
        let truth = self.truths[self.places[place].site].clone();
        let group = truth.into_iter().map(|(device, state)| Said::Server(device, Some(state))).collect();
        self.places[place].running = Some(Running { links, states: States::new(0), group });
        self.settle_sites();
        let site = self.places[place].site;
        self.at_site(site).for_each(|running| running.links.meet_group());
    }

    fn at_site(&mut self, site: usize) -> impl Iterator<Item = &mut Running> {
        self.places.iter_mut().filter(move |it| it.site == site).filter_map(|it| it.running.as_mut())
    }

    fn end(&mut self, place: usize) {
        for far in self.places[place].far.clone() {
            self.cut(place, far, Duration::ZERO);
        }
        self.places[place].running = None;
        self.settle_sites();
    }

    fn settle_sites(&mut self) {
        let running: Vec<_> = self.places.iter().map(|it| (it.site, it.running.is_some())).collect();
        for it in &mut self.places {
            let Some(node_here) = &mut it.running else { continue };
            let nodes =
                (0..running.len()).filter(|other| running[*other] == (it.site, true)).map(node).collect();
            node_here.links.settle_site(self.now, [server(it.site)].into(), nodes);
        }
    }

    fn connect(&mut self, a: usize, b: usize) {
        if self.pipes.contains_key(&(a, b)) || [a, b].iter().any(|end| self.places[*end].running.is_none()) {
            return;
        }
        for (from, to) in [(a, b), (b, a)] {
            self.pipes.insert((from, to), VecDeque::new());
            let peer = self.peer(from, to);
            self.links(from).connected(peer);
        }
    }

    /// What is under way is lost.
    fn cut(&mut self, a: usize, b: usize, silent: Duration) {
        let now = self.now;
        for (from, to) in [(a, b), (b, a)] {
            if self.pipes.remove(&(from, to)).is_some() {
                let peer = self.peer(from, to);
                self.links(from).disconnected(now, peer, silent);
            }
        }
    }

    /// The server of a site says something, or stands for something no more.
    fn say(&mut self, site: usize, device: &Device, state: Option<DeviceState>) {
        match state {
            Some(state) => drop(self.truths[site].insert(device.clone(), state)),
            None => drop(self.truths[site].remove(device)),
        }
        let said = Said::Server(device.clone(), state);
        self.at_site(site).for_each(|running| running.group.push_back(said.clone()));
    }

    /// One thing happens: a word of a group or a frame arrives. False when nothing is under way.
    fn step(&mut self) -> bool {
        self.pass_time();
        let words = self.places.iter().enumerate();
        let words = words.filter(|(_, it)| it.running.as_ref().is_some_and(|it| !it.group.is_empty()));
        let words: Vec<_> = words.map(|(place, _)| (place, None)).collect();
        let pipes = self.pipes.iter().filter(|(_, pipe)| !pipe.is_empty());
        let open: Vec<_> = pipes.map(|((from, to), _)| (*to, Some(*from))).chain(words).collect();
        if open.is_empty() {
            return false;
        }
        match open[self.roll(open.len())] {
            (place, None) => self.hear_group(place),
            (place, Some(from)) => self.hear_link(place, from),
        }
        true
    }

    fn pass_time(&mut self) {
        let (now, now_us) = (self.now, self.now_us());
        let mut said = Vec::new();
        for (place, it) in self.places.iter_mut().enumerate() {
            let Some(Running { links, states, .. }) = &mut it.running else { continue };
            links.refresh(now, now_us);
            links.end_rumours(now, now_us, |_| true);
            links.take_lost(now).into_iter().for_each(|eid| drop(states.remove(eid)));
            for (index, to) in it.far.iter().enumerate() {
                let Some(pipe) = self.pipes.get_mut(&(place, *to)) else { continue };
                if pipe.len() < 2
                    && let Some(frame) = links.poll_frame(Way::Link(PeerId(index)), states)
                {
                    pipe.push_back(frame);
                }
            }
            said.extend(links.poll_frame(Way::Group, states).map(|frame| (place, frame)));
            let says = links.take_says(now);
            said.extend(says.into_iter().filter_map(|say| Some((place, spoken(links, states, say)?))));
        }
        said.into_iter().for_each(|(place, frame)| self.say_to_nodes(place, &frame));
    }

    /// The other nodes of the site hear it; stock servers are not here.
    fn say_to_nodes(&mut self, place: usize, frame: &Frame) {
        let site = self.places[place].site;
        let others =
            self.places.iter_mut().enumerate().filter(|(other, it)| *other != place && it.site == site);
        for running in others.filter_map(|(_, it)| it.running.as_mut()) {
            running.group.push_back(Said::Node(frame.clone()));
        }
    }

    fn hear_group(&mut self, place: usize) {
        let now_us = self.now_us();
        let it = &mut self.places[place];
        let Running { links, states, group } = it.running.as_mut().unwrap();
        let (device, state) = match group.pop_front().unwrap() {
            Said::Server(device, state) => (device, state),
            Said::Node(frame) => return self.hear_frame(place, Way::Group, frame),
        };
        let (eid, subject) = (server(it.site), Subject::Device(device.clone()));
        let change = state.map(|state| Change::DeviceState { device, state, cachable: true });
        let news = match &change {
            Some(change) => {
                let before = states.says(eid, change);
                states.enter(eid, change, Stamp::default());
                !before
            }
            None => states.take(eid, &subject).is_some(),
        };
        if news {
            links.write(Version { clock: now_us, writer: links.hello.node }, eid, &subject, change.as_ref());
        }
    }

    fn hear_link(&mut self, place: usize, from: usize) {
        let frame = self.pipes.get_mut(&(from, place)).unwrap().pop_front().unwrap();
        let peer = self.peer(place, from);
        self.hear_frame(place, Way::Link(peer), frame);
    }

    fn hear_frame(&mut self, place: usize, way: Way, frame: Frame) {
        let (now, now_us) = (self.now, self.now_us());
        let Running { links, states, .. } = self.places[place].running.as_mut().unwrap();
        let mut said = Vec::new();
        for effect in links.hear(now, now_us, way, frame, states) {
            match effect {
                Effect::Enter { eid, change, origin } => drop(states.enter(eid, &change, origin)),
                Effect::Withdraw { eid, subject } => drop(states.take(eid, &subject)),
                Effect::Say { .. } => said.extend(spoken(links, states, effect)),
                Effect::Order(_) => panic!("nobody speaks of mailboxes"),
                Effect::Refuse | Effect::Bar { .. } => panic!("there is room"),
            }
        }
        said.into_iter().for_each(|frame| self.say_to_nodes(place, &frame));
    }

    /// Time passes until nothing more happens.
    fn rest(&mut self) {
        for _ in 0..40 {
            assert!((0..100_000).any(|_| !self.step()), "it never ends");
            self.now += Duration::from_secs(1);
        }
        assert!(!self.step(), "it never ends");
    }
}

/// What is seen.
impl World {
    fn roll(&mut self, sides: usize) -> usize {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.random >> 33).unwrap() % sides
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.now.as_micros()).unwrap()
    }

    fn peer(&self, place: usize, far: usize) -> PeerId {
        PeerId(self.places[place].far.iter().position(|it| *it == far).unwrap())
    }

    fn links(&mut self, place: usize) -> &mut Links {
        &mut self.places[place].running.as_mut().unwrap().links
    }

    fn knows(&self, place: usize, site: usize) -> Truth {
        let states = &self.places[place].running.as_ref().unwrap().states;
        let said = states.to_tell(server(site)).into_iter();
        said.map(|(change, _)| match change {
            Change::DeviceState { device, state, .. } => (device, state),
            Change::Mwi { .. } => panic!("nobody said that"),
        })
        .collect()
    }

    /// All that are connected know what each of them says, and nothing else.
    fn judge(&self) {
        for (place, _) in self.places.iter().enumerate().filter(|(_, it)| it.running.is_some()) {
            let reach = self.reach(place);
            for (site, truth) in self.truths.iter().enumerate() {
                let in_reach = reach.iter().any(|place| self.places[*place].site == site);
                let wanted = if in_reach { truth.clone() } else { Truth::new() };
                let known = self.knows(place, site);
                if known != wanted {
                    for (p, it) in self.places.iter().enumerate() {
                        if let Some(r) = &it.running {
                            let l = &r.links;
                            std::eprintln!(
                                "{p}: place {:?} forgotten {:?} sum {:?} peers {:?} pipes {:?} nodes {:?}",
                                l.roster.place(server(site)),
                                l.forgotten,
                                l.ledger.summary(server(site)),
                                l.peers
                                    .iter()
                                    .map(|p| (p.connected(), p.node, p.waiting()))
                                    .collect::<Vec<_>>(),
                                it.far
                                    .iter()
                                    .filter(|f| self.pipes.contains_key(&(p, **f)))
                                    .collect::<Vec<_>>(),
                                l.site.nodes()
                            );
                        }
                    }
                }
                assert_eq!(known, wanted, "what node {place} knows of site {site} (seed {})", self.seed);
            }
        }
    }

    fn reach(&self, place: usize) -> BTreeSet<usize> {
        let mut reached = BTreeSet::from([place]);
        let mut open = vec![place];
        while let Some(from) = open.pop() {
            let ends = self.pipes.keys().filter(|(end, _)| *end == from).map(|(_, to)| *to);
            let mates = self.places.iter().enumerate();
            let mates = mates.filter(|(_, it)| it.site == self.places[from].site && it.running.is_some());
            let next: Vec<_> = ends.chain(mates.map(|(place, _)| place)).collect();
            open.extend(next.into_iter().filter(|to| reached.insert(*to)));
        }
        reached
    }
}

#[test]
fn a_lamp_crosses_a_chain_of_sites_and_goes_out_when_it_is_cut() {
    let mut world = World::new(&[0, 1, 2], &[(0, 1), (1, 2)], 1);
    world.say(0, &lamp(1), Some(DeviceState::InUse));
    world.say(2, &lamp(1), Some(DeviceState::Ringing));
    world.rest();
    world.judge();
    world.cut(0, 1, HOLD);
    world.rest();
    world.judge();
    world.say(0, &lamp(1), Some(DeviceState::NotInUse));
    world.connect(0, 1);
    world.rest();
    world.judge();
}

#[test]
fn a_link_that_blinks_takes_no_state_away() {
    let mut world = World::new(&[0, 1], &[(0, 1)], 1);
    world.say(0, &lamp(1), Some(DeviceState::InUse));
    world.rest();
    world.cut(0, 1, Duration::ZERO);
    for _ in 0..14 {
        world.step();
        world.now += Duration::from_secs(1);
        assert_eq!(world.knows(1, 0).len(), 1);
    }
    world.connect(0, 1);
    world.rest();
    world.judge();
}

#[test]
fn what_a_server_no_longer_says_after_its_node_began_anew_is_withdrawn_elsewhere() {
    let mut world = World::new(&[0, 1, 2], &[(0, 1), (1, 2)], 1);
    world.say(0, &lamp(1), Some(DeviceState::InUse));
    world.say(0, &lamp(2), Some(DeviceState::InUse));
    world.rest();
    world.end(0);
    world.say(0, &lamp(2), None);
    world.start(0);
    world.connect(0, 1);
    for _ in 0..4 {
        while world.step() {}
        world.now += Duration::from_secs(1);
        assert_eq!(world.knows(2, 0).len(), 2, "the server may still say it");
    }
    world.rest();
    world.judge();
}

#[test]
fn a_node_whose_clock_was_set_back_is_believed_all_the_same() {
    let mut world = World::new(&[0, 1], &[(0, 1)], 1);
    world.say(0, &lamp(1), Some(DeviceState::InUse));
    world.rest();
    let ten_years = 10 * 365 * 24 * 3_600 * 1_000_000;
    let ahead = Version { clock: world.now_us() + ten_years, writer: node(0) };
    let subject = Subject::Device(lamp(1));
    world.links(1).ledger.put(server(0), &subject, ledger::Entry::heard(ahead, false));
    world.end(0);
    world.say(0, &lamp(1), Some(DeviceState::NotInUse));
    world.start(0);
    world.connect(0, 1);
    world.rest();
    world.judge();
}

#[test]
fn of_two_nodes_of_a_site_one_tells_and_the_other_goes_on_without_telling_all_again() {
    let mut world = World::new(&[0, 0, 1], &[(0, 1), (0, 2), (1, 2)], 1);
    world.rest();
    for number in 0..100 {
        world.say(0, &lamp(number), Some(DeviceState::InUse));
    }
    world.rest();
    world.judge();
    let subject = Subject::Device(lamp(7));
    let version = world.links(2).ledger.of(server(0), &subject).unwrap().version;
    assert_eq!(version.writer, node(0));
    assert_eq!(world.links(1).ledger.of(server(0), &subject).unwrap().version, version, "it keeps in step");
    world.end(0);
    world.say(0, &lamp(7), Some(DeviceState::NotInUse));
    world.rest();
    world.judge();
    let by_second = |number| world.links(2).ledger.of(server(0), &Subject::Device(lamp(number))).unwrap();
    let writers: Vec<_> = (0..100).map(by_second).filter(|entry| entry.version.writer == node(1)).collect();
    assert_eq!(writers.len(), 1, "only what was news");
}

#[test]
fn any_graph_of_sites_converges_whatever_happens() {
    type Graph<'a> = (&'a [usize], &'a [(usize, usize)]);
    const GRAPHS: [Graph<'_>; 8] = [
        (&[0, 1, 2, 3], &[(0, 1), (1, 2), (2, 3)]),
        (&[0, 1, 2, 3, 4], &[(0, 1), (0, 2), (0, 3), (0, 4)]),
        (&[0, 1, 2, 3, 4], &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]),
        (&[0, 1, 2, 3], &[(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]),
        (&[0, 0, 1, 1], &[(0, 1), (2, 3), (0, 2), (0, 3), (1, 2), (1, 3)]),
        (&[0, 0, 1, 2], &[(0, 1), (0, 2), (1, 3)]),
        (&[0, 0, 1, 2], &[(0, 2), (1, 3)]),
        (&[0, 0, 1, 1, 2, 2], &[(0, 2), (1, 3), (1, 4), (3, 5)]),
    ];
    for seed in 0..300 {
        let (sites, edges) = GRAPHS[usize::try_from(seed).unwrap() % GRAPHS.len()];
        let mut world = World::new(sites, edges, seed);
        for _ in 0..400 {
            let (place, device) = (world.roll(sites.len()), world.roll(12));
            let (a, b) = edges[world.roll(edges.len())];
            match world.roll(44) {
                0 => world.cut(a, b, HOLD),
                1 => world.cut(a, b, Duration::ZERO),
                2..5 => world.connect(a, b),
                5 => world.end(place),
                6..9 => world.start(place),
                9..12 => world.say(sites[place], &lamp(device), None),
                12..22 => {
                    let states = [DeviceState::InUse, DeviceState::NotInUse, DeviceState::Ringing];
                    let state = states[world.roll(3)];
                    world.say(sites[place], &lamp(device), Some(state));
                }
                22 => {
                    let seconds = world.roll(20);
                    world.now += Duration::from_secs(u64::try_from(seconds).unwrap());
                }
                _ => drop(world.step()),
            }
        }
        (0..sites.len()).for_each(|place| world.start(place));
        world.rest();
        world.judge();
    }
}

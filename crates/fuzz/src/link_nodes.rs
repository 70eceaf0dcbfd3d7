//! Frames at nodes, in any order and at any time: two nodes of one site, each linked with the same node of another, and a
//! stranger who has a link, too.
//!
//! Actions of a record; the first byte of the payload says at which end of which link, or whose:
//!
//! | letter | what happens |
//! |---|---|
//! | `u`, `d` | the link comes up; it goes, when nothing had come for as long as the next byte says |
//! | `f` | bytes arrive at that end; the link goes where they are no frames |
//! | `h`, `a`, `g`, `b`, `s` | a HELLO, ADJACENCY, DIGEST, BUCKETS or STATES made of the rest arrives there (`made.rs`) |
//! | `l`, `w` | a stock server says something in its group, or it is taken back there in its name |
//! | `r`, `v` | the server of the first node states something, or falls silent and comes back |
//! | `m` | a member of the group goes, or comes |
//! | others | time passes |
//!
//! What nodes say to each other arrives before the next record.

use crate::made::{self, EAST_STOCK, PBX, WEST_STOCK, node};
use crate::script::{self, Record};
use presence::link::{Channel, Filter, Frame, NODES_MAX, PeerConfig, PeerId, Statement};
use presence::{
    Arrival, Change, Config, EIDS_MAX, Eid, Input, Member, Message, Node, Outcome, Output, Pattern,
    ServerConfig, ServerId,
};
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;
use wire::link::{Decoder, encode};

/// A link's ends: a node, and which of its peers is there. The last has nobody at the other end.
const LINKS: [[Option<(usize, PeerId)>; 2]; 3] = [
    [Some((0, PeerId(0))), Some((1, PeerId(0)))],
    [Some((2, PeerId(0))), Some((1, PeerId(1)))],
    [Some((0, PeerId(1))), None],
];
const STRANGER: usize = 2;
/// The nodes of each group, and the stock server there.
const GROUPS: [(&[usize], Eid); 2] = [(&[0, 2], EAST_STOCK), (&[1], WEST_STOCK)];
/// What nodes may have to say to each other at one moment; with so few states that is little.
const WORDS_AT_ONCE_MAX: usize = 20_000;
/// Nodes wake for time that has come, do what is to be done, and sleep: three of them with not more than a few reasons each.
const WAKES_AT_ONCE_MAX: u64 = 64;
const WAKES_A_SECOND_MAX: u64 = 4;
/// So many times nodes are woken when they want to be, and then late, which is safe; so no input takes long.
const WAKES_MAX: u64 = 200;

/// Nothing that arrives makes a node panic, grow beyond what it was told, tell what its filters bar, or stay awake.
///
/// # Panics
/// When that does not hold.
pub fn run(data: &[u8]) {
    let mut scene = Scene::new();
    for record in script::records(data) {
        scene.pass(record.after);
        scene.act(&record);
        scene.talk();
        scene.is_bounded();
    }
    scene.pass(Duration::from_secs(60));
    scene.empty_the_strangers_link();
}

struct Scene {
    now: Duration,
    nodes: Vec<Node>,
    up: [bool; LINKS.len()],
    /// Who is in its group: nodes, then the stock servers.
    present: [bool; 5],
    /// What is said in groups, and by whom.
    said: VecDeque<(usize, Member, Message)>,
    /// How much anybody has said of states.
    statements: usize,
    /// Whoever was named.
    eids: BTreeSet<Eid>,
}

impl Scene {
    fn new() -> Self {
        let mut scene = Self {
            now: Duration::from_secs(60),
            nodes: (0..3).map(new_node).collect(),
            up: [false; LINKS.len()],
            present: [true; 5],
            said: VecDeque::new(),
            statements: 0,
            eids: (0..made::NODES).map(node).chain([EAST_STOCK, WEST_STOCK, PBX]).collect(),
        };
        scene.input(0, Input::Alive(ServerId(0)));
        scene.input(0, Input::Named { server: ServerId(0), eid: PBX });
        (0..3).for_each(|node| scene.join(node));
        scene.talk();
        scene
    }

    fn input(&mut self, node: usize, input: Input) {
        self.nodes[node].handle(self.now, input);
    }

    fn join(&mut self, node: usize) {
        let members = (0..5).filter(|it| group_of(*it) == group_of(node) && self.present[*it]);
        let input = Input::Joined { me: member(node), members: members.map(member).collect() };
        self.input(node, input);
    }

    fn act(&mut self, record: &Record<'_>) {
        let (which, rest) = record.payload.split_first().map_or((0, &[][..]), |(which, rest)| (*which, rest));
        let which = usize::from(which);
        match record.action {
            b'u' => self.link_up(which % LINKS.len()),
            b'd' => self.link_down(which % LINKS.len(), rest.first().copied().unwrap_or_default()),
            b'f' => self.raw(which, rest),
            b'h' => self.arrives(which, Frame::Hello(made::hello(rest))),
            b'a' => self.arrives(which, Frame::Adjacency(made::adjacency(rest))),
            b'g' => self.arrives(which, Frame::Digest(made::standings(rest))),
            b'b' => self.arrives(which, made::buckets(rest)),
            b's' => self.arrives(which, Frame::States(made::statements(rest))),
            b'l' | b'w' => self.stock_says(which % GROUPS.len(), record.action == b'w', rest),
            b'r' => {
                self.statements += 1;
                let change = made::change(rest);
                self.input(0, Input::Report { server: ServerId(0), report: 7, eid: PBX, change });
            }
            b'v' => {
                self.input(0, Input::Silent(ServerId(0)));
                self.input(0, Input::Alive(ServerId(0)));
            }
            b'm' => self.come_or_go(which % self.present.len()),
            _ => {}
        }
    }

    fn link_up(&mut self, link: usize) {
        if !std::mem::replace(&mut self.up[link], true) {
            for (node, peer) in LINKS[link].into_iter().flatten() {
                self.input(node, Input::LinkUp(peer));
            }
        }
    }

    fn link_down(&mut self, link: usize, silent: u8) {
        if std::mem::replace(&mut self.up[link], false) {
            let silent = Duration::from_secs(silent.into());
            for (node, peer) in LINKS[link].into_iter().flatten() {
                self.input(node, Input::LinkDown { peer, silent });
            }
        }
    }

    /// Bytes as they come over the wire.
    fn raw(&mut self, which: usize, bytes: &[u8]) {
        let mut decoder = Decoder::new();
        decoder.push(bytes);
        loop {
            match decoder.next() {
                Ok(Some(wire::link::Frame::Said(frame))) => self.arrives(which, frame),
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(_) => return self.link_down(which / 2 % LINKS.len(), 0),
            }
        }
    }

    /// A frame arrives that nobody of ours has sent.
    fn arrives(&mut self, which: usize, frame: Frame) {
        let link = which / 2 % LINKS.len();
        if let Some((node, peer)) = LINKS[link][which % 2]
            && self.up[link]
        {
            self.count(&frame);
            self.input(node, Input::LinkFrame { peer, frame });
        }
    }

    fn count(&mut self, frame: &Frame) {
        match frame {
            Frame::Hello(hello) => drop(self.eids.insert(hello.node)),
            Frame::Adjacency(adjacency) => {
                self.eids.extend(adjacency.neighbours.iter().chain(&adjacency.servers).copied());
                self.eids.insert(adjacency.node);
            }
            Frame::Digest(standings) => self.eids.extend(standings.iter().map(|it| it.eid)),
            Frame::Buckets { eid, .. } => drop(self.eids.insert(*eid)),
            Frame::States(statements) => {
                self.statements += statements.len();
                self.eids.extend(statements.iter().map(|it| it.eid));
            }
        }
    }

    fn stock_says(&mut self, group: usize, withdrawn: bool, payload: &[u8]) {
        let (_, eid) = GROUPS[group];
        let (from, change) = (3 + group, made::change(payload));
        if self.present[from] {
            self.statements += 1;
            let message = if withdrawn {
                Message::Withdrawal { eid, change, stamp: None }
            } else {
                Message::Change { eid, change, stamp: None }
            };
            self.said.push_back((group, member(from), message));
        }
    }

    /// A node that comes back to the group was only out of it.
    fn come_or_go(&mut self, who: usize) {
        let comes = !self.present[who];
        self.present[who] = comes;
        let (nodes, _) = GROUPS[group_of(who)];
        for &node in nodes {
            let change = if comes {
                Input::Changed { joined: vec![(member(who), Arrival::Process)], left: vec![] }
            } else {
                Input::Changed { joined: vec![], left: vec![member(who)] }
            };
            match (node == who, comes) {
                (true, true) => self.join(node),
                (true, false) => self.input(node, Input::Lost),
                (false, _) if self.present[node] => self.input(node, change),
                (false, _) => {}
            }
        }
    }
}

/// What follows.
impl Scene {
    /// Whatever nodes have to say arrives, until nobody says anything any more.
    fn talk(&mut self) {
        let mut words = 0;
        loop {
            let before = words;
            for node in 0..self.nodes.len() {
                while let Some(output) = self.nodes[node].poll_output(self.now) {
                    self.carry_out(node, output);
                }
            }
            while let Some((group, from, message)) = self.said.pop_front() {
                for &node in GROUPS[group].0.iter().filter(|node| self.present[**node]) {
                    let message = message.clone();
                    self.nodes[node].handle(self.now, Input::Delivered { from, message });
                }
                words += 1;
            }
            for (link, up) in self.up.into_iter().enumerate() {
                let [Some(one), Some(other)] = LINKS[link] else { continue };
                words += usize::from(up && self.pass_frame(one, other));
                words += usize::from(up && self.pass_frame(other, one));
            }
            if words == before {
                return;
            }
            assert!(words < WORDS_AT_ONCE_MAX, "nodes talk and talk at {:?}", self.now);
        }
    }

    /// Over the real codec.
    fn pass_frame(&mut self, from: (usize, PeerId), to: (usize, PeerId)) -> bool {
        let Some(frame) = self.nodes[from.0].poll_frame(from.1) else { return false };
        let mut bytes = Vec::new();
        encode(&wire::link::Frame::Said(frame), &mut bytes);
        let mut decoder = Decoder::new();
        decoder.push(&bytes);
        let Ok(Some(wire::link::Frame::Said(frame))) = decoder.next() else {
            panic!("a node sends what is no frame")
        };
        self.input(to.0, Input::LinkFrame { peer: to.1, frame });
        true
    }

    fn carry_out(&mut self, node: usize, output: Output) {
        match output {
            Output::Multicast(message) => {
                if group_of(node) == 0 {
                    may_be_told(&message);
                }
                self.said.push_back((group_of(node), member(node), message));
            }
            Output::Publish { server, eid, change } => {
                assert_ne!(eid, PBX, "a server is told its own word");
                assert!(passes(eid, &change), "a server is told what was barred: {eid:?} {change:?}");
                self.input(node, Input::Settled { server, outcome: Outcome::Accepted });
            }
            Output::RequestRefresh { server } => {
                self.input(node, Input::Settled { server, outcome: Outcome::Accepted });
            }
            Output::Touch | Output::Answer { .. } | Output::Note(_) => {}
        }
    }

    /// Time passes, and nodes wake when they want to.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        let (since, mut wakes) = (self.now, 0);
        while let Some((due, node)) = self.next_wake().filter(|(due, _)| *due <= until) {
            wakes += 1;
            let why = self.nodes[node].poll_timeout();
            let most = WAKES_AT_ONCE_MAX + WAKES_A_SECOND_MAX * (self.now - since).as_secs();
            assert!(wakes < most, "woken again and again: {why:?}");
            self.now = if wakes < WAKES_MAX { self.now.max(due) } else { until };
            self.nodes[node].handle_timeout(self.now);
            self.talk();
        }
        self.now = until;
    }

    fn next_wake(&self) -> Option<(Duration, usize)> {
        let wakes = self.nodes.iter().enumerate();
        wakes.filter_map(|(number, node)| Some((node.poll_timeout()?.0, number))).min()
    }

    /// A node knows no more than it was told.
    fn is_bounded(&self) {
        for node in &self.nodes {
            let table = node.states();
            let states: usize = table.eids().filter_map(|eid| table.of(eid)).map(|it| it.len()).sum();
            assert!(states <= self.statements, "{states} states of {} words", self.statements);
            assert!(table.eids().count() <= EIDS_MAX.min(self.eids.len()));
            assert!(node.roster().count() <= (NODES_MAX + 1).min(self.eids.len()));
            let waiting = (0..2).map(|peer| node.link_queue(PeerId(peer % 2))).max();
            assert!(waiting <= Some(2 * self.statements), "more waits than there is");
        }
    }

    /// What waits for somebody who only speaks is no more than there is to say of those who were named.
    fn empty_the_strangers_link(&mut self) {
        let [Some((node, peer)), _] = LINKS[STRANGER] else { return };
        let frames = std::iter::from_fn(|| self.nodes[node].poll_frame(peer)).count();
        let most = 8 + 3 * self.eids.len() + 2 * self.statements;
        assert!(frames <= most, "{frames} frames wait, {most} at most");
    }
}

fn new_node(number: usize) -> Node {
    let group = group_of(number);
    let mut config = Config::new(node(number), "192.0.2.1", Duration::from_micros(made::CLOCK));
    config.site = ["east", "west"][group].into();
    let take = if group == 0 { filter() } else { Filter::default() };
    config.peers = vec![PeerConfig { tell: Filter::default(), take }; 2];
    if number == 0 {
        config.servers = vec![ServerConfig { eid: Some(PBX), ..ServerConfig::default() }];
    }
    Node::new(config)
}

/// What the nodes of the first site take.
fn filter() -> Filter {
    let patterns = |text| vec![Pattern::new(text).expect("a pattern")];
    let channel = Channel { devices: patterns("Custom:*"), mailboxes: patterns("1*") };
    Filter { eids: Some([WEST_STOCK, made::ALLOWED].into()), channels: Some(vec![channel]) }
}

/// Whether something may show in the first site: it comes from there, or its filter lets it in.
fn passes(eid: Eid, change: &Change) -> bool {
    [EAST_STOCK, PBX, node(0), node(2)].contains(&eid) || filter().admit(eid, change).is_ok()
}

fn may_be_told(message: &Message) {
    let told = |statement: &Statement| passes(statement.eid, &statement.change);
    let fine = match message {
        Message::Change { eid, change, .. } | Message::Withdrawal { eid, change, .. } => passes(*eid, change),
        Message::States { eid, states, .. } => states.iter().all(|(change, _)| passes(*eid, change)),
        Message::Told(statement) => told(statement),
        Message::Link { frame, .. } => match &**frame {
            Frame::States(statements) => statements.iter().all(told),
            Frame::Hello(_) | Frame::Adjacency(_) | Frame::Digest(_) | Frame::Buckets { .. } => true,
        },
        Message::Aggregate { .. }
        | Message::Ping { .. }
        | Message::Discovery { .. }
        | Message::Digest { .. }
        | Message::Request { .. } => true,
    };
    assert!(fine, "a group is told what was barred: {message:?}");
}

/// Nodes, then the stock server of each group.
fn member(who: usize) -> Member {
    Member { nodeid: u32::try_from(who).expect("a number") + 1, pid: 1 }
}

fn group_of(who: usize) -> usize {
    usize::from(who == 1 || who == 4)
}

//! A site: one node between stock servers, in a group that delivers at once.

use super::Size;
use crate::names::{node_eid, server_eid};
use presence::link::PeerConfig;
use presence::{Change, Config, Device, DeviceState, Drop, Input, Member, Message, Node, Note, Output};
use std::time::Duration;

/// 2026 or so: clocks count from 1970.
const CLOCK: Duration = Duration::from_secs(1_780_000_000);
const ME: Member = Member { nodeid: 1, pid: 1 };

pub(super) struct Site {
    number: usize,
    pub(super) node: Node,
    /// The lines of the node, and which end it has.
    pub(super) ends: Vec<(usize, usize)>,
    servers: usize,
    wake_planned: Option<Duration>,
    dropped: Option<Drop>,
}

impl Site {
    /// The node is in the group, and all servers have introduced themselves.
    pub(super) fn new(number: usize, size: &Size, ends: Vec<(usize, usize)>) -> Self {
        let mut config = Config::new(node_eid(number), "192.0.2.200", CLOCK);
        config.site = format!("site{number}").into();
        config.peers = vec![PeerConfig::default(); ends.len()];
        let node = Node::new(config);
        let mut site = Self { number, node, ends, servers: size.servers, wake_planned: None, dropped: None };
        let members = std::iter::once(ME).chain((0..size.servers).map(member)).collect();
        site.handle(Duration::ZERO, Input::Joined { me: ME, members });
        for server in 0..size.servers {
            let nodeid = member(server).nodeid;
            let (eid, address) = (server_eid(site.global(server)), "192.0.2.1".into());
            let message = Message::Discovery { eid, nodeid, address, node: None };
            site.handle(Duration::ZERO, Input::Delivered { from: member(server), message });
        }
        site
    }

    /// A server says all that it has. Returns that.
    pub(super) fn say_all(&mut self, server: usize, devices: usize) -> Vec<DeviceState> {
        let server = self.global(server);
        let states = (0..devices).map(|device| match device % 10 {
            0 => DeviceState::InUse,
            1 => DeviceState::Unavailable,
            _ => DeviceState::NotInUse,
        });
        let states: Vec<_> = states.collect();
        for (device, state) in states.iter().enumerate() {
            self.hear_server(Duration::ZERO, server, change(server, device, *state));
        }
        states
    }

    /// A server, counted among all of the world, says something.
    pub(super) fn hear_server(&mut self, now: Duration, server: usize, change: Change) {
        let message = Message::Change { eid: server_eid(server), change, stamp: None };
        let from = member(server - self.number * self.servers);
        self.handle(now, Input::Delivered { from, message });
    }

    fn global(&self, server: usize) -> usize {
        self.number * self.servers + server
    }

    pub(super) fn handle(&mut self, now: Duration, input: Input) {
        self.node.handle(now, input);
        self.carry_out(now);
    }

    pub(super) fn wake(&mut self, now: Duration) {
        if self.wake_planned.is_some_and(|at| at <= now) {
            self.wake_planned = None;
            self.node.handle_timeout(now);
            self.carry_out(now);
        }
    }

    /// When to wake the node, if that is earlier than what is planned.
    pub(super) fn plan_wake(&mut self) -> Option<Duration> {
        let (at, _) = self.node.poll_timeout()?;
        let earlier = self.wake_planned.is_none_or(|planned| at < planned);
        earlier.then(|| *self.wake_planned.insert(at))
    }

    fn carry_out(&mut self, now: Duration) {
        while let Some(output) = self.node.poll_output(now) {
            match output {
                Output::Multicast(message) => {
                    self.node.handle(now, Input::Delivered { from: ME, message });
                }
                Output::Note(Note::Dropped(reason)) => {
                    self.dropped.get_or_insert(reason);
                }
                _ => {}
            }
        }
    }

    /// The first that the node knows wrongly, or what it dropped.
    pub(super) fn disagreement(&self, truth: &[Vec<DeviceState>]) -> Option<String> {
        let site = self.number;
        if let Some(reason) = self.dropped {
            return Some(format!("site {site} dropped something: {reason}"));
        }
        let states = self.node.states();
        if states.eids().count() != truth.len() {
            return Some(format!("site {site} knows {} servers of {}", states.eids().count(), truth.len()));
        }
        truth
            .iter()
            .enumerate()
            .find_map(|(server, truth)| {
                let known = states.of(server_eid(server));
                let knows = |device: usize| known.and_then(|known| known.state_of(&name(server, device)));
                let wrong = (0..truth.len()).find(|device| knows(*device) != Some(truth[*device]));
                let more = known.is_some_and(|known| known.len() != truth.len());
                let text = |device| format!("{:?} of {}", knows(device), name(server, device));
                wrong.map(text).or(more.then(|| format!("too much of server {server}")))
            })
            .map(|text| format!("site {site} knows {text}"))
    }
}

fn member(server: usize) -> Member {
    Member { nodeid: u32::try_from(server).unwrap_or(u32::MAX).saturating_add(2), pid: 1 }
}

/// What a server says of one of its devices.
pub(super) fn change(server: usize, device: usize, state: DeviceState) -> Change {
    Change::DeviceState { device: name(server, device), state, cachable: true }
}

fn name(server: usize, device: usize) -> Device {
    Device::new(&format!("PJSIP/{server:04}{device:04}")).expect("a name")
}

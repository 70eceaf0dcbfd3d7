//! Two agents, each the other's server, on a network that loses, repeats, delays and reorders by a seed.

use asterisk::{Agent, AgentConfig, Credentials, Event, ServerConfig, ServerId, Verdict};
use presence::{Change, Device, DeviceState, Eid, Mailbox, MessageCounts};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

pub(crate) const PEER: ServerId = ServerId(0);
pub(crate) const EID: Eid = Eid([2, 0, 0, 0, 1, 1]);
pub(crate) const MS: Duration = Duration::from_millis(1);

/// What the network does to datagrams.
#[derive(Clone, Copy, Default)]
pub(crate) struct Weather {
    pub(crate) lost_percent: u64,
    pub(crate) twice_percent: u64,
    pub(crate) delay_ms_max: u64,
    /// Nothing passes.
    pub(crate) cut: bool,
}

pub(crate) struct Pair {
    pub(crate) now: Duration,
    pub(crate) agents: [Agent; 2],
    /// What each side was told, with the time.
    pub(crate) events: [Vec<(Duration, Event)>; 2],
    pub(crate) weather: Weather,
    pub(crate) verdict: Verdict,
    passwords: [Option<&'static str>; 2],
    random: u64,
    flying: BTreeMap<(Duration, u64), (usize, Vec<u8>)>,
}

pub(crate) fn address(side: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, if side == 0 { 1 } else { 2 }], 5060))
}

pub(crate) fn agent(side: usize, seed: u64, password: Option<&str>, now: Duration) -> Agent {
    let credentials =
        password.map(|password| Credentials { user: "presence".into(), password: password.into() });
    let server = ServerConfig { name: "peer".into(), address: address(1 - side), credentials };
    Agent::new(AgentConfig { local: address(side), eid: EID, servers: vec![server], seed }, now)
}

pub(crate) fn lamp(name: &str, state: DeviceState) -> Change {
    Change::DeviceState { device: Device::new(name).expect("a device name"), state, cachable: true }
}

pub(crate) fn counts(new: u32) -> Change {
    Change::Mwi {
        mailbox: Mailbox::new("100@default").expect("a mailbox"),
        counts: MessageCounts { new, old: 0 },
    }
}

impl Pair {
    pub(crate) fn new(seed: u64, weather: Weather, passwords: [Option<&'static str>; 2]) -> Self {
        let agents = [0, 1].map(|side| agent(side, 2 * seed + side as u64, passwords[side], Duration::ZERO));
        Self {
            now: Duration::ZERO,
            agents,
            events: [Vec::new(), Vec::new()],
            weather,
            verdict: Verdict::Accept,
            passwords,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            flying: BTreeMap::new(),
        }
    }

    pub(crate) fn calm() -> Self {
        Self::new(1, Weather { delay_ms_max: 2, ..Weather::default() }, [None, None])
    }

    /// Replaces an agent by a new one that knows nothing.
    pub(crate) fn restart(&mut self, side: usize) {
        let seed = self.draw();
        self.agents[side] = agent(side, seed, self.passwords[side], self.now);
    }

    pub(crate) fn publish(&mut self, side: usize, change: &Change) {
        self.agents[side].publish(self.now, PEER, EID, change);
    }

    /// Runs until then.
    pub(crate) fn run(&mut self, until: Duration) {
        self.run_while(until, |_| true);
    }

    /// Runs while the condition holds, at most until then; true when it holds no more.
    pub(crate) fn run_while(&mut self, until: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        self.settle();
        while condition(self) {
            let flying = self.flying.keys().next().map(|(at, _)| *at);
            let due = self.agents.iter().filter_map(Agent::poll_timeout).min();
            let next = flying.into_iter().chain(due).min().unwrap_or(until).max(self.now);
            if next >= until {
                self.now = until;
                return false;
            }
            self.now = next;
            self.deliver();
            for agent in &mut self.agents {
                agent.handle_timeout(next);
            }
            self.settle();
        }
        true
    }

    /// The events of one side, without their times.
    pub(crate) fn told(&self, side: usize) -> Vec<&Event> {
        self.events[side].iter().map(|(_, event)| event).collect()
    }

    fn deliver(&mut self) {
        while let Some(first) = self.flying.first_entry().filter(|first| first.key().0 <= self.now) {
            let (side, payload) = first.remove();
            self.agents[side].handle_datagram(self.now, address(1 - side), &payload);
            self.settle();
        }
    }

    fn settle(&mut self) {
        for side in 0..2 {
            while let Some(event) = self.agents[side].poll_event() {
                if let Event::Report { report, .. } = &event {
                    self.agents[side].answer(self.now, *report, self.verdict);
                }
                self.events[side].push((self.now, event));
            }
            while let Some(transmit) = self.agents[side].poll_transmit() {
                assert_eq!(transmit.to, address(1 - side));
                self.fly(1 - side, transmit.payload);
            }
        }
    }

    fn fly(&mut self, to: usize, payload: Vec<u8>) {
        let Weather { lost_percent, twice_percent, delay_ms_max, cut } = self.weather;
        let copies = 1 + usize::from(self.draw() % 100 < twice_percent);
        for _ in 0..copies {
            if !cut && self.draw() % 100 >= lost_percent {
                let at = self.now + Duration::from_millis(1 + self.draw() % delay_ms_max.max(1));
                let serial = self.draw();
                self.flying.insert((at, serial), (to, payload.clone()));
            }
        }
    }

    /// xorshift64
    fn draw(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

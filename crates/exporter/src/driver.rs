//! The loop: what collectors report goes into the watch, what it decides goes to collectors and into metrics, and HTTP
//! is answered. Nothing else holds state.

use crate::clock::Clock;
use crate::clocks::{Clocks, Owner};
use crate::collect::asterisk::{Asterisk, Set};
use crate::collect::lamps::Lamps;
use crate::collect::nodes::{Ask, Node, Status};
use crate::collect::{self, Input, Inputs};
use crate::config::Config;
use crate::hop::Hop;
use crate::http::Query;
use crate::metrics::{self, CorosyncFigures, Metrics, Names};
use crate::place::{NodeId, ServerId};
use crate::samples::{Samples, Way};
use crate::sources::{Answer, Collector, Sources};
use crate::view;
use crate::watch::{Dropped, Effect, ServerConfig, Watch};
use presence::DeviceState;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use tokio::sync::mpsc;
use tokio::time::sleep_until;

/// Reports that wait; a collector with more waits itself.
const INPUTS_MAX: usize = 4_096;
/// Reports that are taken before anything else has its turn.
const BUDGET: usize = 256;
/// Commands that wait for a collector.
const COMMANDS_MAX: usize = 64;
/// How long the last canaries may take when the exporter ends.
const FAREWELL: Duration = Duration::from_millis(300);

/// After so long without one more the next one is worth a line in the log again.
const QUIET: Duration = Duration::from_secs(60);

/// How often something went wrong, and when last.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) last_at: Duration,
}

impl Tally {
    /// True when the log should say so.
    fn add(&mut self, count: u64, now: Duration) -> bool {
        let is_news = self.count == 0 || now.saturating_sub(self.last_at) > QUIET;
        (self.count, self.last_at) = (self.count + count, now);
        is_news
    }
}

/// The exporter at work.
pub(crate) struct Driver {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) watch: Watch,
    pub(crate) metrics: Metrics,
    pub(crate) samples: Samples,
    /// Canaries that were lost, by origin, target and hop.
    pub(crate) losses: BTreeMap<(ServerId, ServerId, Hop), Tally>,
    /// What could not be used, by server and reason.
    pub(crate) drops: BTreeMap<(ServerId, Dropped), Tally>,
    pub(crate) sources: Sources,
    pub(crate) nodes: Vec<Option<Status>>,
    pub(crate) clocks: Clocks,
    pub(crate) corosync: Option<CorosyncFigures>,
    corosync_heard_at: Duration,
    /// What the canaries were told last, to leave them dark.
    canaries: Vec<Option<Set>>,
    sets: Vec<mpsc::Sender<Set>>,
    asks: Vec<mpsc::Sender<Ask>>,
    inputs: mpsc::Receiver<Input>,
    /// Answers for questions that cannot be asked.
    own: Inputs,
}

impl Driver {
    /// Starts every collector.
    pub(crate) fn start(config: Config) -> std::io::Result<Self> {
        let clock = Clock::start();
        let (own, inputs) = mpsc::channel(INPUTS_MAX);
        let servers: Vec<_> = config
            .servers
            .iter()
            .map(|server| ServerConfig {
                name: &server.name,
                site: &server.site,
                node: server.node.map(NodeId),
            })
            .collect();
        let node_sites: Vec<&str> = config.nodes.iter().map(|node| node.site.as_str()).collect();
        let metrics = Metrics::new(names(&config));
        let watch = Watch::new(&servers, &node_sites, config.canary, clock.now());
        let mut driver = Self {
            clock,
            watch,
            metrics,
            samples: Samples::default(),
            losses: BTreeMap::new(),
            drops: BTreeMap::new(),
            sources: Sources::default(),
            nodes: vec![None; config.nodes.len()],
            clocks: Clocks::default(),
            corosync: None,
            corosync_heard_at: Duration::ZERO,
            canaries: config.servers.iter().map(|_| None).collect(),
            sets: Vec::new(),
            asks: Vec::new(),
            inputs,
            own,
            config,
        };
        driver.spawn()?;
        Ok(driver)
    }

    fn spawn(&mut self) -> std::io::Result<()> {
        let (clock, inputs) = (self.clock, &self.own);
        for (index, server) in self.config.servers.iter().enumerate() {
            let (sender, sets) = mpsc::channel(COMMANDS_MAX);
            let id = ServerId(index);
            self.sets.push(sender);
            self.sources.add(Collector::Asterisk, &server.name);
            tokio::spawn(Asterisk::new(id, server, clock, inputs.clone(), sets).run());
            if let Some(lamps) = &server.lamps {
                self.sources.add(Collector::Lamps, &server.name);
                tokio::spawn(Lamps::new(id, &server.name, lamps, clock, inputs.clone()).run());
            }
        }
        for (index, config) in self.config.nodes.iter().cloned().enumerate() {
            let (sender, asks) = mpsc::channel(COMMANDS_MAX);
            self.asks.push(sender);
            self.sources.add(Collector::Node, &config.name);
            tokio::spawn(Node { node: NodeId(index), config, clock, inputs: inputs.clone(), asks }.run());
        }
        if self.config.corosync {
            self.sources.add(Collector::Corosync, collect::corosync::TARGET);
            collect::corosync::spawn(inputs.clone())?;
        }
        Ok(())
    }

    /// Works until `end`, then leaves the canaries dark.
    pub(crate) async fn run(mut self, mut queries: mpsc::Receiver<Query>, end: impl Future<Output = ()>) {
        tokio::pin!(end);
        loop {
            let idle = self.clock.now() + Duration::from_secs(1);
            let due = self.watch.poll_timeout().map_or(idle, |due| due.min(idle));
            tokio::select! {
                Some(input) = self.inputs.recv() => {
                    self.handle(input);
                    for _ in 0..BUDGET {
                        let Ok(input) = self.inputs.try_recv() else { break };
                        self.handle(input);
                    }
                }
                Some(query) = queries.recv() => self.answer(query),
                () = sleep_until(self.clock.at(due)) => self.samples.trim(self.clock.now()),
                () = &mut end => break,
            }
            self.settle();
        }
        self.leave().await;
    }

    fn handle(&mut self, input: Input) {
        let now = self.clock.now();
        let watch = &mut self.watch;
        match input {
            Input::ListBegan { server } => watch.list_began(server),
            Input::DeviceState { server, device, state, listed, at } => {
                watch.device_state(server, &device, state, listed, at);
            }
            Input::Hint { server, exten, devices, status, listed, at } => {
                watch.hint(server, &exten, &devices, status, listed, at);
            }
            Input::ListEnded { server } => watch.list_ended(server, now),
            Input::ServerGone { server } => watch.server_gone(server, now),
            Input::Lamp { server, exten, state, first, at } => watch.lamp(server, &exten, state, first, at),
            Input::LampGone { server, exten } => watch.lamp_gone(server, &exten, now),
            Input::Node { node, status } => self.nodes[node.0] = status,
            Input::NodeClock { node, unix, at } => self.clock_showed(Owner::Node(node), unix, at),
            Input::Stamps { node, server, stamps } => watch.stamps(node, server, stamps.as_deref()),
            Input::Corosync { figures } => {
                self.corosync = figures;
                self.corosync_heard_at = now;
            }
            Input::Source { collector, target, answer } => self.source(collector, &target, answer, now),
            Input::Dropped { server, reason, count } => self.dropped(server, reason, count),
        }
    }

    /// A clock that was set is counted and said in the log.
    fn clock_showed(&mut self, owner: Owner, unix: Duration, at: Duration) {
        if let Some(by_s) = self.clocks.saw(owner, unix, at) {
            let clock = self.owner_name(owner);
            self.metrics.clock_jumped(clock);
            tracing::warn!(clock, "the wall clock was set by {by_s:+.1} s");
        }
    }

    /// The label of whose clock it is.
    pub(crate) fn owner_name(&self, owner: Owner) -> &str {
        match owner {
            Owner::Own => metrics::OWN_CLOCK,
            Owner::Node(node) => &self.config.nodes[node.0].name,
        }
    }

    /// Says in the log what changed for better or worse.
    fn source(&mut self, collector: Collector, target: &str, answer: Answer, now: Duration) {
        let why = match &answer {
            Answer::Well(_) => None,
            Answer::Badly(why) => Some(why.clone()),
        };
        if self.sources.answered(collector, target, answer, now) {
            let collector = collector.as_str();
            match why {
                None => tracing::info!(collector, target, "answers"),
                Some(why) => tracing::warn!(collector, target, "does not answer: {why}"),
            }
        }
    }

    /// Does what the watch decides.
    fn settle(&mut self) {
        let now = self.clock.now();
        self.clock_showed(Owner::Own, self.clock.unix(), now);
        self.watch.handle_timeout(now);
        while let Some(effect) = self.watch.poll_effect() {
            self.execute(effect, now);
        }
        if self.config.corosync && now.saturating_sub(self.corosync_heard_at) > collect::corosync::SILENCE {
            self.corosync = None;
            let why = format!("no answer for more than {} s", collect::corosync::SILENCE.as_secs());
            self.source(Collector::Corosync, collect::corosync::TARGET, Answer::Badly(why), now);
        }
    }

    fn execute(&mut self, effect: Effect, now: Duration) {
        let watch = &self.watch;
        let path = |origin, target| view::path(watch, origin, target);
        self.metrics.count(&effect, path, SystemTime::now());
        match effect {
            Effect::Set { server, device, state } => {
                let set = |state| Set { device: device.to_string(), state };
                self.canaries[server.0] = (state == DeviceState::InUse).then(|| set(DeviceState::NotInUse));
                if self.sets[server.0].try_send(set(state)).is_err() {
                    self.dropped(server, Dropped::CanaryRefused, 1);
                }
            }
            Effect::Ask { node, server, device } => {
                let ask = Ask { server, device: device.to_string() };
                if self.asks[node.0].try_send(ask).is_err() {
                    self.watch.stamps(node, server, None);
                }
            }
            Effect::Seen { change, place, latency } => {
                let canary = change.kind.canary().is_some();
                let way = Way { origin: change.origin, target: place.server, at: place.at, canary };
                self.samples.push(way, now, latency);
            }
            Effect::CanaryLost { origin, target, hop } => {
                if self.losses.entry((origin, target, hop)).or_default().add(1, now) {
                    let name = |server: ServerId| &self.config.servers[server.0].name;
                    let (origin, target, hop) = (name(origin), name(target), hop.as_str());
                    tracing::info!(origin, target, hop, "canaries are lost");
                }
            }
            Effect::Dropped { server, reason, count } => {
                let drops = self.drops.entry((server, reason)).or_default();
                if drops.add(count, now) {
                    let (server, reason) = (&self.config.servers[server.0].name, reason.as_str());
                    tracing::info!(server, reason, "what a server tells is dropped");
                }
            }
            Effect::Missed { .. } => {}
        }
    }

    fn dropped(&mut self, server: ServerId, reason: Dropped, count: u64) {
        self.execute(Effect::Dropped { server, reason, count }, self.clock.now());
    }

    /// Answers HTTP; nobody may be waiting any more.
    fn answer(&mut self, query: Query) {
        let _ = match query {
            Query::Ready(reply) => reply.send(view::readiness(self)).is_ok(),
            Query::Metrics(reply) => {
                self.snapshot();
                reply.send(self.metrics.encode()).is_ok()
            }
            Query::Disagreements(reply) => reply.send(view::disagreements(self)).is_ok(),
            Query::Propagation(reply) => reply.send(view::propagation(self)).is_ok(),
            Query::Sources(reply) => reply.send(view::sources(self)).is_ok(),
        };
    }

    /// Takes over into metrics what can be read at this moment.
    fn snapshot(&self) {
        let now = self.clock.now();
        let disagreements = self.watch.disagreements();
        self.metrics.disagreements(disagreements.count(now), disagreements.oldest(now));
        for server in (0..self.config.servers.len()).map(ServerId) {
            let devices = self.watch.views().devices_of(server);
            self.metrics.server(server, self.watch.is_synced(server), devices, self.watch.lamps_of(server));
        }
        for (config, status) in self.config.nodes.iter().zip(&self.nodes) {
            self.metrics.node(&config.name, status.as_ref().is_some_and(|status| status.ready));
        }
        for (node, config) in self.config.nodes.iter().enumerate() {
            if let Some(ahead_s) = self.clocks.ahead_s(Owner::Node(NodeId(node))) {
                self.metrics.node_clock(&config.name, ahead_s);
            }
        }
        self.metrics.corosync(self.corosync.as_ref());
        for (collector, target, ok, took) in self.sources.each() {
            self.metrics.source(collector.as_str(), target, ok, took);
        }
    }

    /// Leaves no canary in use.
    async fn leave(mut self) {
        let lit =
            self.canaries.iter_mut().zip(&self.sets).filter_map(|(set, sets)| Some((set.take()?, sets)));
        let mut any = false;
        for (set, sets) in lit {
            any |= sets.try_send(set).is_ok();
        }
        if any {
            tokio::time::sleep(FAREWELL).await;
        }
    }
}

fn names(config: &Config) -> Names {
    Names {
        site: config.site.clone(),
        servers: config.servers.iter().map(|server| server.name.clone()).collect(),
        nodes: config.nodes.iter().map(|node| node.name.clone()).collect(),
    }
}

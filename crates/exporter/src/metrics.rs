//! What the exporter measures, as OpenMetrics. METRICS.md describes every metric; a test keeps both the same.

mod corosync;
mod labels;
#[cfg(test)]
mod tests;

pub(crate) use corosync::{CorosyncFigures, LinkFigures};
pub(crate) use labels::Names;

use crate::hop::Hop;
use crate::place::{At, Place, ServerId};
use crate::propagation::{Change, Fate, Kind};
use crate::watch::{Dropped, Effect};
use daemon::metrics::add;
use labels::{
    ClockLabels, FateLabels, HopLabels, NodeLabels, OriginLabels, PairLabels, ReasonLabels, ServerLabels,
    SourceLabels,
};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

/// A hundred microseconds to the deadline of propagation.
const BUCKETS_S: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// OpenMetrics allows 128 characters for all of an exemplar; a canary's number needs the rest.
const EXEMPLAR_DEVICE_CHARS_MAX: usize = 90;

/// The label of this machine's clock.
pub(crate) const OWN_CLOCK: &str = "exporter";

/// The device and, for a canary, its number.
type Exemplar = Vec<(&'static str, String)>;
type Latency = HistogramWithExemplars<Exemplar>;
type Seconds = Gauge<f64, AtomicU64>;

/// All metrics of one exporter.
pub(crate) struct Metrics {
    registry: Registry,
    names: Names,
    propagation: Family<PairLabels, Latency, fn() -> Latency>,
    missed: Family<FateLabels, Counter>,
    canary_sent: Family<OriginLabels, Counter>,
    canary_lost: Family<HopLabels, Counter>,
    disagreements: Gauge,
    disagreement_oldest: Seconds,
    server_up: Family<ServerLabels, Gauge>,
    server_devices: Family<ServerLabels, Gauge>,
    lamps_subscribed: Family<ServerLabels, Gauge>,
    node_ready: Family<NodeLabels, Gauge>,
    node_clock: Family<NodeLabels, Seconds>,
    clock_jumps: Family<ClockLabels, Counter>,
    corosync: corosync::CorosyncMetrics,
    scrape_success: Family<SourceLabels, Gauge>,
    scrape_duration: Family<SourceLabels, Seconds>,
    dropped: Family<ReasonLabels, Counter>,
}

impl Metrics {
    /// All metrics at zero, with a series for each reason that is known beforehand: what is zero should be seen to be zero.
    /// That takes one series for each loss that there could be, so that the first one is seen as an increase.
    pub(crate) fn new(names: Names) -> Self {
        let mut registry = daemon::metrics::registry();
        let r = registry.sub_registry_with_prefix("asterism");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        r.register("build", "The version of this exporter", version);
        let metrics = Self {
            propagation: propagation(r),
            missed: add(
                r,
                "propagation_missed",
                "Changes that a target did not show: superseded first, or lost",
            ),
            canary_sent: add(r, "canary_sent", "Canaries that were sent, by server"),
            canary_lost: add(
                r,
                "canary_lost",
                "Canaries that were not seen where they should have been, and where they stopped",
            ),
            disagreements: add(
                r,
                "disagreements",
                "Devices that show different states at different places for longer than propagation takes",
            ),
            disagreement_oldest: add(
                r,
                "disagreement_oldest_seconds",
                "How long the oldest disagreement has lasted; 0 when there is none",
            ),
            server_up: add(
                r,
                "server_up",
                "Whether a server's AMI answers and has told all its states (1) or not (0)",
            ),
            server_devices: add(r, "server_devices", "Devices that a server has a state of"),
            lamps_subscribed: add(r, "lamps_subscribed", "Lamps of a server that are watched and told"),
            node_ready: add(r, "node_ready", "Whether a node says that it is ready (1) or not (0)"),
            node_clock: add(
                r,
                "node_clock_ahead_seconds",
                "How far the wall clock of a node's machine is ahead of the exporter's",
            ),
            clock_jumps: add(
                r,
                "exporter_clock_jumps",
                "Times a wall clock was set, the exporter's own or a node's, as far as was noticed",
            ),
            corosync: corosync::CorosyncMetrics::new(r),
            scrape_success: add(
                r,
                "exporter_scrape_success",
                "Whether a source answered when it was last asked (1) or not (0)",
            ),
            scrape_duration: add(
                r,
                "exporter_scrape_duration_seconds",
                "How long a source took to answer when it last did",
            ),
            dropped: add(
                r,
                "exporter_events_dropped",
                "Events and canaries that the exporter could not use, by server and reason",
            ),
            names,
            registry,
        };
        metrics.begin();
        metrics
    }

    fn begin(&self) {
        for server in &self.names.servers {
            for reason in Dropped::ALL {
                let labels = ReasonLabels { server: server.clone(), reason: reason.as_str() };
                drop(self.dropped.get_or_create(&labels));
            }
        }
        for clock in self.names.nodes.iter().map(String::as_str).chain([OWN_CLOCK]) {
            drop(self.clock_jumps.get_or_create(&ClockLabels { clock: clock.to_owned() }));
        }
        for origin in &self.names.servers {
            drop(self.canary_sent.get_or_create(&OriginLabels { origin: origin.clone() }));
            for (target, hop) in
                self.names.servers.iter().flat_map(|target| Hop::ALL.map(|hop| (target, hop)))
            {
                let (origin, target) = (origin.clone(), target.clone());
                drop(self.canary_lost.get_or_create(&HopLabels { origin, target, hop: hop.as_str() }));
            }
        }
    }

    /// Counts what was decided. `path` is how the states of the origin come to the target.
    pub(crate) fn count(
        &self,
        effect: &Effect,
        path: impl Fn(ServerId, ServerId) -> &'static str,
        now: SystemTime,
    ) {
        match effect {
            Effect::Set { server, .. } => {
                let origin = self.names.server(*server);
                self.canary_sent.get_or_create(&OriginLabels { origin }).inc();
            }
            Effect::Ask { .. } => {}
            Effect::Seen { change, place, latency } => {
                let labels = self.pair(change, *place, path(change.origin, place.server));
                let observed = self.propagation.get_or_create(&labels);
                observed.observe(latency.as_secs_f64(), Some(exemplar(change)), Some(now));
            }
            Effect::Missed { change, place, fate } => {
                let pair = self.pair(change, *place, path(change.origin, place.server));
                let fate = match fate {
                    Fate::Coalesced => "coalesced",
                    Fate::Lost => "lost",
                };
                self.missed.get_or_create(&FateLabels { pair, fate }).inc();
            }
            Effect::CanaryLost { origin, target, hop } => {
                let (origin, target) = (self.names.server(*origin), self.names.server(*target));
                self.canary_lost.get_or_create(&HopLabels { origin, target, hop: hop.as_str() }).inc();
            }
            Effect::Dropped { server, reason, count } => {
                let labels = ReasonLabels { server: self.names.server(*server), reason: reason.as_str() };
                self.dropped.get_or_create(&labels).inc_by(*count);
            }
        }
    }

    /// Canaries that a server was sent.
    pub(crate) fn sent(&self, origin: ServerId) -> u64 {
        self.canary_sent.get_or_create(&OriginLabels { origin: self.names.server(origin) }).get()
    }

    /// How many differ, and how long the oldest has done so.
    pub(crate) fn disagreements(&self, count: usize, oldest: Option<Duration>) {
        self.disagreements.set(count as i64);
        self.disagreement_oldest.set(oldest.unwrap_or_default().as_secs_f64());
    }

    /// What is known of a server now.
    pub(crate) fn server(&self, server: ServerId, up: bool, devices: usize, lamps: usize) {
        let labels = ServerLabels { server: self.names.server(server) };
        self.server_up.get_or_create(&labels).set(up.into());
        self.server_devices.get_or_create(&labels).set(devices as i64);
        self.lamps_subscribed.get_or_create(&labels).set(lamps as i64);
    }

    pub(crate) fn node(&self, name: &str, ready: bool) {
        self.node_ready.get_or_create(&NodeLabels { node: name.to_owned() }).set(ready.into());
    }

    /// How far a node's clock is ahead.
    pub(crate) fn node_clock(&self, name: &str, ahead_s: f64) {
        self.node_clock.get_or_create(&NodeLabels { node: name.to_owned() }).set(ahead_s);
    }

    /// The wall clock of a node, or our own, was set.
    pub(crate) fn clock_jumped(&self, clock: &str) {
        self.clock_jumps.get_or_create(&ClockLabels { clock: clock.to_owned() }).inc();
    }

    /// What corosync says; nothing where it says nothing.
    pub(crate) fn corosync(&self, figures: Option<&CorosyncFigures>) {
        self.corosync.set(figures);
    }

    /// How a source answered last.
    pub(crate) fn source(&self, collector: &'static str, target: &str, ok: bool, took: Option<Duration>) {
        let labels = SourceLabels { collector, target: target.to_owned() };
        self.scrape_success.get_or_create(&labels).set(ok.into());
        if let Some(took) = took {
            self.scrape_duration.get_or_create(&labels).set(took.as_secs_f64());
        }
    }

    /// All metrics as OpenMetrics text.
    pub(crate) fn encode(&self) -> String {
        daemon::metrics::encode(&self.registry)
    }

    fn pair(&self, change: &Change, place: Place, path: &'static str) -> PairLabels {
        PairLabels {
            site: self.names.site.clone(),
            origin: self.names.server(change.origin),
            target: self.names.server(place.server),
            at: at(place.at),
            kind: kind(change.kind),
            path,
        }
    }
}

/// The label of a place; hints are not exported.
pub(crate) fn at(at: At) -> &'static str {
    match at {
        At::Ami => "ami",
        At::Hint => "hint",
        At::Lamp => "lamp",
    }
}

/// The label of a kind of change.
pub(crate) fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Canary(_) | Kind::Followed(_) => "canary",
        Kind::Passive => "passive",
    }
}

fn exemplar(change: &Change) -> Exemplar {
    let device = change.device.chars().take(EXEMPLAR_DEVICE_CHARS_MAX).collect();
    let number = change.kind.canary().map(|number| ("canary", number.to_string()));
    std::iter::once(("device", device)).chain(number).collect()
}

fn propagation(registry: &mut Registry) -> Family<PairLabels, Latency, fn() -> Latency> {
    let latency: fn() -> Latency = || Latency::new(BUCKETS_S.into_iter());
    let propagation = Family::new_with_constructor(latency);
    let help = "Time from the origin of a change until it was seen at the target, in its AMI or at a lamp";
    registry.register("propagation_seconds", help, propagation.clone());
    propagation
}

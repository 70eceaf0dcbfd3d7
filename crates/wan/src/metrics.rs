//! What passed, what did not and why, and how late what passed was.

use crate::pipe;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::time::Duration;

/// All metrics.
pub(crate) struct Metrics {
    registry: Registry,
    packets: Family<Labels, Counter>,
    bytes: Family<Labels, Counter>,
    drops: Family<DropLabels, Counter>,
    late: Family<Labels, Histogram, fn() -> Histogram>,
    open: Family<RelayLabels, Gauge>,
}

/// The metrics of one direction of a relay.
#[derive(Clone)]
pub(crate) struct Meter {
    labels: Labels,
    packets: Counter,
    bytes: Counter,
    drops: Family<DropLabels, Counter>,
    late: Histogram,
}

/// A direction of a relay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    /// From who dials to the target.
    Out,
    /// From the target.
    Back,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Labels {
    relay: String,
    direction: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct DropLabels {
    relay: String,
    direction: &'static str,
    reason: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RelayLabels {
    relay: String,
}

/// Why something did not pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    Pipe(pipe::Drop),
    /// More who dial than there is room for.
    Crowd,
    /// The target's name is not known, or nobody answers there.
    Target,
    /// The kernel did not take it.
    Socket,
}

impl Reason {
    const ALL: [Self; 7] = [
        Self::Pipe(pipe::Drop::Loss),
        Self::Pipe(pipe::Drop::Cut),
        Self::Pipe(pipe::Drop::Bandwidth),
        Self::Pipe(pipe::Drop::Full),
        Self::Crowd,
        Self::Target,
        Self::Socket,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Pipe(pipe::Drop::Loss) => "loss",
            Self::Pipe(pipe::Drop::Cut) => "cut",
            Self::Pipe(pipe::Drop::Bandwidth) => "bandwidth",
            Self::Pipe(pipe::Drop::Full) => "full",
            Self::Crowd => "crowd",
            Self::Target => "target",
            Self::Socket => "socket",
        }
    }
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("asterism_wan");
        let (packets, bytes) = (Family::default(), Family::default());
        let (drops, open) = (Family::default(), Family::default());
        let buckets: fn() -> Histogram = || Histogram::new(exponential_buckets(10e-6, 2.0, 14));
        let late = Family::new_with_constructor(buckets);
        registry.register("packets", "Datagrams, and pieces of streams, that passed", packets.clone());
        registry.register("bytes", "Bytes that passed", bytes.clone());
        registry.register("drops", "Datagrams and connections that did not pass, by reason", drops.clone());
        let help = "How much later than planned something came out: the relay's own error";
        registry.register_with_unit("late", help, Unit::Seconds, late.clone());
        registry.register(
            "open",
            "Clients of UDP that have a socket of their own, connections of TCP",
            open.clone(),
        );
        Self { registry, packets, bytes, drops, late, open }
    }

    pub(crate) fn meter(&self, relay: &str, direction: Direction) -> Meter {
        let direction = match direction {
            Direction::Out => "out",
            Direction::Back => "back",
        };
        let labels = Labels { relay: relay.to_owned(), direction };
        let meter = Meter {
            packets: self.packets.get_or_create_owned(&labels),
            bytes: self.bytes.get_or_create_owned(&labels),
            late: self.late.get_or_create_owned(&labels),
            drops: self.drops.clone(),
            labels,
        };
        Reason::ALL.iter().for_each(|reason| meter.dropped(*reason, 0));
        meter
    }

    /// How many a relay has open.
    pub(crate) fn open(&self, relay: &str) -> Gauge {
        self.open.get_or_create_owned(&RelayLabels { relay: relay.to_owned() })
    }

    /// The page for Prometheus.
    pub(crate) fn page(&self) -> Result<String, fmt::Error> {
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &self.registry)?;
        Ok(page)
    }
}

impl Meter {
    pub(crate) fn passed(&self, bytes: usize, late: Duration) {
        self.packets.inc();
        self.bytes.inc_by(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.late.observe(late.as_secs_f64());
    }

    pub(crate) fn dropped(&self, reason: Reason, count: usize) {
        let Labels { relay, direction } = self.labels.clone();
        let labels = DropLabels { relay, direction, reason: reason.as_str() };
        self.drops.get_or_create(&labels).inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }
}

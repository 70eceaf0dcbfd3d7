//! What is measured and counted of links to other sites.

use super::{ReasonLabels, add};
use crate::links::trusted;
use link::LinkStatus;
use presence::Node;
use presence::link::{Barred, PeerId};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct LinkLabels {
    link: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RuleLabels {
    link: String,
    direction: &'static str,
    rule: &'static str,
}

/// What the links count and measure themselves.
pub(crate) struct LinkTotals {
    /// How many were not let in, by reason.
    pub(crate) refused: Vec<(&'static str, u64)>,
    /// Each link's name, states that wait for it, and how it is.
    pub(crate) links: Vec<(String, usize, LinkStatus)>,
}

type FloatGauge = Gauge<f64, AtomicU64>;

pub(super) struct LinkMetrics {
    up: Family<LinkLabels, Gauge>,
    rtt: Family<LinkLabels, FloatGauge>,
    clock_offset: Family<LinkLabels, FloatGauge>,
    lag_trusted: Family<LinkLabels, Gauge>,
    lag: Family<LinkLabels, Histogram, fn() -> Histogram>,
    queue: Family<LinkLabels, Gauge>,
    sent_bytes: Family<LinkLabels, Counter>,
    received_bytes: Family<LinkLabels, Counter>,
    sent_frames: Family<LinkLabels, Counter>,
    received_frames: Family<LinkLabels, Counter>,
    connects: Family<LinkLabels, Counter>,
    lost_packets: Family<LinkLabels, Counter>,
    barred: Family<RuleLabels, Counter>,
    refused: Family<ReasonLabels, Counter>,
}

impl LinkMetrics {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            up: add(r, "link_up", "Whether a link to another site is up (1) or not (0)"),
            rtt: seconds(r, "link_rtt", "The way to a peer and back, smoothed"),
            clock_offset: seconds(r, "link_clock_offset", "How far a peer's clock is ahead of ours"),
            lag_trusted: add(
                r,
                "link_lag_trusted",
                "Whether the clocks of both ends are near enough for a lag between them (1) or not (0)",
            ),
            lag: lag(r),
            queue: add(r, "link_queue_depth", "States that wait to be told on a link"),
            sent_bytes: add(r, "link_sent_bytes", "Bytes of frames that went out on a link"),
            received_bytes: add(r, "link_received_bytes", "Bytes of frames that came in on a link"),
            sent_frames: add(r, "link_sent_frames", "Frames that went out on a link"),
            received_frames: add(r, "link_received_frames", "Frames that came in on a link"),
            connects: add(r, "link_connects", "Times that a link came up"),
            lost_packets: add(r, "link_lost_packets", "QUIC packets of a link that were lost on the way"),
            barred: add(
                r,
                "link_barred",
                "States that a link's filter did not let pass, by direction (sent or taken) and rule",
            ),
            refused: add(r, "link_refused", "Connections that were not let in at the links' door, by reason"),
        }
    }

    pub(super) fn lag(&self, link: &str, late: Duration) {
        self.lag.get_or_create(&LinkLabels { link: link.to_owned() }).observe(late.as_secs_f64());
    }

    pub(super) fn take_over(&self, totals: &LinkTotals) {
        for (reason, count) in &totals.refused {
            store(&self.refused.get_or_create(&ReasonLabels { reason }), *count);
        }
        for (name, waiting, status) in &totals.links {
            self.of(&LinkLabels { link: name.clone() }, *waiting, status);
        }
    }

    fn of(&self, labels: &LinkLabels, waiting: usize, status: &LinkStatus) {
        self.up.get_or_create(labels).set(status.up.into());
        self.queue.get_or_create(labels).set(waiting as i64);
        self.lag_trusted.get_or_create(labels).set(trusted(status.clock_offset_us).into());
        // What is not known has no figure.
        match (status.rtt, status.clock_offset_us) {
            (Some(rtt), Some(offset)) => {
                self.rtt.get_or_create(labels).set(rtt.as_secs_f64());
                self.clock_offset.get_or_create(labels).set(offset as f64 / 1e6);
            }
            (None, _) | (_, None) => {
                self.rtt.remove(labels);
                self.clock_offset.remove(labels);
            }
        }
        for (counter, count) in [
            (&self.sent_bytes, status.sent_bytes),
            (&self.received_bytes, status.received_bytes),
            (&self.sent_frames, status.sent_frames),
            (&self.received_frames, status.received_frames),
            (&self.connects, status.connects_total),
            (&self.lost_packets, status.lost_packets),
        ] {
            store(&counter.get_or_create(labels), count);
        }
    }

    pub(super) fn barred<'a>(&self, node: &Node, links: impl Iterator<Item = (PeerId, &'a str)>) {
        for (peer, link) in links {
            for rule in Barred::ALL {
                let (sent, taken) = node.barred(peer, rule);
                for (direction, count) in [("sent", sent), ("taken", taken)] {
                    let labels = RuleLabels { link: link.to_owned(), direction, rule: rule.as_str() };
                    store(&self.barred.get_or_create(&labels), count);
                }
            }
        }
    }
}

fn store(counter: &Counter, count: u64) {
    counter.inner().store(count, Ordering::Relaxed);
}

fn seconds(registry: &mut Registry, name: &str, help: &str) -> Family<LinkLabels, FloatGauge> {
    let family = Family::default();
    registry.register_with_unit(name, help, Unit::Seconds, Family::clone(&family));
    family
}

/// From a millisecond to half a minute.
fn lag(registry: &mut Registry) -> Family<LinkLabels, Histogram, fn() -> Histogram> {
    let buckets: fn() -> Histogram = || Histogram::new(exponential_buckets(1e-3, 2.0, 15));
    let lag = Family::new_with_constructor(buckets);
    let help = "From a node of the origin's site to here, of states that are told while the link is up and come over it first";
    registry.register_with_unit("link_lag", help, Unit::Seconds, Family::clone(&lag));
    lag
}

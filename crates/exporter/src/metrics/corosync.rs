//! What corosync says of itself.

use super::labels::{LinkLabels, LinkStatLabels, NoLabels};
use super::{Seconds, add};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use serde::Serialize;

/// One reading of corosync's quorum and maps.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct CorosyncFigures {
    pub(crate) quorate: bool,
    /// The nodes that are in the ring, by their nodeid.
    pub(crate) members: Vec<u32>,
    /// Mean time for the token to come round; on an idle ring, how long it is held.
    pub(crate) mtt_rx_token_s: Option<f64>,
    /// Links to other nodes.
    pub(crate) links: Vec<LinkFigures>,
}

/// A knet link to another node.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub(crate) struct LinkFigures {
    pub(crate) nodeid: u32,
    pub(crate) link: u32,
    pub(crate) connected: bool,
    /// Nothing while there was no ping.
    pub(crate) latency_average_s: Option<f64>,
    pub(crate) latency_max_s: Option<f64>,
}

/// Each has a series only while corosync answers: what is not known is not told.
pub(super) struct CorosyncMetrics {
    quorate: Family<NoLabels, Gauge>,
    members: Family<NoLabels, Gauge>,
    mtt_rx_token: Family<NoLabels, Seconds>,
    link_connected: Family<LinkLabels, Gauge>,
    link_latency: Family<LinkStatLabels, Seconds>,
}

impl CorosyncMetrics {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            quorate: add(
                r,
                "corosync_quorate",
                "Whether this partition of corosync has the quorum (1) or not (0)",
            ),
            members: add(r, "corosync_members", "Nodes that are in corosync's ring"),
            mtt_rx_token: add(
                r,
                "corosync_mtt_rx_token_seconds",
                "Mean time between two receptions of the ring's token; while the ring is idle, how long it is held",
            ),
            link_connected: add(
                r,
                "corosync_link_connected",
                "Whether a knet link to another node is up (1) or not (0)",
            ),
            link_latency: add(
                r,
                "corosync_link_latency_seconds",
                "Moving average of a knet link's ping time, and the highest that this average has been",
            ),
        }
    }

    pub(super) fn set(&self, figures: Option<&CorosyncFigures>) {
        self.quorate.clear();
        self.members.clear();
        self.mtt_rx_token.clear();
        self.link_connected.clear();
        self.link_latency.clear();
        let Some(figures) = figures else { return };
        self.quorate.get_or_create(&NoLabels).set(figures.quorate.into());
        self.members.get_or_create(&NoLabels).set(figures.members.len() as i64);
        if let Some(mtt_rx_token_s) = figures.mtt_rx_token_s {
            self.mtt_rx_token.get_or_create(&NoLabels).set(mtt_rx_token_s);
        }
        for LinkFigures { nodeid, link, connected, latency_average_s, latency_max_s } in
            figures.links.iter().cloned()
        {
            self.link_connected.get_or_create(&LinkLabels { nodeid, link }).set(connected.into());
            for (stat, seconds) in [("average", latency_average_s), ("max", latency_max_s)] {
                if let Some(seconds) = seconds {
                    self.link_latency.get_or_create(&LinkStatLabels { nodeid, link, stat }).set(seconds);
                }
            }
        }
    }
}

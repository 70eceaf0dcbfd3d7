//! What the node counts, as OpenMetrics. METRICS.md describes every metric; a test keeps both the same.

mod links;
mod sip;

pub(crate) use links::LinkTotals;

use crate::notes::Names;
use daemon::metrics::add;
use presence::{Kind, Node, Note, Wakeup};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A message could not be queued for the group; the core sends it again.
pub(crate) const GROUP_QUEUE_FULL: &str = "group_queue_full";

/// The way an event came or went.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "the derive takes label values from the variants' names")]
pub(crate) enum Path {
    /// The corosync group.
    group,
    /// SIP PUBLISH.
    publish,
}

/// One hop of an event through this node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, EncodeLabelValue)]
#[allow(non_camel_case_types, reason = "the derive takes label values from the variants' names")]
pub(crate) enum Hop {
    /// From a server's datagram to the table.
    table,
    /// From the core's decision to say it to the hand-over to corosync.
    sent,
    /// From the hand-over to corosync until the group delivered it to ourselves.
    group,
    /// From a PUBLISH until its server accepted it.
    publish,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct HopLabels {
    hop: Hop,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct EventLabels {
    path: Path,
    kind: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ServerLabels {
    server: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct QueueLabels {
    queue: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct StateLabels {
    eid: String,
    kind: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RepairLabels {
    kind: &'static str,
}

/// The kinds of repairs.
const REPAIRS: [&str; 7] =
    ["dumped", "requested", "taken_back", "swept", "stale_withdrawal", "touch", "out_of_reach"];

/// All metrics of one node.
pub(crate) struct Metrics {
    registry: Registry,
    received: Family<EventLabels, Counter>,
    sent: Family<EventLabels, Counter>,
    dropped: Family<ReasonLabels, Counter>,
    hops: Family<HopLabels, Histogram, fn() -> Histogram>,
    wakeups: Family<ReasonLabels, Counter>,
    repeated: Counter,
    group_throttled: Counter,
    group_lost: Counter,
    group_absences: Counter,
    equal_eids: Counter,
    unanswered: Family<ServerLabels, Counter>,
    rejected: Family<ServerLabels, Counter>,
    resyncs: Family<ServerLabels, Counter>,
    repairs: Family<RepairLabels, Counter>,
    server_up: Family<ServerLabels, Gauge>,
    malformed: Family<ReasonLabels, Counter>,
    sip: sip::SipMetrics,
    links: links::LinkMetrics,
    states: Family<StateLabels, Gauge>,
    queue_depth: Family<QueueLabels, Gauge>,
    group_members: Gauge,
    in_group: Gauge,
    synced: Gauge,
}

impl Metrics {
    /// All metrics at zero, with a series for each reason that is known beforehand: what is zero should be seen to be zero.
    pub(crate) fn new(names: &Names) -> Self {
        let mut registry = daemon::metrics::registry();
        let r = registry.sub_registry_with_prefix("asterism_node");
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        r.register("build", "The version of this node", version);
        let metrics = Self {
            received: add(r, "events_received", "Events that came in, by path and kind"),
            sent: add(r, "events_sent", "Events that went out, by path and kind"),
            dropped: add(r, "events_dropped", "Events that were dropped, by reason; state is untouched"),
            hops: hops(r),
            wakeups: add(r, "wakeups", "Deadlines of the core that passed, by reason"),
            repeated: add(
                r,
                "group_repeats",
                "Messages to the group that were sent again because they did not come back",
            ),
            group_throttled: add(
                r,
                "group_throttled",
                "Times corosync was too busy to take a message (CS_ERR_TRY_AGAIN)",
            ),
            group_lost: add(r, "group_swallowed", "Messages that corosync took and did not deliver"),
            group_absences: add(r, "group_absences", "Times the node lost the group"),
            equal_eids: add(
                r,
                "equal_eids",
                "Times two servers were found with one EID; the second is refused",
            ),
            unanswered: add(
                r,
                "publish_unanswered",
                "PUBLISHes to a server that it did not answer, or not now; each is sent again",
            ),
            rejected: add(r, "publish_rejected", "PUBLISHes that a server refused for good"),
            resyncs: add(r, "resyncs", "Times a server was told everything"),
            repairs: add(
                r,
                "repairs",
                "What the node did to make all know the same again, by kind: states, servers asked for, or plain joins",
            ),
            malformed: add(
                r,
                "events_malformed",
                "Messages of the group that were dropped because of their bytes, by what is wrong with them",
            ),
            sip: sip::SipMetrics::new(r),
            links: links::LinkMetrics::new(r),
            server_up: add(r, "server_up", "Whether a server of this node answers (1) or not (0)"),
            states: add(r, "states", "States that are known, by the EID of their server and by kind"),
            queue_depth: add(r, "queue_depth", "Events that wait to go out or to be confirmed, by queue"),
            group_members: add(
                r,
                "group_members",
                "Members of the group, this node among them; 0 while it is out",
            ),
            in_group: add(r, "in_group", "Whether the node is in the group (1) or not (0)"),
            synced: add(r, "synced", "Whether the node and the group know all of each other (1) or not (0)"),
            registry,
        };
        metrics.show_zeros(names);
        metrics
    }

    /// What is zero should be seen to be zero.
    fn show_zeros(&self, names: &Names) {
        for kind in REPAIRS {
            self.repaired(kind, 0);
        }
        let reasons = presence::Drop::ALL.map(presence::Drop::as_str).into_iter().chain([GROUP_QUEUE_FULL]);
        reasons.for_each(|reason| drop(self.dropped.get_or_create(&ReasonLabels { reason })));
        for malformed in wire::event::Malformed::ALL {
            drop(self.malformed.get_or_create(&ReasonLabels { reason: malformed.as_str() }));
        }
        for (_, server) in names.all() {
            let labels = ServerLabels { server: server.to_owned() };
            drop(self.unanswered.get_or_create(&labels));
            drop(self.rejected.get_or_create(&labels));
            drop(self.resyncs.get_or_create(&labels));
        }
    }

    pub(crate) fn received(&self, path: Path, kind: Kind) {
        self.received.get_or_create(&EventLabels { path, kind: kind.as_str() }).inc();
    }

    pub(crate) fn sent(&self, path: Path, kind: Kind) {
        self.sent.get_or_create(&EventLabels { path, kind: kind.as_str() }).inc();
    }

    pub(crate) fn dropped(&self, reason: &'static str) {
        self.dropped.get_or_create(&ReasonLabels { reason }).inc();
    }

    pub(crate) fn hop(&self, hop: Hop, took: Duration) {
        self.hops.get_or_create(&HopLabels { hop }).observe(took.as_secs_f64());
    }

    pub(crate) fn malformed(&self, reason: &'static str) {
        self.malformed.get_or_create(&ReasonLabels { reason }).inc();
    }

    fn repaired(&self, kind: &'static str, much: usize) {
        self.repairs.get_or_create(&RepairLabels { kind }).inc_by(much as u64);
    }

    pub(crate) fn wakeup(&self, why: Wakeup) {
        let reason = match why {
            Wakeup::Repeat => "repeat",
            Wakeup::Sync => "sync",
            Wakeup::Absence => "absence",
            Wakeup::Introduction => "introduction",
            Wakeup::Withdrawal => "withdrawal",
            Wakeup::Touch => "touch",
            Wakeup::Retry(_) => "retry",
            Wakeup::Sweep(_) => "sweep",
            Wakeup::Ask(_) => "ask",
            Wakeup::Links => "links",
        };
        self.wakeups.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// Counts what the core tells the operator.
    pub(crate) fn note(&self, note: &Note, names: &Names) {
        let server = |server| ServerLabels { server: names.of(server).to_owned() };
        match note {
            Note::Dropped(reason) => self.dropped(reason.as_str()),
            Note::Repeated(words) => drop(self.repeated.inc_by(*words as u64)),
            Note::Unanswered(id) => drop(self.unanswered.get_or_create(&server(*id)).inc()),
            Note::Rejected { server: id, .. } => drop(self.rejected.get_or_create(&server(*id)).inc()),
            Note::Resync { server: id, .. } => drop(self.resyncs.get_or_create(&server(*id)).inc()),
            Note::EqualEid { .. } => drop(self.equal_eids.inc()),
            Note::GroupLost => drop(self.group_absences.inc()),
            Note::TakenBack { states } => self.repaired("taken_back", *states),
            Note::Swept { states, .. } => self.repaired("swept", *states),
            Note::Dumped { states } => self.repaired("dumped", *states),
            Note::Requested { eids, .. } => self.repaired("requested", eids.len()),
            Note::StaleWithdrawal { .. } => self.repaired("stale_withdrawal", 1),
            Note::Touched => self.repaired("touch", 1),
            Note::OutOfReach { eids } => self.repaired("out_of_reach", eids.len()),
            Note::Joined { .. }
            | Note::Synced { .. }
            | Note::GroupWithdrawn { .. }
            | Note::WrongEid { .. }
            | Note::MemberJoined(_)
            | Note::Barred { .. }
            | Note::MemberLeft { .. }
            | Note::SpeakerLearned { .. }
            | Note::PingHeard { .. }
            | Note::ServerLearned { .. }
            | Note::ServerAlive(_)
            | Note::ServerSilent(_)
            | Note::ServerRestarted(_)
            | Note::Ignored(_) => {}
        }
    }

    /// Takes over totals that the group's session counts.
    pub(crate) fn group_totals(&self, aggregates: u64, throttled: u64, lost: u64) {
        let labels = EventLabels { path: Path::group, kind: Kind::Aggregate.as_str() };
        self.received.get_or_create(&labels).inner().store(aggregates, Ordering::Relaxed);
        self.group_throttled.inner().store(throttled, Ordering::Relaxed);
        self.group_lost.inner().store(lost, Ordering::Relaxed);
    }

    /// Takes over totals that the SIP agent counts.
    pub(crate) fn sip_totals(&self, counters: &asterisk::Counters) {
        self.sip.take_over(counters);
    }

    /// Takes over what the links count.
    pub(crate) fn link_totals(&self, totals: &LinkTotals) {
        self.links.take_over(totals);
    }

    /// A state came over a link, so late.
    pub(crate) fn link_lag(&self, link: &str, late: Duration) {
        self.links.lag(link, late);
    }

    /// Takes over what can be read from the core at this moment.
    pub(crate) fn snapshot(&self, node: &Node, names: &Names) {
        self.group_members.set(node.membership().members().count() as i64);
        self.in_group.set(node.membership().me().is_some().into());
        self.synced.set(node.synced().into());
        self.states.clear();
        for eid in node.states().eids() {
            let (devices, mailboxes) = node
                .states()
                .of(eid)
                .map_or((0, 0), |server| (server.device_count(), server.mailbox_count()));
            self.states_of(&eid.to_string(), devices, mailboxes);
        }
        let servers = names.all().map(|(id, name)| (name, node.server_queue(id), node.server_status(id).1));
        self.depths(node.group_queue(), servers);
        self.links.barred(node, names.links());
    }

    fn states_of(&self, eid: &str, devices: usize, mailboxes: usize) {
        for (kind, count) in [("device", devices), ("mailbox", mailboxes)] {
            self.states.get_or_create(&StateLabels { eid: eid.to_owned(), kind }).set(count as i64);
        }
    }

    fn depths<'a>(&self, group: usize, servers: impl IntoIterator<Item = (&'a str, usize, bool)>) {
        let depth = |queue: &str, depth: usize| {
            self.queue_depth.get_or_create(&QueueLabels { queue: queue.to_owned() }).set(depth as i64);
        };
        depth("group", group);
        for (name, queue, up) in servers {
            depth(name, queue);
            self.server_up.get_or_create(&ServerLabels { server: name.to_owned() }).set(up.into());
        }
    }

    /// All metrics as OpenMetrics text.
    pub(crate) fn encode(&self) -> String {
        daemon::metrics::encode(&self.registry)
    }
}

/// From 20 microseconds (a hop inside this process) to 10 seconds (a group that re-forms).
fn hops(registry: &mut Registry) -> Family<HopLabels, Histogram, fn() -> Histogram> {
    let buckets: fn() -> Histogram = || Histogram::new(exponential_buckets(20e-6, 2.0, 20));
    let hops = Family::new_with_constructor(buckets);
    let help = "Time that events take for a hop through this node";
    registry.register_with_unit("hop", help, Unit::Seconds, hops.clone());
    hops
}

#[cfg(test)]
mod tests {
    use super::*;
    use daemon::metrics::proof;

    #[test]
    fn metrics_md_says_what_the_code_says() {
        proof::assert_documented(&scraped().encode(), include_str!("../METRICS.md"));
    }

    #[test]
    fn a_scrape_is_as_it_was() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        proof::assert_golden(&scraped().encode(), &folder);
    }

    /// Metrics of a node with one server after a little of everything.
    fn scraped() -> Metrics {
        let metrics = Metrics::new(&Names::new(["pbx".to_owned()], ["west".to_owned()]));
        metrics.received(Path::group, Kind::Ping);
        metrics.sent(Path::group, Kind::Ping);
        metrics.wakeup(Wakeup::Repeat);
        metrics.hop(Hop::group, Duration::ZERO);
        metrics.depths(0, [("pbx", 0, true)]);
        metrics.states_of("02:00:00:00:00:01", 0, 0);
        let mut counters = asterisk::Counters::default();
        counters.drops.insert(asterisk::DropKind::Body, 1);
        counters.publishes_failed.insert(asterisk::Failure::Timeout, 1);
        metrics.sip_totals(&counters);
        let status = link::LinkStatus {
            up: false,
            transport: link::Transport::Udp,
            remote: None,
            rtt: Some(Duration::ZERO),
            clock_offset_us: Some(0),
            sent_bytes: 0,
            received_bytes: 0,
            sent_frames: 0,
            received_frames: 0,
            skipped_frames: 0,
            queued_frames: 0,
            connects_total: 0,
            lost_packets: 0,
        };
        metrics.link_totals(&LinkTotals {
            refused: vec![("unknown_key", 0)],
            links: vec![("west".to_owned(), 0, status)],
        });
        metrics.link_lag("west", Duration::ZERO);
        let peers = vec![presence::link::PeerConfig::default()];
        let config = presence::Config::new(presence::Eid([2, 0, 0, 0, 0, 1]), "192.0.2.1", Duration::ZERO);
        let node = Node::new(presence::Config { peers, ..config });
        metrics.links.barred(&node, [(presence::link::PeerId(0), "west")].into_iter());
        metrics
    }
}

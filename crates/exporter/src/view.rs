//! What the exporter knows, as the JSON that the page, operators and tests read. Field names are stable.

use crate::clocks::{self, Owner, Wall};
use crate::collect::nodes;
use crate::driver::{Driver, Tally};
use crate::metrics::{self, CorosyncFigures};
use crate::place::{At, ServerId};
use crate::samples::{Summary, WINDOW};
use crate::sources::{Collector, SourceView};
use crate::watch::{Dropped, Watch};
use serde::Serialize;
use serde_json::Value;

/// Disagreements that are listed.
const LISTED_MAX: usize = 100;
/// How the states of one server come to another.
const PATHS: [&str; 5] = ["local", "stock", "node", "node_node", "link"];

/// The label `path`: which nodes a state passes on its way.
pub(crate) fn path(watch: &Watch, origin: ServerId, target: ServerId) -> &'static str {
    let [local, within @ .., link] = &PATHS;
    match watch.nodes_between(origin, target) {
        _ if origin == target => local,
        Some(nodes) => within[nodes],
        None => link,
    }
}

/// An answer that is JSON already.
pub(crate) type Json = Value;

/// `GET /readyz`.
pub(crate) struct Readiness {
    /// Every source was asked at least once.
    pub(crate) ready: bool,
    pub(crate) body: Json,
}

#[derive(Serialize)]
struct ReadinessView<'a> {
    ready: bool,
    sources: Vec<SourceView<'a>>,
    dropped: Vec<DropsView<'a>>,
    clocks: Vec<ClockView<'a>>,
}

/// What of a server could not be used since the exporter's start.
#[derive(Serialize)]
struct DropsView<'a> {
    server: &'a str,
    reason: &'static str,
    count: u64,
    /// How long ago the last one was.
    last_s: f64,
}

/// The wall clock of the exporter or of a node.
#[derive(Serialize)]
struct ClockView<'a> {
    clock: &'a str,
    /// How far it is ahead of the exporter's.
    ahead_s: f64,
    /// How often it was set.
    jumps: u64,
    /// By how much it was set last, and how long ago; `null` if it was not.
    last_by_s: Option<f64>,
    last_s: Option<f64>,
}

pub(crate) fn readiness(driver: &Driver) -> Readiness {
    let ready = driver.sources.all_asked();
    let sources = driver.sources.views(driver.clock.now());
    let (dropped, clocks) = (drops_views(driver), clock_views(driver));
    Readiness { ready, body: json(&ReadinessView { ready, sources, dropped, clocks }) }
}

fn drops_views(driver: &Driver) -> Vec<DropsView<'_>> {
    let now = driver.clock.now();
    let view = |((server, reason), drops): (&(ServerId, Dropped), &Tally)| DropsView {
        server: name(driver, *server),
        reason: reason.as_str(),
        count: drops.count,
        last_s: now.saturating_sub(drops.last_at).as_secs_f64(),
    };
    driver.drops.iter().map(view).collect()
}

fn clock_views(driver: &Driver) -> Vec<ClockView<'_>> {
    let now = driver.clock.now();
    let view = |(owner, wall): (Owner, &Wall)| ClockView {
        clock: driver.owner_name(owner),
        ahead_s: driver.clocks.ahead_s(owner).unwrap_or_default(),
        jumps: wall.jumps,
        last_by_s: wall.last.map(|(_, by_s)| by_s),
        last_s: wall.last.map(|(at, _)| now.saturating_sub(at).as_secs_f64()),
    };
    driver.clocks.all().map(view).collect()
}

/// `GET /v1/disagreements`.
#[derive(Serialize)]
struct Disagreements<'a> {
    count: usize,
    oldest_s: f64,
    grace_s: f64,
    /// The oldest first, at most 100.
    devices: Vec<Disagreement<'a>>,
}

#[derive(Serialize)]
struct Disagreement<'a> {
    device: &'a str,
    /// How long it has lasted.
    for_s: f64,
    /// What each server's AMI, hint and lamp show; a server that shows nothing is missing.
    shown: Vec<Shown<'a>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    server: &'a str,
    at: &'static str,
    state: &'static str,
}

pub(crate) fn disagreements(driver: &Driver) -> Json {
    let now = driver.clock.now();
    let core = driver.watch.disagreements();
    let devices = core.list(now, LISTED_MAX).into_iter().map(|(device, since)| {
        let row = driver.watch.views().row(device).filter(|(place, _)| core.counts(place.server));
        let shown = row.map(|(place, look)| Shown {
            server: name(driver, place.server),
            at: metrics::at(place.at),
            state: look.as_str(),
        });
        Disagreement { device, for_s: now.saturating_sub(since).as_secs_f64(), shown: shown.collect() }
    });
    json(&Disagreements {
        count: core.count(now),
        oldest_s: core.oldest(now).unwrap_or_default().as_secs_f64(),
        grace_s: crate::disagreement::GRACE.as_secs_f64(),
        devices: devices.collect(),
    })
}

/// `GET /v1/propagation`: of the last minutes.
#[derive(Serialize)]
struct Propagation<'a> {
    site: &'a str,
    window_s: u64,
    paths: Vec<PathView>,
    pairs: Vec<PairView<'a>>,
    canaries: Vec<CanaryView<'a>>,
    losses: Vec<LossView<'a>>,
}

#[derive(Serialize)]
struct PathView {
    path: &'static str,
    at: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    summary: Summary,
}

#[derive(Serialize)]
struct PairView<'a> {
    origin: &'a str,
    target: &'a str,
    path: &'static str,
    at: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    summary: Summary,
}

/// Since the exporter's start.
#[derive(Serialize)]
struct CanaryView<'a> {
    origin: &'a str,
    sent: u64,
}

/// Since the exporter's start.
#[derive(Serialize)]
struct LossView<'a> {
    origin: &'a str,
    target: &'a str,
    hop: &'static str,
    count: u64,
}

pub(crate) fn propagation(driver: &Driver) -> Json {
    let (samples, watch) = (&driver.samples, &driver.watch);
    let kind = |canary| if canary { "canary" } else { "passive" };
    let mut paths = Vec::new();
    for wanted in PATHS {
        for (at, canary) in [(At::Ami, true), (At::Lamp, true), (At::Ami, false), (At::Lamp, false)] {
            let summary = samples.summary(|way| {
                way.at == at && way.canary == canary && path(watch, way.origin, way.target) == wanted
            });
            paths.extend(summary.map(|summary| PathView {
                path: wanted,
                at: metrics::at(at),
                kind: kind(canary),
                summary,
            }));
        }
    }
    let pairs = samples.ways().filter_map(|way| {
        Some(PairView {
            origin: name(driver, way.origin),
            target: name(driver, way.target),
            path: path(watch, way.origin, way.target),
            at: metrics::at(way.at),
            kind: kind(way.canary),
            summary: samples.summary(|other| other == way)?,
        })
    });
    let servers = || (0..driver.config.servers.len()).map(ServerId);
    let canaries = servers()
        .map(|origin| CanaryView { origin: name(driver, origin), sent: driver.metrics.sent(origin) });
    let losses = driver.losses.iter().map(|((origin, target, hop), losses)| LossView {
        origin: name(driver, *origin),
        target: name(driver, *target),
        hop: hop.as_str(),
        count: losses.count,
    });
    json(&Propagation {
        site: &driver.config.site,
        window_s: WINDOW.as_secs(),
        paths,
        pairs: pairs.collect(),
        canaries: canaries.collect(),
        losses: losses.collect(),
    })
}

/// `GET /v1/sources`: who is watched, and how that goes.
#[derive(Serialize)]
struct SourcesView<'a> {
    sources: Vec<SourceView<'a>>,
    servers: Vec<ServerView<'a>>,
    nodes: Vec<NodeView<'a>>,
    /// `null` when it is not asked or does not answer.
    corosync: Option<&'a CorosyncFigures>,
    dropped: Vec<DropsView<'a>>,
    clocks: Vec<ClockView<'a>>,
    /// A clock that is so many seconds ahead or behind is wrong.
    apart_s: f64,
}

#[derive(Serialize)]
struct ServerView<'a> {
    name: &'a str,
    up: bool,
    node: Option<&'a str>,
    devices: usize,
    lamps: usize,
    /// As the configuration has them.
    lamps_wanted: usize,
}

#[derive(Serialize)]
struct NodeView<'a> {
    name: &'a str,
    answers: bool,
    #[serde(flatten)]
    status: Option<&'a nodes::Status>,
}

pub(crate) fn sources(driver: &Driver) -> Json {
    let servers = driver.config.servers.iter().enumerate().map(|(index, server)| {
        let id = ServerId(index);
        ServerView {
            name: &server.name,
            up: driver.watch.is_synced(id),
            node: server.node.map(|node| driver.config.nodes[node].name.as_str()),
            devices: driver.watch.views().devices_of(id),
            lamps: driver.watch.lamps_of(id),
            lamps_wanted: server.lamps.as_ref().map_or(0, |lamps| lamps.extensions.len()),
        }
    });
    let nodes = driver.config.nodes.iter().zip(&driver.nodes).map(|(node, status)| NodeView {
        name: &node.name,
        answers: driver.sources.is_ok(Collector::Node, &node.name),
        status: status.as_ref(),
    });
    json(&SourcesView {
        sources: driver.sources.views(driver.clock.now()),
        servers: servers.collect(),
        nodes: nodes.collect(),
        corosync: driver.corosync.as_ref(),
        dropped: drops_views(driver),
        clocks: clock_views(driver),
        apart_s: clocks::APART_S,
    })
}

fn name(driver: &Driver, server: ServerId) -> &str {
    &driver.config.servers[server.0].name
}

fn json(view: &impl Serialize) -> Json {
    serde_json::to_value(view).expect("these structures have text keys only")
}

//! `asterism-lab bench lamp`: how long a lamp takes by each way through the lab, all in one run. It measures and judges nothing.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::{Lab, NODES, Pbx, SERVERS};
use serde::Serialize;

use super::Stopped;
use super::burst::{self, Burst};
use super::idle::{self, Idle};
use super::latency::{self, Latency, Path};
use crate::output::{Screen, header, number, text};

/// What to measure, and how much of it.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Changes of a lamp on each path.
    #[arg(long, default_value_t = 1000)]
    changes: u32,
    /// Devices of a burst.
    #[arg(long, default_value_t = 5000)]
    devices: u32,
    /// How long to watch the nodes at rest.
    #[arg(long, default_value_t = 30)]
    idle_seconds: u64,
    /// Also write the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// All figures; the field names are an interface.
#[derive(Serialize)]
struct Figures {
    idle: Vec<Idle>,
    paths: Vec<Latency>,
    /// The stock path alone, with more and more of the lab beside it.
    stock: Vec<Latency>,
    bursts: Vec<Burst>,
}

pub(crate) async fn run(lab: &Lab, screen: &Screen, options: &Options) -> Result<bool> {
    if let Some(file) = &options.json {
        crate::writable(file)?;
    }
    crate::marked("bench", "lamp", measure(lab, screen, options)).await
}

async fn measure(lab: &Lab, screen: &Screen, options: &Options) -> Result<bool> {
    screen.line(&format!("nodes at rest, for {} s", options.idle_seconds));
    let idle = idle::watch(&lab.docker(), Duration::from_secs(options.idle_seconds)).await?;
    screen.line(&format!("{} changes on each of four paths", options.changes));
    let paths = measure_paths(lab, options.changes).await?;
    screen.line("the stock path with and without nodes in the group");
    let stock = measure_stock(lab, options.changes).await?;
    screen.line(&format!("bursts of {} devices", options.devices));
    let bursts = measure_bursts(lab, options.devices).await?;

    let figures = Figures { idle, paths, stock, bursts };
    figures.show(screen);
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&figures)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    screen.line("\nThe devices of the bursts stay in the servers' memory; `just down` and `just up` give a fresh lab.");
    Ok(true)
}

async fn measure_paths(lab: &Lab, changes: u32) -> Result<Vec<Latency>> {
    let [pbx1, pbx2, pbx3, pbx4] = &four(lab).await?;
    let paths = [
        Path { name: "pbx1 -> pbx2 (stock)", tag: "12", from: pbx1, to: pbx2 },
        Path { name: "pbx1 -> pbx3 (one node)", tag: "13", from: pbx1, to: pbx3 },
        Path { name: "pbx3 -> pbx1 (one node)", tag: "31", from: pbx3, to: pbx1 },
        Path { name: "pbx3 -> pbx4 (two nodes)", tag: "34", from: pbx3, to: pbx4 },
    ];
    latency::measure(&paths, changes).await
}

/// Stock alone in the middle, so that what drifts during the run falls on all alike. Only the two stock servers are listened
/// to: on a small machine even that costs the path something.
async fn measure_stock(lab: &Lab, changes: u32) -> Result<Vec<Latency>> {
    let from = lab.pbx(&SERVERS[0]).await?;
    let to = lab.pbx(&SERVERS[1]).await?;
    let path = |name, tag| Path { name, tag, from: &from, to: &to };
    let alone = path("pbx1 -> pbx2, no node there", "alone");
    let nodes = path("pbx1 -> pbx2, nodes in the group", "nodes");
    let all = path("pbx1 -> pbx2, nodes and their servers", "all");
    let half = changes / 2;

    let mut with_all = all.measure(half).await?;
    let servers = Stopped::stop(lab.docker(), &["east-pbx3", "east-pbx4"]).await?;
    let mut with_nodes = nodes.measure(half).await?;
    let stopped = Stopped::stop(lab.docker(), &NODES.each_ref().map(|node| node.name)).await?;
    let without = alone.measure(changes).await?;
    stopped.start(lab).await?;
    with_nodes.add(&nodes.measure(changes - half).await?)?;
    servers.start(lab).await?;
    with_all.add(&all.measure(changes - half).await?)?;
    Ok(vec![without, with_nodes, with_all])
}

async fn measure_bursts(lab: &Lab, devices: u32) -> Result<Vec<Burst>> {
    let [pbx1, pbx2, pbx3, pbx4] = &four(lab).await?;
    let mut bursts = burst::measure(pbx3, &[pbx1, pbx4], devices).await?;
    bursts.extend(burst::measure(pbx1, &[pbx2, pbx3], devices).await?);
    Ok(bursts)
}

async fn four(lab: &Lab) -> Result<[Pbx; 4]> {
    lab.pbxes().await?.try_into().ok().context("the lab has not its four servers")
}

impl Figures {
    fn show(&self, screen: &Screen) {
        let stock = self.paths.first();
        latency::show(
            screen,
            "latency in ms, from the origin's own event to the other server's",
            &self.paths,
            stock,
        );
        latency::show(screen, "what the nodes cost the stock path", &self.stock, self.stock.first());
        screen.heading("bursts");
        let mut rows = vec![header(&["path", "devices", "missing", "seconds", "devices/s"])];
        rows.extend(self.bursts.iter().map(Burst::row));
        screen.table(&rows);
        screen.heading("nodes at rest");
        let mut rows = vec![header(&["node", "CPU %", "RSS MiB"])];
        rows.extend(self.idle.iter().map(|idle| {
            let cpu = number(format!("{:.2}", idle.cpu_percent));
            vec![text(&idle.node), cpu, number(format!("{:.1}", idle.rss_mib))]
        }));
        screen.table(&rows);
    }
}

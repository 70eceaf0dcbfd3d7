//! `asterism-lab bench lamp`: how long a lamp takes by each way through the lab, all in one run. It measures and judges nothing.

mod burst;
mod idle;
mod latency;

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::{Docker, Lab, NODES, Pbx};
use serde::Serialize;

use crate::output::{Screen, header, number, text};
use burst::Burst;
use idle::Idle;
use latency::{Latency, Path};

const READY_TIMEOUT: Duration = Duration::from_secs(30);

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
    stock_with_nodes: Latency,
    stock_without_nodes: Latency,
    bursts: Vec<Burst>,
}

pub(crate) async fn run(lab: &Lab, screen: &Screen, options: &Options) -> Result<bool> {
    if let Some(file) = &options.json {
        crate::writable(file)?;
    }
    let pbxes = lab.pbxes().await?;
    let [pbx1, pbx2, pbx3, pbx4] = pbxes.as_slice() else {
        anyhow::bail!("the lab has not its four servers")
    };
    screen.line(&format!("nodes at rest, for {} s", options.idle_seconds));
    let idle = idle::watch(&lab.docker(), Duration::from_secs(options.idle_seconds)).await?;

    screen.line(&format!("{} changes on each of four paths", options.changes));
    let paths = [
        Path { name: "pbx1 -> pbx2 (stock)", tag: "12", from: pbx1, to: pbx2 },
        Path { name: "pbx1 -> pbx3 (one node)", tag: "13", from: pbx1, to: pbx3 },
        Path { name: "pbx3 -> pbx1 (one node)", tag: "31", from: pbx3, to: pbx1 },
        Path { name: "pbx3 -> pbx4 (two nodes)", tag: "34", from: pbx3, to: pbx4 },
    ];
    let measured = latency::measure(&paths, options.changes).await?;

    screen.line("the stock path with and without nodes in the group");
    let (stock_with_nodes, stock_without_nodes) = stock_twice(lab, pbx1, pbx2, options.changes).await?;

    screen.line(&format!("bursts of {} devices", options.devices));
    let mut bursts = burst::measure(pbx3, &[pbx1, pbx4], options.devices).await?;
    bursts.extend(burst::measure(pbx1, &[pbx2, pbx3], options.devices).await?);

    let figures = Figures { idle, paths: measured, stock_with_nodes, stock_without_nodes, bursts };
    figures.show(screen);
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&figures)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    screen.line("\nThe devices of the bursts stay in the servers' memory; `just down` and `just up` give a fresh lab.");
    Ok(true)
}

/// With, without, without, with: what drifts during the run falls on both alike.
async fn stock_twice(lab: &Lab, from: &Pbx, to: &Pbx, changes: u32) -> Result<(Latency, Latency)> {
    let with = Path { name: "pbx1 -> pbx2, nodes in the group", tag: "12-with", from, to };
    let without = Path { name: "pbx1 -> pbx2, no node there", tag: "12-without", from, to };
    let mut first = latency::measure(std::slice::from_ref(&with), changes / 2).await?;
    let stopped = Stopped::stop(lab.docker()).await?;
    let alone = latency::measure(std::slice::from_ref(&without), changes).await?;
    stopped.start(lab).await?;
    let second = latency::measure(std::slice::from_ref(&with), changes - changes / 2).await?;
    for (first, second) in first.iter_mut().zip(second) {
        first.add(&second)?;
    }
    let only = |latencies: Vec<Latency>| latencies.into_iter().next().context("nothing was measured");
    Ok((only(first)?, only(alone)?))
}

/// Nodes that were stopped for a while; they are started again whatever happens.
struct Stopped {
    docker: Docker,
    containers: Vec<String>,
}

impl Stopped {
    async fn stop(docker: Docker) -> Result<Self> {
        let mut stopped = Self { docker, containers: Vec::new() };
        for node in &NODES {
            if let Ok(container) = stopped.docker.container(node.name).await
                && container.state == "running"
            {
                stopped.containers.push(container.id);
                stopped.docker.stop(&[node.name]).await?;
            }
        }
        Ok(stopped)
    }

    async fn start(self, lab: &Lab) -> Result<()> {
        let any = !self.containers.is_empty();
        drop(self);
        let deadline = tokio::time::Instant::now() + READY_TIMEOUT;
        for node in NODES.iter().filter(|_| any) {
            let node = lab.node(node)?;
            while !matches!(node.ready().await, Ok(true)) {
                anyhow::ensure!(
                    tokio::time::Instant::now() < deadline,
                    "{} does not get ready",
                    node.spec.name
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let mut docker = std::process::Command::new("docker");
        docker.arg("start").args(&self.containers).stdout(Stdio::null());
        if !self.containers.is_empty() && !docker.status().is_ok_and(|status| status.success()) {
            eprintln!("could not start the nodes again; `just up` will");
        }
    }
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
        let both = [&self.stock_without_nodes, &self.stock_with_nodes].map(Clone::clone);
        latency::show(screen, "what the nodes cost the stock path", &both, Some(&self.stock_without_nodes));
        screen.heading("bursts");
        let mut rows = vec![header(&["path", "devices", "missing", "seconds", "devices/s"])];
        rows.extend(self.bursts.iter().map(Burst::row));
        screen.table(&rows);
        screen.heading("nodes at rest");
        let mut rows = vec![header(&["node", "CPU %", "RSS MB"])];
        rows.extend(self.idle.iter().map(|idle| {
            let cpu = number(format!("{:.2}", idle.cpu_percent));
            vec![text(&idle.node), cpu, number(format!("{:.1}", idle.rss_megabytes))]
        }));
        screen.table(&rows);
    }
}

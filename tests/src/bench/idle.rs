//! What the nodes take when nothing happens: processor time and memory.

use std::time::Duration;

use anyhow::Result;
use lab::{Docker, Lab, NODES};
use serde::Serialize;

use super::figure::Figures;
use super::process::Process;
use super::{Stopped, WATCHING};
use crate::output::Screen;

const CPU_PERCENT_MAX: f64 = 0.5;
/// What was done before may still go on: a server that is told everything, the last of a load.
const SETTLE: Duration = Duration::from_secs(5);

/// How long to watch.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long to watch.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    #[command(flatten)]
    pub(super) output: super::Keep,
}

/// A node at rest.
#[derive(Serialize)]
pub(super) struct Idle {
    pub(super) node: String,
    /// Of one processor.
    pub(super) cpu_percent: f64,
    pub(super) rss_mib: f64,
}

/// Nobody scrapes and no canary is toggled meanwhile: that would be no rest.
pub(super) async fn measure(lab: &Lab, screen: &Screen, options: &Options) -> Result<Figures> {
    let watching = Stopped::stop_running(lab.docker(), &WATCHING).await?;
    tokio::time::sleep(SETTLE).await;
    screen.line(&format!("nodes at rest, for {} s", options.seconds));
    let idle = watch(&lab.docker(), Duration::from_secs(options.seconds)).await;
    watching.start(lab).await?;
    let mut figures = Figures::default();
    for Idle { node, cpu_percent, rss_mib } in idle? {
        figures.at_most(format!("{node} at rest, processor"), "%", CPU_PERCENT_MAX, cpu_percent);
        figures.seen(format!("{node} at rest, RSS"), "MiB", rss_mib);
    }
    Ok(figures)
}

/// Watches all nodes that run.
pub(super) async fn watch(docker: &Docker, time: Duration) -> Result<Vec<Idle>> {
    let mut processes = Vec::new();
    for node in &NODES {
        if let Ok(process) = Process::of(docker, node.name).await {
            let worked = process.worked()?;
            processes.push((process, worked));
        }
    }
    tokio::time::sleep(time).await;
    let finish = |(process, before): (Process, Duration)| {
        let cpu_percent = (process.worked()? - before).as_secs_f64() / time.as_secs_f64() * 100.0;
        Ok(Idle { cpu_percent, rss_mib: process.rss_mib()?, node: process.service })
    };
    processes.into_iter().map(finish).collect()
}

//! `asterism-lab bench …`: measurements. Most of them hold a figure against its target (docs/BENCHMARKS.md); none is a test.

mod burst;
mod bus;
mod core;
mod death;
mod figure;
mod idle;
mod join;
mod lamp;
mod latency;
mod link;
mod memory;
mod process;
mod stopped;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use lab::{Lab, Node};

use crate::evidence;
use crate::output::{Screen, header, text};
use figure::Figures;
pub(crate) use stopped::{Stopped, WATCHING};

/// What can be measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// How many events a second the core takes on one thread. Needs no lab.
    Core(Keep),
    /// Two linked sites over a relay: lag with and without loss, bytes, the first sync. Needs no lab.
    Link(link::Options),
    /// Events a second that a node takes from the group, for a minute, and whether all arrive.
    Bus(bus::Options),
    /// How long a node that joins takes to know 100,000 states, and what that costs the group.
    Join(join::Options),
    /// What a node keeps in memory for 100,000 devices at three servers, and whether it grows.
    Memory(memory::Options),
    /// From the death of a stock server to the last lamp that goes out.
    Death(death::Options),
    /// What the nodes take when nothing happens.
    Idle(idle::Options),
    /// How long a lamp takes from server to server, and what a burst does.
    Lamp(lamp::Options),
    /// How long a lamp takes by each way at each rate; writes docs/LATENCY.md and its data.
    Latency(evidence::Options),
}

/// Where the figures go besides the screen.
#[derive(clap::Args)]
pub(crate) struct Keep {
    /// Also write the figures to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What there is, a line each.
fn list(screen: &Screen) {
    let rows = [
        ("core", "events a second through the table on one thread"),
        ("link", "two linked sites: lag at 0 and 5 % loss, bytes per change, first sync of 100,000 states"),
        ("bus", "events a second from a real group for 60 s, and what is lost"),
        ("join", "a node that joins at 100,000 states: time to ready, bytes on the bus"),
        ("memory", "RSS at 100,000 devices at three servers, and under churn (--minutes 60)"),
        ("death", "a stock server is killed: from the change of membership to the last lamp"),
        ("idle", "processor time of the nodes at rest"),
        ("lamp", "how long a lamp takes by each way, and what bursts do"),
        ("latency", "the same at all rates; writes docs/LATENCY.md"),
    ];
    let mut table = vec![header(&["just bench …", "measures"])];
    table.extend(rows.map(|(name, what)| vec![text(name), text(what)]));
    screen.table(&table);
    screen.line("\nMethods, targets and figures: docs/BENCHMARKS.md. Each takes --help.");
}

pub(crate) async fn run(project: &str, screen: &Screen, what: Option<&Bench>) -> Result<bool> {
    let lab = || Lab::running(project);
    match what {
        None => list(screen),
        Some(Bench::Core(output)) => keep("core", screen, output, core::measure()).await?,
        Some(Bench::Link(options)) => {
            keep("link", screen, &options.output, link::measure(screen, options)).await?;
        }
        Some(Bench::Bus(options)) => {
            keep("bus", screen, &options.output, bus::measure(&lab().await?, screen, options)).await?;
        }
        Some(Bench::Join(options)) => {
            keep("join", screen, &options.output, join::measure(&lab().await?, screen, options)).await?;
        }
        Some(Bench::Memory(options)) => {
            keep("memory", screen, &options.output, memory::measure(&lab().await?, screen, options)).await?;
        }
        Some(Bench::Death(options)) => {
            keep("death", screen, &options.output, death::measure(&lab().await?, screen, options)).await?;
        }
        Some(Bench::Idle(options)) => {
            keep("idle", screen, &options.output, idle::measure(&lab().await?, screen, options)).await?;
        }
        Some(Bench::Lamp(options)) => return lamp::run(&lab().await?, screen, options).await,
        Some(Bench::Latency(options)) => return evidence::run(&lab().await?, screen, options).await,
    }
    // A target that is missed is no failure of the measurement.
    Ok(true)
}

/// Measures, and shows and keeps the figures.
async fn keep(
    name: &str,
    screen: &Screen,
    output: &Keep,
    work: impl Future<Output = Result<Figures>>,
) -> Result<()> {
    if let Some(file) = &output.json {
        crate::writable(file)?;
    }
    let figures = crate::marked("bench", name, work).await?;
    figures.show(screen);
    if let Some(file) = &output.json {
        std::fs::write(file, serde_json::to_string_pretty(&figures)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Waits until a node has so many states of devices under an EID.
async fn knows(node: &Node, eid: &str, devices: u32, timeout: Duration) -> Result<()> {
    let deadline = Instant::now() + timeout;
    loop {
        let known = states_of(node, eid).await?;
        if known == f64::from(devices) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!("{} knows {known} of {devices} devices of {eid}", node.spec.name);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How many states of devices a node knows under an EID.
async fn states_of(node: &Node, eid: &str) -> Result<f64> {
    let labels = [&format!("eid=\"{eid}\"") as &str, "kind=\"device\""];
    Ok(node.metrics().await?.sum("asterism_node_states", &labels))
}

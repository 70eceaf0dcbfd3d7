//! What a node keeps in memory: at once when three servers have told all, and while their devices go on changing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lab::{Lab, Machine, NODES, Node, NodeSpec, SERVERS, ServerSpec, Storm};

use super::figure::{Figures, max, median};
use super::process::Process;
use super::{knows, stopped};
use crate::output::Screen;

const RSS_MIB_MAX: f64 = 96.0;
/// More than the noise of an allocator in an hour.
const GROWTH_MIB_PER_HOUR_MAX: f64 = 1.0;
const SAMPLE_EVERY: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(180);

const NODE: &NodeSpec = &NODES[0];
/// The server that the node serves, which is told all of it.
const SERVED: &ServerSpec = &SERVERS[2];
/// On which machine, and in the name of which server. A machine can hold one storm.
const STORMS: [(&str, &str); 3] =
    [("east-pbx1", SERVERS[0].eid), ("east-pbx2", SERVERS[1].eid), ("east-node2", SERVERS[3].eid)];

/// How much, for how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long the devices go on changing.
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Devices, each with a state at each of three servers.
    #[arg(long, default_value_t = 100_000)]
    devices: u32,
    /// Changes a second, of all servers together.
    #[arg(long, default_value_t = 500.0)]
    rate: f64,
    #[command(flatten)]
    pub(super) output: super::Keep,
}

/// One look at the process.
struct Sample {
    hours: f64,
    mib: f64,
}

pub(super) async fn measure(lab: &Lab, screen: &Screen, options: &Options) -> Result<Figures> {
    stopped::alone(lab, NODE, watch(lab, screen, options)).await
}

async fn watch(lab: &Lab, screen: &Screen, options: &Options) -> Result<Figures> {
    let (node, process) = (lab.node(NODE)?, Process::of(&lab.docker(), NODE.name).await?);
    let empty = process.rss_mib()?;
    let served = lab.fill(NODE, SERVED, 0).await?;
    let mut storms = Vec::new();
    for (machine, eid) in STORMS {
        screen.line(&format!("{} devices at {machine}", options.devices));
        let machine = Machine::named(machine).context("no such machine")?;
        storms.push(lab.storm(&machine, eid, options.devices).await?);
        knows(&node, eid, options.devices, TIMEOUT).await?;
    }
    let full = process.rss_mib()?;
    told(&node, SERVED.name).await?;
    let settled = process.rss_mib()?;
    let rate = options.rate / storms.len() as f64;
    screen.line(&format!(
        "RSS {full:.1} MiB, {settled:.1} when the server is told; {} changes a second for {} min",
        options.rate, options.minutes
    ));
    let samples = churn(screen, &process, &mut storms, rate, options.minutes * 60.0).await?;
    for storm in storms {
        storm.leave().await?;
    }
    served.end().await?;

    let all: Vec<f64> = samples.iter().map(|sample| sample.mib).collect();
    let mut figures = Figures::default();
    figures.seen("RSS of an empty node", "MiB", empty);
    let what = format!("RSS at {} devices at three servers", options.devices);
    figures.at_most(format!("{what}, at once"), "MiB", RSS_MIB_MAX, full);
    figures.at_most(format!("{what}, once the served server is told"), "MiB", RSS_MIB_MAX, settled);
    figures.at_most(format!("{what}, under churn, most"), "MiB", RSS_MIB_MAX, max(&all));
    figures.seen("the same, median", "MiB", median(&all));
    figures.seen("the same, least", "MiB", all.iter().copied().fold(f64::NAN, f64::min));
    let growth = slope(&samples);
    let what = format!("growth under churn, over {} min", options.minutes);
    // Less than an hour says little about an hour.
    if options.minutes >= 60.0 {
        figures.at_most(what, "MiB/h", GROWTH_MIB_PER_HOUR_MAX, growth);
    } else {
        figures.seen(what, "MiB/h", growth);
    }
    Ok(figures)
}

/// Waits until nothing waits for a server of the node.
async fn told(node: &Node, server: &str) -> Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    let label = format!("queue=\"{server}\"");
    while node.metrics().await?.sum("asterism_node_queue_depth", &[&label]) > 0.0 {
        ensure!(Instant::now() < deadline, "{server} is not told in time");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// All storms say changes at the same time, and the process is looked at.
async fn churn(
    screen: &Screen,
    process: &Process,
    storms: &mut [Storm],
    rate: f64,
    seconds: f64,
) -> Result<Vec<Sample>> {
    let [one, two, three] = storms else { bail!("there are three storms") };
    let saying =
        async { tokio::try_join!(one.say(rate, seconds), two.say(rate, seconds), three.say(rate, seconds)) };
    let mut saying = std::pin::pin!(saying);
    let begun = Instant::now();
    let mut samples = Vec::new();
    let mut ticks = tokio::time::interval(SAMPLE_EVERY);
    loop {
        tokio::select! {
            said = &mut saying => {
                said?;
                return Ok(samples);
            }
            _ = ticks.tick() => {
                let sample = Sample { hours: begun.elapsed().as_secs_f64() / 3600.0, mib: process.rss_mib()? };
                screen.progress(&format!("{:>6.0} s  {:.1} MiB", sample.hours * 3600.0, sample.mib));
                samples.push(sample);
            }
        }
    }
}

/// MiB an hour, as the line of least squares through all samples rises.
fn slope(samples: &[Sample]) -> f64 {
    let count = samples.len() as f64;
    let mean = |value: fn(&Sample) -> f64| samples.iter().map(value).sum::<f64>() / count;
    let (hours, mib) = (mean(|sample| sample.hours), mean(|sample| sample.mib));
    let rise: f64 = samples.iter().map(|sample| (sample.hours - hours) * (sample.mib - mib)).sum();
    let run: f64 = samples.iter().map(|sample| (sample.hours - hours).powi(2)).sum();
    rise / run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_by_two_an_hour_has_a_slope_of_two() {
        let samples = [0.0, 0.5, 1.0].map(|hours| Sample { hours, mib: 40.0 + 2.0 * hours });
        assert!((slope(&samples) - 2.0).abs() < 1e-9);
    }
}

//! Two sites that are linked over a relay, all in one process (`crates/wan/examples/sites`): how long a change takes to the other site and how
//! many bytes it is, with and without loss, and how long the first sync takes. Needs no lab.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::process::Command;

use super::figure::{Figures, median};
use crate::output::Screen;

/// One way, in milliseconds.
const DELAY_MS: f64 = 40.0;
const RTT_MS: f64 = 2.0 * DELAY_MS;
const LOSS_PERCENT: f64 = 5.0;
const BANDWIDTH_KBIT: f64 = 20_000.0;
const STATES: f64 = 100_000.0;

/// Changes a second.
const BUSY: f64 = 100.0;
/// At this rate each change has the link for itself: nothing follows in time that tells of its loss.
const LONE: f64 = 5.0;

const OVER_MS_MAX: f64 = 2.0;
const RATIO_MIN: f64 = 0.8;

/// For how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How long changes are said in each measurement.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// How many first syncs the median is of.
    #[arg(long, default_value_t = 5)]
    syncs: u64,
    #[command(flatten)]
    pub(super) output: super::Keep,
}

/// How a link is carried.
#[derive(Clone, Copy)]
struct Carrier {
    name: &'static str,
    argument: &'static str,
    /// Of a stream the relay decides by itself what loss costs, and the kernel's begin is not seen: that is no merit or fault of ours.
    judged: bool,
}

const QUIC: Carrier = Carrier { name: "QUIC", argument: "--carrier=quic", judged: true };
const TCP: Carrier = Carrier { name: "TCP", argument: "--carrier=tcp", judged: false };

#[derive(Deserialize)]
struct Spread {
    samples: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

#[derive(Deserialize)]
struct Passed {
    packets: f64,
    bytes: f64,
}

#[derive(Deserialize)]
struct Lag {
    lag: Spread,
    probe: Spread,
    out: Passed,
    back: Passed,
    frame_bytes: f64,
}

#[derive(Deserialize)]
struct Sync {
    first_s: f64,
    last_s: f64,
    out: Passed,
    frame_bytes: f64,
}

pub(super) async fn measure(screen: &Screen, options: &Options) -> Result<Figures> {
    let mut figures = Figures::default();
    for carrier in [QUIC, TCP] {
        let lag = lag(screen, carrier, 0.0, BUSY, options.seconds).await?;
        straight(&mut figures, carrier, &lag);
        if carrier.judged {
            bytes(&mut figures, carrier, BUSY, &lag);
        }
        lossy(&mut figures, screen, carrier, options.seconds).await?;
    }
    for rate in [10.0, 1.0] {
        let lag = lag(screen, QUIC, 0.0, rate, options.seconds).await?;
        bytes(&mut figures, QUIC, rate, &lag);
    }
    for carrier in [QUIC, TCP] {
        syncs(&mut figures, screen, carrier, options.syncs).await?;
    }
    Ok(figures)
}

/// Without loss: the relay's own delay is what bare datagrams take.
fn straight(figures: &mut Figures, carrier: Carrier, Lag { lag, probe, .. }: &Lag) {
    let what = format!("{}, {BUSY} changes a second: lag over the relay's delay", carrier.name);
    figures.seen(format!("{what}, p50"), "ms", lag.p50_ms - probe.p50_ms);
    figures.at_most(format!("{what}, p99"), "ms", OVER_MS_MAX, lag.p99_ms - probe.p99_ms);
    figures.seen("the relay's delay meanwhile, by bare datagrams, p50", "ms", probe.p50_ms);
    figures.seen("the relay's delay meanwhile, by bare datagrams, p99", "ms", probe.p99_ms);
}

async fn lossy(figures: &mut Figures, screen: &Screen, carrier: Carrier, seconds: f64) -> Result<()> {
    // Of lone changes there are fewer.
    for (rate, seconds) in [(BUSY, seconds), (LONE, seconds * 2.0)] {
        let Lag { lag, .. } = lag(screen, carrier, LOSS_PERCENT, rate, seconds).await?;
        let what = format!("{}, {rate} changes a second, {LOSS_PERCENT} % lost: lag", carrier.name);
        figures.seen(format!("{what}, p50"), "ms", lag.p50_ms);
        match carrier.judged {
            true => figures.at_most(format!("{what}, p99"), "ms", 3.0 * RTT_MS, lag.p99_ms),
            false => figures.seen(format!("{what}, p99"), "ms", lag.p99_ms),
        }
        figures.seen(format!("{what}, max"), "ms", lag.max_ms);
    }
    Ok(())
}

fn bytes(figures: &mut Figures, carrier: Carrier, rate: f64, lag: &Lag) {
    let Lag { lag: Spread { samples, .. }, out, back, frame_bytes, .. } = lag;
    let what = format!("{}, {rate} changes a second: per change", carrier.name);
    figures.seen(format!("{what}, bytes of frames"), "B", frame_bytes / samples);
    figures.seen(format!("{what}, bytes of datagrams there"), "B", out.bytes / samples);
    figures.seen(format!("{what}, bytes of datagrams back"), "B", back.bytes / samples);
    figures.seen(format!("{what}, datagrams both ways"), "", (out.packets + back.packets) / samples);
}

/// First syncs, one after the other.
async fn syncs(figures: &mut Figures, screen: &Screen, carrier: Carrier, count: u64) -> Result<()> {
    let (mut first, mut last, mut ratios, mut flowing, mut sizes) = (vec![], vec![], vec![], vec![], vec![]);
    for seed in 1..=count {
        let sync = sync(screen, carrier, seed).await?;
        let seconds_min = sync.out.bytes / (BANDWIDTH_KBIT * 125.0);
        first.push(sync.first_s);
        last.push(sync.last_s);
        ratios.push(seconds_min / sync.last_s);
        flowing.push(seconds_min / (sync.last_s - sync.first_s));
        sizes.push(sync.frame_bytes / STATES);
    }
    let what = format!("{}, first sync of {STATES} states at 20 Mbit/s", carrier.name);
    figures.seen(format!("{what}: from the link being up to the last state"), "s", median(&last));
    figures.seen(format!("{what}: to the first state"), "s", median(&first));
    let share = format!("{what}: share of the bandwidth, of all that time");
    match carrier.judged {
        true => figures.at_least(share, "", RATIO_MIN, median(&ratios)),
        false => figures.seen(share, "", median(&ratios)),
    }
    figures.seen(format!("{what}: share from the first state to the last"), "", median(&flowing));
    figures.seen(format!("{what}: bytes of frames per state"), "B", median(&sizes));
    Ok(())
}

async fn lag(screen: &Screen, carrier: Carrier, loss: f64, rate: f64, seconds: f64) -> Result<Lag> {
    screen.line(&format!("{}: {rate} changes a second for {seconds} s, {loss} % lost", carrier.name));
    let arguments = [
        format!("--delay-ms={DELAY_MS}"),
        format!("--loss-percent={loss}"),
        format!("--rate={rate}"),
        format!("--seconds={seconds}"),
    ];
    sites("lag", carrier, &arguments).await
}

async fn sync(screen: &Screen, carrier: Carrier, seed: u64) -> Result<Sync> {
    screen.line(&format!("{}: first sync of {STATES} states", carrier.name));
    let arguments = [
        format!("--delay-ms={DELAY_MS}"),
        format!("--bandwidth-kbit={BANDWIDTH_KBIT}"),
        format!("--states={STATES}"),
        format!("--seed={seed}"),
    ];
    sites("sync", carrier, &arguments).await
}

/// Runs the two sites, and reads what they print.
async fn sites<T: DeserializeOwned>(what: &str, carrier: Carrier, arguments: &[String]) -> Result<T> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--quiet", "--release", "--package", "wan", "--example", "sites", "--"]);
    cargo.args([what, carrier.argument]).args(arguments).current_dir(&root).stderr(Stdio::inherit());
    let output = cargo.output().await.context("cannot run cargo")?;
    ensure!(output.status.success(), "the two sites failed");
    serde_json::from_slice(&output.stdout).context("the two sites told nothing that can be read")
}

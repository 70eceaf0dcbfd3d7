//! A stock server is killed with its lamps lit: from the change of membership, as a node's log tells it, until each other server
//! has told a phone that the last of them is out.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use lab::{Lab, Lamp, Mark, NODES, Package, Pbx, Report, SERVERS, ServerSpec, Watcher};

use super::figure::{Figures, max, median};
use crate::clock::unix_time;
use crate::output::Screen;

const SECONDS_MAX: f64 = 0.2;
const TIMEOUT: Duration = Duration::from_secs(15);

const VICTIM: &ServerSpec = &SERVERS[0];
/// The node that is not the first of the group, so that it is the other one that acts.
const WITNESS: &str = NODES[1].name;
const WITNESSED: &str = "member left; withdrew the states of its servers";

/// How often, with how many lamps.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// How often the server dies.
    #[arg(long, default_value_t = 10)]
    times: u32,
    /// Lamps that only it has lit.
    #[arg(long, default_value_t = 20)]
    lamps: u32,
    #[command(flatten)]
    pub(super) output: super::Keep,
}

/// The lamps, and a phone that watches them at the servers that survive.
struct Lamps {
    count: u32,
    survivors: Vec<Pbx>,
    watcher: Watcher,
}

/// One death: when the group noticed since the kill, and for each survivor how long after that its last lamp went out.
struct Death {
    noticed: f64,
    out: Vec<f64>,
}

pub(super) async fn measure(lab: &Lab, screen: &Screen, options: &Options) -> Result<Figures> {
    let lamps = Lamps::open(lab, options.lamps).await?;
    let mut deaths = Vec::new();
    for time in 1..=options.times {
        let death = lamps.death(lab).await?;
        let out: Vec<_> = death.out.iter().map(|seconds| format!("{:.1}", seconds * 1000.0)).collect();
        screen.line(&format!(
            "{time:>3}  noticed after {:.1} ms, lamps out {} ms after that",
            death.noticed * 1000.0,
            out.join(", ")
        ));
        deaths.push(death);
    }
    let mut figures = Figures::default();
    let noticed: Vec<f64> = deaths.iter().map(|death| death.noticed).collect();
    figures.seen("kill to change of membership, median", "s", median(&noticed));
    for (index, survivor) in lamps.survivors.iter().enumerate() {
        let out: Vec<f64> = deaths.iter().map(|death| death.out[index]).collect();
        let what = format!("change of membership to {} lamps out at {}", options.lamps, survivor.spec.name);
        figures.at_most(format!("{what}, median"), "s", SECONDS_MAX, median(&out));
        figures.at_most(format!("{what}, slowest"), "s", SECONDS_MAX, max(&out));
    }
    lamps.watcher.close().await;
    Ok(figures)
}

impl Lamps {
    async fn open(lab: &Lab, count: u32) -> Result<Self> {
        let mut survivors = Vec::new();
        for spec in SERVERS.iter().filter(|spec| *spec != VICTIM) {
            survivors.push(lab.pbx(spec).await?);
        }
        let watcher = Watcher::open(lab.address(VICTIM.host)?, "watcher", &lab.secrets.sip).await?;
        let mut lamps = Self { count, survivors, watcher };
        for survivor in &lamps.survivors {
            for lamp in 0..count {
                survivor.add_hint(&exten(lamp), &device(lamp)).await?;
                lamps
                    .watcher
                    .watch(survivor.spec.name, survivor.address, &exten(lamp), Package::Dialog)
                    .await?;
            }
        }
        Ok(lamps)
    }

    async fn death(&self, lab: &Lab) -> Result<Death> {
        self.light(lab).await?;
        let (instant, wall) = (Instant::now(), SystemTime::now());
        let since = self.watcher.sightings().mark();
        lab.docker().kill(&[VICTIM.name]).await?;
        let mut last = Vec::new();
        for survivor in &self.survivors {
            last.push(self.all(since, survivor, Lamp::Out).await?);
        }
        let noticed = noticed(lab, wall).await?;
        let since_kill = |at: Instant| at.saturating_duration_since(instant).as_secs_f64();
        let noticed = noticed.saturating_sub(wall.duration_since(UNIX_EPOCH)?).as_secs_f64();
        let out = last.into_iter().map(|at| since_kill(at) - noticed).collect();
        lab.docker().start(&[VICTIM.name]).await?;
        lab.docker().healthy(&[VICTIM.name], TIMEOUT * 2).await?;
        Ok(Death { noticed, out })
    }

    /// Lights all lamps at the server that will die, in a way that its next life knows nothing of.
    async fn light(&self, lab: &Lab) -> Result<()> {
        let since = self.watcher.sightings().mark();
        let victim = lab.pbx(VICTIM).await?;
        for lamp in 0..self.count {
            victim.set(&device(lamp), "INUSE").await?;
            victim.forget(&device(lamp)).await?;
        }
        for survivor in &self.survivors {
            self.all(since, survivor, Lamp::Lit).await?;
        }
        Ok(())
    }

    /// When the last lamp of a server was seen in that state.
    async fn all(&self, since: Mark, server: &Pbx, wanted: Lamp) -> Result<Instant> {
        let deadline = Instant::now() + TIMEOUT;
        let mut last = None;
        for lamp in 0..self.count {
            let exten = exten(lamp);
            let seen = self.watcher.sightings().first(since, deadline, |seen| {
                let fits = seen.server == server.spec.name && seen.target == exten;
                let shows = seen.report == Report::Lamp(wanted);
                (fits && shows).then_some(seen.at)
            });
            let at = seen.await.with_context(|| {
                format!("{} does not show {exten} as {wanted:?} in time", server.spec.name)
            })?;
            last = last.max(Some(at));
        }
        last.context("there are no lamps")
    }
}

/// When a node's log says that the member left, since 1970.
async fn noticed(lab: &Lab, since: SystemTime) -> Result<Duration> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let logs = lab.docker().logs(WITNESS, since).await?;
        let line = logs.lines().find(|line| line.contains(WITNESSED) && line.contains(VICTIM.eid));
        if let Some(at) = line.and_then(|line| unix_time(line.split_whitespace().next()?)) {
            return Ok(at);
        }
        ensure!(Instant::now() < deadline, "{WITNESS} does not tell that {} left", VICTIM.name);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn device(lamp: u32) -> String {
    format!("Custom:bench-death-{lamp}")
}

fn exten(lamp: u32) -> String {
    format!("bench-death-{lamp}")
}

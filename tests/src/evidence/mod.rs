//! `asterism-lab bench latency`: how long a lamp takes by each way and at each rate, as docs/LATENCY.md and its data.

mod direct;
mod figures;
mod machine;
mod path;
mod plan;
mod plot;
mod report;
mod rest;
mod rig;
mod tracker;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use lab::{Lab, NODES};
use serde_json::json;

use crate::bench::{Stopped, WATCHING};
use crate::output::Screen;
use direct::Direct;
use figures::Book;
use path::{PATHS, Setting};
use plan::{Slice, Step};
use report::Run;
use rig::Rig;

const MINUTES_MIN: f64 = 1.0;

/// How long to measure, and where to write.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// About how long all of it takes, and never less than 9. Low rates need time: more minutes, more changes.
    #[arg(long, default_value_t = 15.0)]
    minutes: f64,
    /// The folder for LATENCY.md and latency/.
    #[arg(long, default_value = "docs")]
    out: PathBuf,
}

pub(crate) async fn run(lab: &Lab, screen: &Screen, options: &Options) -> Result<bool> {
    ensure!(options.minutes >= MINUTES_MIN, "--minutes: at least {MINUTES_MIN}");
    std::fs::create_dir_all(options.out.join("latency"))
        .with_context(|| format!("cannot write to {}", options.out.display()))?;
    crate::writable(&options.out.join("LATENCY.md"))?;
    crate::marked("bench", "latency", produce(lab, screen, options)).await
}

async fn produce(lab: &Lab, screen: &Screen, options: &Options) -> Result<bool> {
    let begin = Instant::now();
    let wan = lab.wan().context("two sites are measured; start the lab without SITES=1")?;
    let usual = wan.conditions().await?;
    let machine = machine::describe(lab, &lab.pbx(&lab::SERVERS[0]).await?.ami).await?;
    let watching = Stopped::stop_running(lab.docker(), &WATCHING).await?;
    screen.line("two more servers for the direct way, and the lamps of all");
    let direct = Direct::start(lab).await?;
    let mut rig = Rig::open(lab).await?;
    let mut book = Book::default();
    measure(lab, screen, options.minutes, begin, &mut rig, &mut book).await?;
    screen.line("taking everything away again");
    rig.close().await?;
    drop(direct);
    wan.set(&usual).await?;
    watching.start(lab).await?;
    let run = Run { machine, book, took: begin.elapsed(), minutes: options.minutes };
    run.write(&options.out)?;
    run.show(screen);
    screen.line(&format!("\nwritten: {0}/LATENCY.md, {0}/latency/", options.out.display()));
    screen.line(
        "The devices of the bursts stay in the servers' memory; `just down` and `just up` give a fresh lab.",
    );
    Ok(true)
}

async fn measure(
    lab: &Lab,
    screen: &Screen,
    minutes: f64,
    begin: Instant,
    rig: &mut Rig,
    book: &mut Book,
) -> Result<()> {
    let say = |text: &str| screen.line(&format!("{:>5} s  {text}", begin.elapsed().as_secs()));
    let mut stopped = None;
    for step in plan::plan(minutes) {
        match step {
            Step::Set(Setting::NoNodes) => {
                say("stopping the nodes");
                stopped = Some(Stopped::stop(lab.docker(), &NODES.each_ref().map(|node| node.name)).await?);
            }
            Step::Set(Setting::Wan(ms)) => {
                say(&format!("{ms} ms from site to site"));
                let calm = json!({"delay_ms": ms, "jitter_ms": 0, "loss_percent": 0});
                lab.wan()?.set(&calm).await?;
            }
            Step::Set(Setting::Nodes) => {
                say("starting the nodes");
                if let Some(stopped) = stopped.take() {
                    stopped.start(lab).await?;
                    rig.told_everything();
                }
            }
            Step::WarmUp(paths) => {
                say("warming up");
                rig.warm_up(&paths).await?;
            }
            Step::Slice(slice) => {
                say(&describe(&slice));
                rig.run(&slice, book).await?;
            }
        }
    }
    Ok(())
}

fn describe(slice: &Slice) -> String {
    let names: Vec<&str> = slice.paths.iter().map(|path| PATHS[*path].name).collect();
    format!("{}: {}", slice.rate.name(), names.join(", "))
}

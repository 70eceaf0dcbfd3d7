//! `asterism-lab load`: offices at work, so that there is something to see. Changes come at their intended times, whatever comes back.

mod calls;
mod office;
mod settings;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab::{Lab, Pbx};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::output::Screen;
use calls::Calls;
use office::Office;
use settings::Settings;

const SHOW_EVERY: Duration = Duration::from_secs(1);

/// What to do.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// rate=100 (changes a second) devices=1000 minutes=1 calls=3 (real calls a minute)
    #[arg(value_name = "KEY=NUMBER")]
    settings: Vec<String>,
}

/// Ends by itself, or on Ctrl-C; then all devices are idle again and forgotten.
pub(crate) async fn run(lab: &Lab, screen: &Screen, options: &Options) -> Result<bool> {
    let settings = Settings::parse(&options.settings)?;
    crate::marked("load", &settings.to_string(), offices(lab, screen, settings)).await
}

async fn offices(lab: &Lab, screen: &Screen, settings: Settings) -> Result<bool> {
    let pbxes = lab.pbxes().await?;
    let mut drains = tokio::task::JoinSet::new();
    for pbx in &pbxes {
        pbx.ami.action("Events", &[("EventMask", "off")]).await?;
        let events = pbx.ami.events().clone();
        // Answers to what nobody waits for end up there.
        drains.spawn(async move {
            loop {
                drop(events.drain().await);
            }
        });
    }
    screen.line(&format!(
        "{} devices at {} servers, {} changes and {} calls a minute, for {} min; Ctrl-C ends it",
        settings.devices,
        pbxes.len(),
        settings.rate * 60.0,
        settings.calls,
        settings.minutes
    ));
    let (stop, stopped) = watch::channel(false);
    let (told, calls) = watch::channel(Calls::default());
    let calling = tokio::spawn(calls::make(lab.clone(), settings.calls, told, stopped));
    let worked = tokio::select! {
        worked = work(&pbxes, screen, settings, &calls) => worked,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    stop.send_replace(true);
    screen.line("\nputting all lamps out");
    let cleaned = clean(&pbxes, settings.devices).await;
    let made = end(calling, &calls).await;
    worked.and(cleaned)?;
    screen.line(&format!("calls: {} made, {} failed", made.made, made.failed));
    if !made.complaint.is_empty() {
        screen.line(&format!("the last that failed: {}", made.complaint));
    }
    Ok(true)
}

async fn work(
    pbxes: &[Pbx],
    screen: &Screen,
    settings: Settings,
    calls: &watch::Receiver<Calls>,
) -> Result<()> {
    let begin = Instant::now();
    let end = Duration::from_secs_f64(settings.minutes * 60.0);
    let mut progress = Progress { begin, shown: begin, done: 0, done_when_shown: 0, behind: Duration::ZERO };
    let office = Office::new(settings.rate, settings.devices, 1);
    for change in office.take_while(|change| change.after < end) {
        let due = begin + change.after;
        while due > Instant::now() {
            tokio::time::sleep_until(due.min(progress.shown + SHOW_EVERY).into()).await;
            progress.show(screen, calls);
        }
        let pbx = pbx_of(pbxes, change.device).context("no server")?;
        drop(pbx.start_set(&device(change.device), change.state).await?);
        progress.done += 1;
        progress.behind = progress.behind.max(due.elapsed());
        progress.show(screen, calls);
    }
    Ok(())
}

/// Every device of this run, lit or not: not in use, and out of the servers' databases.
async fn clean(pbxes: &[Pbx], devices: u32) -> Result<()> {
    for n in 0..devices {
        let pbx = pbx_of(pbxes, n).context("no server")?;
        drop(pbx.start_set(&device(n), "NOT_INUSE").await?);
        let key = device(n);
        let key = key.strip_prefix("Custom:").unwrap_or(&key);
        drop(pbx.ami.send("DBDel", &[("Family", "CustomDevstate"), ("Key", key)]).await?);
    }
    for pbx in pbxes {
        // One connection's actions are done in order: when this is answered, all are.
        pbx.ami.action("Ping", &[]).await?;
    }
    Ok(())
}

async fn end(calling: JoinHandle<Result<()>>, calls: &watch::Receiver<Calls>) -> Calls {
    // A call that failed is counted.
    drop(calling.await);
    calls.borrow().clone()
}

fn device(n: u32) -> String {
    format!("Custom:load-{n}")
}

/// Neighbours sit at different servers.
fn pbx_of(pbxes: &[Pbx], device: u32) -> Option<&Pbx> {
    pbxes.get(device as usize % pbxes.len().max(1))
}

/// The line that tells how it goes.
struct Progress {
    begin: Instant,
    shown: Instant,
    done: u64,
    done_when_shown: u64,
    /// The worst since it was last shown.
    behind: Duration,
}

impl Progress {
    #[allow(clippy::cast_precision_loss, reason = "changes of one second")]
    fn show(&mut self, screen: &Screen, calls: &watch::Receiver<Calls>) {
        let since = self.shown.elapsed();
        if since < SHOW_EVERY {
            return;
        }
        let Calls { made, failed, .. } = calls.borrow().clone();
        screen.progress(&format!(
            "{:>5} s  {:>8} changes  {:>7.1}/s  at most {:.1} ms behind  {made} calls, {failed} failed",
            self.begin.elapsed().as_secs(),
            self.done,
            (self.done - self.done_when_shown) as f64 / since.as_secs_f64(),
            self.behind.as_secs_f64() * 1000.0
        ));
        (self.shown, self.done_when_shown, self.behind) = (Instant::now(), self.done, Duration::ZERO);
    }
}

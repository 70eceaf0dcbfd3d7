//! Thousands of devices at once: do all arrive, and how fast.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use lab::{Mark, Pbx};
use serde::Serialize;

use crate::output::{Cell, number, text};

/// Nothing new for so long, and what is missing counts as missing.
const SILENCE_MAX: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What became of a burst at one server.
#[derive(Serialize)]
pub(super) struct Burst {
    from: &'static str,
    to: &'static str,
    devices: usize,
    missing: usize,
    /// From the first change sent to the last one seen.
    seconds: f64,
    devices_per_second: f64,
}

/// Sets so many new devices at one server, as fast as its AMI takes them, and watches it and the targets.
pub(super) async fn measure(from: &Pbx, targets: &[&Pbx], devices: u32) -> Result<Vec<Burst>> {
    let run = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let prefix = format!("Custom:burst-{run:x}-");
    let names: Vec<String> = (0..devices).map(|index| format!("{prefix}{index}")).collect();
    let watched: Vec<(&Pbx, Mark)> =
        std::iter::once(&from).chain(targets).map(|pbx| (*pbx, pbx.mark())).collect();
    let start = Instant::now();
    let mut replies = Vec::new();
    for name in &names {
        replies.push(from.start_set(name, "INUSE").await?);
    }
    for reply in replies {
        reply.response().await?;
    }
    let mut bursts = Vec::new();
    for (pbx, mark) in watched {
        let arrivals = arrivals(pbx, mark, &prefix, names.len()).await;
        let seconds =
            arrivals.values().max().map_or(0.0, |last| last.saturating_duration_since(start).as_secs_f64());
        let arrived = u32::try_from(arrivals.len()).map_or(0.0, f64::from);
        bursts.push(Burst {
            from: from.spec.name,
            to: pbx.spec.name,
            devices: names.len(),
            missing: names.len() - arrivals.len(),
            seconds,
            devices_per_second: if seconds > 0.0 { arrived / seconds } else { 0.0 },
        });
    }
    for name in &names {
        from.forget(name).await?;
    }
    Ok(bursts)
}

/// When each device was seen first.
async fn arrivals(pbx: &Pbx, mark: Mark, prefix: &str, expected: usize) -> HashMap<Vec<u8>, Instant> {
    let mut seen = HashMap::new();
    let mut changed = Instant::now();
    loop {
        let before = seen.len();
        let events = pbx.ami.events().since(mark, |event| {
            let device = event.bytes("Device").filter(|device| device.starts_with(prefix.as_bytes()))?;
            event.is("State", "INUSE").then(|| (device.to_vec(), event.at))
        });
        for (device, at) in events {
            seen.entry(device).or_insert(at);
        }
        if seen.len() > before {
            changed = Instant::now();
        }
        if seen.len() >= expected || changed.elapsed() > SILENCE_MAX {
            return seen;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Burst {
    pub(super) fn row(&self) -> Vec<Cell> {
        let own = if self.from == self.to { " (its own events)" } else { "" };
        vec![
            text(format!("{} -> {}{own}", self.from, self.to)),
            number(self.devices.to_string()),
            number(self.missing.to_string()),
            number(format!("{:.2}", self.seconds)),
            number(format!("{:.0}", self.devices_per_second)),
        ]
    }
}

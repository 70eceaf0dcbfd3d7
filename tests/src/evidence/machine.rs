//! The machine and the versions of what runs on it.

use std::fs::read_to_string;

use anyhow::Result;
use lab::{Ami, Lab};

/// How busy all processors were, in the kernel's ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Processor {
    busy: u64,
    all: u64,
}

impl Processor {
    /// Since the machine started.
    pub(super) fn now() -> Result<Self> {
        Ok(Self::parse(&read_to_string("/proc/stat")?))
    }

    /// user nice system idle iowait irq softirq steal.
    fn parse(stat: &str) -> Self {
        let line = stat.lines().next().unwrap_or_default();
        let ticks: Vec<u64> =
            line.split_whitespace().skip(1).take(8).filter_map(|tick| tick.parse().ok()).collect();
        let idle: u64 = ticks.iter().skip(3).take(2).sum();
        let all = ticks.iter().sum();
        Self { busy: all - idle, all }
    }

    /// Adds what was between two moments.
    pub(super) fn add(&mut self, from: Self, to: Self) {
        self.busy += to.busy.saturating_sub(from.busy);
        self.all += to.all.saturating_sub(from.all);
    }

    /// Percent of all processors together.
    #[allow(clippy::cast_precision_loss, reason = "ticks of minutes")]
    pub(super) fn percent(self) -> Option<f64> {
        (self.all > 0).then(|| 100.0 * self.busy as f64 / self.all as f64)
    }
}

/// Lines of a table: what, and which.
pub(super) async fn describe(lab: &Lab, pbx: &Ami) -> Result<Vec<(&'static str, String)>> {
    let docker = lab.docker();
    let core = pbx.action("CoreSettings", &[]).await?;
    let corosync = docker.exec("east-pbx1-corosync", &["corosync", "-v"]).await?;
    let node = docker.exec("east-node1", &["asterism-node", "--version"]).await;
    let cpuinfo = read_to_string("/proc/cpuinfo")?;
    let model = value(&cpuinfo, "model name").unwrap_or("not told");
    let meminfo = read_to_string("/proc/meminfo")?;
    let kilobytes: f64 =
        value(&meminfo, "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok()).unwrap_or(0.0);
    Ok(vec![
        ("processors", format!("{} ({model})", cpuinfo.matches("processor\t").count())),
        ("memory", format!("{:.1} GB", kilobytes * 1024.0 / 1e9)),
        ("kernel", read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned()),
        (
            "load average before",
            read_to_string("/proc/loadavg")?.split(' ').take(3).collect::<Vec<_>>().join(" "),
        ),
        ("Asterisk", core.field("AsteriskVersion").unwrap_or_default().into_owned()),
        ("corosync", corosync.lines().next().unwrap_or_default().to_owned()),
        ("asterism-node", node.unwrap_or_else(|_| env!("CARGO_PKG_VERSION").to_owned())),
        ("source", source().await),
    ])
}

/// The commit, where there is git.
async fn source() -> String {
    let describe = ["describe", "--always", "--dirty", "--tags"];
    let output = tokio::process::Command::new("git").args(describe).output().await;
    match output {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "not told".to_owned(),
    }
}

fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_and_waiting_are_not_busy() {
        let from = Processor::parse("cpu  100 0 50 1000 10 0 5 5 0 0\ncpu0 1 1 1 1");
        let to = Processor::parse("cpu  140 0 60 1040 20 0 5 5 0 0");
        let mut sum = Processor::default();
        assert_eq!(sum.percent(), None);
        sum.add(from, to);
        assert_eq!(sum.percent(), Some(50.0));
    }

    #[test]
    fn a_value_stands_behind_its_colon() {
        assert_eq!(value("MemTotal:       24684764 kB\nMemFree: 1 kB", "MemTotal"), Some("24684764 kB"));
        assert_eq!(value("", "model name"), None);
    }
}

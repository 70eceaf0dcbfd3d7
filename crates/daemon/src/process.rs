//! What this process uses, under the names that Prometheus' own client libraries give it.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use std::fmt;
use std::fs;

/// Adds what this process uses, read from `/proc` at each scrape. What cannot be read is left out.
pub(crate) fn register(registry: &mut Registry) {
    let booted_unix_s = fs::read_to_string("/proc/stat").ok().and_then(|text| booted_unix_s(&text));
    registry.register_collector(Box::new(Process { booted_unix_s }));
}

#[derive(Debug)]
struct Process {
    /// When the machine started, since the epoch.
    booted_unix_s: Option<f64>,
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stat = fs::read_to_string("/proc/self/stat").ok().and_then(|text| Stat::parse(&text));
        let (ticks_per_s, page_bytes) = (clock_ticks_per_second() as f64, page_size() as f64);
        if let Some(stat) = &stat {
            let cpu = ConstCounter::new(stat.cpu_ticks / ticks_per_s);
            let help = "Time that this process has been computing, for itself and in the kernel";
            cpu.encode(encoder.encode_descriptor("process_cpu_seconds", help, None, cpu.metric_type())?)?;
        }
        let mut gauge = |name: &str, help: &str, value: Option<f64>| {
            let Some(gauge) = value.map(ConstGauge::new) else { return Ok(()) };
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        let resident = stat.as_ref().map(|stat| stat.resident_pages * page_bytes);
        gauge("process_resident_memory_bytes", "Memory of this process that is in RAM", resident)?;
        // The folder lists the handle by which it is read, too.
        let open = fs::read_dir("/proc/self/fd").ok().map(|folder| folder.count().saturating_sub(1) as f64);
        gauge("process_open_fds", "Files and sockets that this process has open", open)?;
        let limit = getrlimit(Resource::Nofile).current.map_or(f64::INFINITY, |limit| limit as f64);
        gauge("process_max_fds", "Files and sockets that this process may have open", Some(limit))?;
        let started =
            stat.zip(self.booted_unix_s).map(|(stat, booted)| booted + stat.start_ticks / ticks_per_s);
        gauge("process_start_time_seconds", "When this process started, since the epoch", started)
    }
}

/// Some of `/proc/self/stat`.
#[derive(PartialEq, Debug)]
struct Stat {
    cpu_ticks: f64,
    /// Since the machine started.
    start_ticks: f64,
    resident_pages: f64,
}

impl Stat {
    /// The fields are counted from the end of the second one, the program's name, which may hold anything (proc(5)).
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // The first of them is the third of all.
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Self { cpu_ticks: field(14)? + field(15)?, start_ticks: field(22)?, resident_pages: field(24)? })
    }
}

fn booted_unix_s(text: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::time::{SystemTime, UNIX_EPOCH};

    #[test]
    fn a_name_with_spaces_and_brackets_moves_no_field() {
        let text =
            "7 (a) b) S 1 7 7 0 -1 4194560 900 0 1 0 250 50 0 0 20 0 4 0 123456 9000000 2048 184 1 1\n";
        let expected = Stat { cpu_ticks: 300.0, start_ticks: 123_456.0, resident_pages: 2048.0 };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse("7 (a) S 1"), None);
        assert_eq!(booted_unix_s("cpu 1 2\nbtime 1795460000\nprocesses 9\n"), Some(1_795_460_000.0));
    }

    #[test]
    fn what_this_process_uses_is_told() {
        let mut registry = Registry::default();
        register(&mut registry);
        let text = crate::metrics::encode(&registry);
        let values: BTreeMap<&str, f64> = text
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
            .collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        // The machine's start is told in whole seconds.
        assert!((now - 3_600.0..now + 2.0).contains(&values["process_start_time_seconds"]), "{text}");
        assert!(values["process_resident_memory_bytes"] > 100_000.0, "{text}");
        assert!((3.0..values["process_max_fds"]).contains(&values["process_open_fds"]), "{text}");
        assert!(values["process_cpu_seconds_total"] >= 0.0, "{text}");
    }
}

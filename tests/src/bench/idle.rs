//! What a node takes when nothing happens: processor time and memory of its process, as this host's kernel counts them.

use std::time::Duration;

use anyhow::{Context, Result};
use lab::{Docker, NODES};
use serde::Serialize;

/// Linux reports processor time to programs in hundredths of a second on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// A node at rest.
#[derive(Serialize)]
pub(super) struct Idle {
    pub(super) node: String,
    /// Of one processor.
    pub(super) cpu_percent: f64,
    pub(super) rss_megabytes: f64,
}

/// Watches all nodes that run.
pub(super) async fn watch(docker: &Docker, time: Duration) -> Result<Vec<Idle>> {
    let mut processes = Vec::new();
    for node in &NODES {
        if let Ok(container) = docker.container(node.name).await
            && container.pid != 0
        {
            processes.push((node.name, container.pid, ticks(container.pid)?));
        }
    }
    tokio::time::sleep(time).await;
    let finish = |(node, pid, before): (&str, u32, f64)| {
        let cpu_percent = (ticks(pid)? - before) / TICKS_PER_SECOND / time.as_secs_f64() * 100.0;
        Ok(Idle { node: node.to_owned(), cpu_percent, rss_megabytes: rss_megabytes(pid)? })
    };
    processes.into_iter().map(finish).collect()
}

fn ticks(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    parse_ticks(&stat).context("/proc/PID/stat is not as expected")
}

fn rss_megabytes(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    parse_rss(&status).context("/proc/PID/status is not as expected")
}

/// User and system time; the program's name may contain anything, its end is the last bracket.
fn parse_ticks(stat: &str) -> Option<f64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn parse_rss(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_a_strange_name() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 5 0 100 1 2";
        assert_eq!(parse_ticks(stat), Some(300.0));
        assert_eq!(parse_ticks("7 (a"), None);
    }

    #[test]
    fn memory_is_read_in_megabytes() {
        assert_eq!(parse_rss("Name:\tx\nVmRSS:\t   15625 kB\n"), Some(16.0));
        assert_eq!(parse_rss("Name:\tx\n"), None);
    }
}

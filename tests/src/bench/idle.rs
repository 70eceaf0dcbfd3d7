//! What a node takes when nothing happens: processor time and memory of its process, as this host's kernel counts them.

use std::time::Duration;

use anyhow::{Context, Result};
use lab::{Docker, NODES, processor_time};
use serde::Serialize;

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
            processes.push((node.name, container.pid, worked(container.pid)?));
        }
    }
    tokio::time::sleep(time).await;
    let finish = |(node, pid, before): (&str, u32, Duration)| {
        let cpu_percent = (worked(pid)? - before).as_secs_f64() / time.as_secs_f64() * 100.0;
        Ok(Idle { node: node.to_owned(), cpu_percent, rss_megabytes: rss_megabytes(pid)? })
    };
    processes.into_iter().map(finish).collect()
}

fn worked(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    processor_time(&stat).context("/proc/PID/stat is not as expected")
}

fn rss_megabytes(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    parse_rss(&status).context("/proc/PID/status is not as expected")
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
    fn memory_is_read_in_megabytes() {
        assert_eq!(parse_rss("Name:\tx\nVmRSS:\t   15625 kB\n"), Some(16.0));
        assert_eq!(parse_rss("Name:\tx\n"), None);
    }
}

//! What a process takes, as this host's kernel counts it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Docker, processor_time};

/// The first process of a service's container.
pub(super) struct Process {
    pub(super) service: String,
    pid: u32,
}

impl Process {
    pub(super) async fn of(docker: &Docker, service: &str) -> Result<Self> {
        let pid = docker.container(service).await?.pid;
        ensure!(pid != 0, "{service} does not run");
        Ok(Self { service: service.to_owned(), pid })
    }

    /// User and system time since it began.
    pub(super) fn worked(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        processor_time(&stat).context("/proc/PID/stat is not as expected")
    }

    /// Resident memory in MiB.
    pub(super) fn rss_mib(&self) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        parse_rss(&status).context("/proc/PID/status is not as expected")
    }
}

fn parse_rss(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_mebibytes() {
        assert_eq!(parse_rss("Name:\tx\nVmRSS:\t   16384 kB\n"), Some(16.0));
        assert_eq!(parse_rss("Name:\tx\n"), None);
    }
}

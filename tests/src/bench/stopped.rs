//! Services that rest while something is measured.

use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Result;
use lab::{Docker, Lab, NODES, NodeSpec, SERVERS};

/// What watches the lab; its canaries and scrapes would be measured too.
pub(crate) const WATCHING: [&str; 5] =
    ["east-exporter", "west-exporter", "sites-exporter", "prometheus", "grafana"];

const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// Measures a node that is alone with whoever speaks to it: every Asterisk, the other nodes and what watches the lab rest; the ring stays as
/// large as it is. The node begins anew before and after, and owes nobody anything.
pub(super) async fn alone<T>(lab: &Lab, node: &NodeSpec, work: impl Future<Output = Result<T>>) -> Result<T> {
    let others = NODES.iter().filter(|other| *other != node).map(|other| other.name);
    let resting: Vec<_> = others.chain(SERVERS.iter().map(|server| server.name)).chain(WATCHING).collect();
    let resting = Stopped::stop_running(lab.docker(), &resting).await?;
    lab.faults().restart(&[node.name]).await?;
    let measured = work.await;
    lab.faults().restart(&[node.name]).await?;
    resting.start(lab).await?;
    measured
}

/// Services that were stopped for a while; they are started again whatever happens.
pub(crate) struct Stopped {
    docker: Docker,
    services: Vec<&'static str>,
    containers: Vec<String>,
}

impl Stopped {
    pub(crate) async fn stop(docker: Docker, services: &[&'static str]) -> Result<Self> {
        let mut stopped = Self { docker, services: Vec::new(), containers: Vec::new() };
        for service in services {
            let container = stopped.docker.container(service).await?;
            stopped.services.push(service);
            stopped.containers.push(container.id);
        }
        if !services.is_empty() {
            stopped.docker.stop(services).await?;
        }
        Ok(stopped)
    }

    /// Of these services those that run: not every lab has all of them.
    pub(crate) async fn stop_running(docker: Docker, services: &[&'static str]) -> Result<Self> {
        let there = docker.containers().await?;
        let runs = |service: &&&str| there.iter().any(|found| found.service == **service && found.is_well());
        let services: Vec<_> = services.iter().filter(runs).copied().collect();
        Self::stop(docker, &services).await
    }

    /// Starts them and waits until all of the lab is in service again.
    pub(crate) async fn start(self, lab: &Lab) -> Result<()> {
        let (docker, services) = (self.docker.clone(), self.services.clone());
        drop(self);
        docker.healthy(&services, READY_TIMEOUT).await?;
        let deadline = Instant::now() + READY_TIMEOUT;
        for node in &NODES {
            let left = deadline.saturating_duration_since(Instant::now());
            lab.node(node)?.becomes_ready(left, Duration::from_millis(100)).await?;
        }
        Ok(())
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        if self.containers.is_empty() {
            return;
        }
        let mut docker = std::process::Command::new("docker");
        docker.arg("start").args(&self.containers).stdout(Stdio::null());
        if !docker.status().is_ok_and(|status| status.success()) {
            eprintln!("could not start again: {}; `just up` will", self.services.join(", "));
        }
    }
}

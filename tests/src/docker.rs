//! The containers of a compose project, by the docker CLI and the labels that compose writes.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::process::processor_time;

/// One container of the project, as docker sees it.
#[derive(Clone, Debug)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// Its compose service.
    pub service: String,
    /// `running`, `exited`, `paused`, …
    pub state: String,
    /// `healthy`, `starting`, `unhealthy`; `None` without a health check.
    pub health: Option<String>,
    /// Start time as docker writes it (RFC 3339).
    pub started_at: String,
    /// The first process as the host sees it; 0 when it does not run.
    pub pid: u32,
}

impl Container {
    /// Runs and, if it has a health check, passes it.
    pub fn is_well(&self) -> bool {
        self.state == "running" && self.health.as_deref().is_none_or(|health| health == "healthy")
    }
}

/// The containers of a compose project.
#[derive(Clone, Debug)]
pub struct Docker {
    /// Compose's project name.
    pub project: String,
}

impl Docker {
    /// All containers of the project, running or not, by service.
    pub async fn containers(&self) -> Result<Vec<Container>> {
        let filter = format!("label=com.docker.compose.project={}", self.project);
        let ids = docker(&["ps", "-aq", "--no-trunc", "--filter", &filter]).await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut arguments = vec!["inspect"];
        arguments.extend(ids.lines());
        let mut containers = parse_inspect(&docker(&arguments).await?)?;
        containers.sort_by(|one, other| one.service.cmp(&other.service));
        Ok(containers)
    }

    /// The container of a service.
    pub async fn container(&self, service: &str) -> Result<Container> {
        let found = self.containers().await?.into_iter().find(|container| container.service == service);
        found.with_context(|| format!("{service} is not in the lab {}", self.project))
    }

    /// Ends the services' first processes at once, as a power cut would; no restart policy brings them back.
    pub async fn kill(&self, services: &[&str]) -> Result<()> {
        self.each(&["kill"], services).await
    }

    /// Asks the services to end (SIGTERM) and waits for it.
    pub async fn stop(&self, services: &[&str]) -> Result<()> {
        self.each(&["stop"], services).await
    }

    /// Starts services that have ended.
    pub async fn start(&self, services: &[&str]) -> Result<()> {
        self.each(&["start"], services).await
    }

    /// Sends a signal to the services' first processes.
    pub async fn signal(&self, name: &str, services: &[&str]) -> Result<()> {
        self.each(&["kill", "--signal", name], services).await
    }

    /// Waits until the services are healthy.
    pub async fn healthy(&self, services: &[&str], timeout: Duration) -> Result<()> {
        let deadline = tokio::time::Instant::now() + timeout;
        loop {
            let containers = self.containers().await?;
            let ill: Vec<&str> = services
                .iter()
                .copied()
                .filter(|service| {
                    !containers.iter().any(|found| found.service == *service && found.is_well())
                })
                .collect();
            if ill.is_empty() {
                return Ok(());
            }
            ensure!(tokio::time::Instant::now() < deadline, "not healthy in time: {}", ill.join(", "));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Runs a command in a service's container and returns its output.
    pub async fn exec(&self, service: &str, command: &[&str]) -> Result<String> {
        self.exec_with_input(service, command, "").await
    }

    /// Like [`Docker::exec`], with something to read on standard input.
    pub async fn exec_with_input(&self, service: &str, command: &[&str], input: &str) -> Result<String> {
        let container = self.container(service).await?;
        let mut arguments = vec!["exec", "--interactive", container.id.as_str()];
        arguments.extend(command);
        docker_with_input(&arguments, input).await
    }

    /// The processor time that a service's first process has taken since it began.
    pub async fn processor_time(&self, service: &str) -> Result<Duration> {
        let stat = self.exec(service, &["cat", "/proc/1/stat"]).await?;
        processor_time(&stat).context("/proc/1/stat is not as expected")
    }

    /// What a service has logged since a moment, both streams together.
    pub async fn logs(&self, service: &str, since: SystemTime) -> Result<String> {
        let container = self.container(service).await?;
        let since = since.duration_since(UNIX_EPOCH)?;
        let since = format!("{}.{:09}", since.as_secs(), since.subsec_nanos());
        let output = Command::new("docker")
            .args(["logs", "--since", &since, &container.id])
            .stdin(Stdio::null())
            .output()
            .await?;
        let text = [output.stdout, output.stderr].concat();
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    async fn each(&self, command: &[&str], services: &[&str]) -> Result<()> {
        let containers = self.containers().await?;
        let mut arguments = command.to_vec();
        for service in services {
            let found = containers.iter().find(|container| container.service == *service);
            arguments
                .push(&found.with_context(|| format!("{service} is not in the lab {}", self.project))?.id);
        }
        docker(&arguments).await.map(drop)
    }
}

/// Runs the docker CLI and returns what it prints; its complaint becomes the error.
pub async fn docker(arguments: &[&str]) -> Result<String> {
    docker_with_input(arguments, "").await
}

/// Like [`docker`], with something to read on standard input: the place for what must not stand in a process list.
pub(crate) async fn docker_with_input(arguments: &[&str], input: &str) -> Result<String> {
    let mut child = Command::new("docker")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot run docker")?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command that does not read its input may have ended already.
        drop(stdin.write_all(input.as_bytes()).await);
    }
    let output = child.wait_with_output().await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if !output.status.success() {
        let verb = arguments.first().copied().unwrap_or_default();
        bail!("docker {verb}: {} {}", text(&output.stdout), text(&output.stderr));
    }
    Ok(text(&output.stdout))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    id: String,
    state: InspectedState,
    config: InspectedConfig,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedState {
    status: String,
    started_at: String,
    pid: u32,
    health: Option<InspectedHealth>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedHealth {
    status: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedConfig {
    labels: BTreeMap<String, String>,
}

fn parse_inspect(json: &str) -> Result<Vec<Container>> {
    let inspected: Vec<Inspected> = serde_json::from_str(json)?;
    Ok(inspected
        .into_iter()
        .map(|container| Container {
            id: container.id,
            service: container.config.labels.get("com.docker.compose.service").cloned().unwrap_or_default(),
            state: container.state.status,
            health: container.state.health.map(|health| health.status),
            started_at: container.state.started_at,
            pid: container.state.pid,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_well_when_it_runs_and_is_not_unhealthy() {
        let json = r#"[{"Id":"a","State":{"Status":"running","StartedAt":"2026-01-01T00:00:00Z","Pid":5,"Health":{"Status":"starting"}},
            "Config":{"Labels":{"com.docker.compose.service":"east-pbx1"}}},
            {"Id":"b","State":{"Status":"running","StartedAt":"","Pid":6},"Config":{"Labels":{}}},
            {"Id":"c","State":{"Status":"exited","StartedAt":"","Pid":0},"Config":{"Labels":{}}}]"#;
        let containers = parse_inspect(json).unwrap();
        assert_eq!(containers[0].service, "east-pbx1");
        assert_eq!(containers.iter().map(Container::is_well).collect::<Vec<_>>(), [false, true, false]);
    }
}

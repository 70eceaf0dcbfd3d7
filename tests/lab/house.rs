//! The suite's own lab: planned beside whatever else runs here, brought up once, healthy between scenarios, gone at the end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use lab::{Kind, Lab, NODES, SERVERS, Secrets, WEST_NODES, WEST_SERVERS, docker, env_values};
use testcontainers::compose::DockerCompose;

use crate::stage::POLL;
use crate::{Subject, sites};

/// The services that measure propagation, at each site and between them.
pub(crate) const EXPORTERS: [&str; 3] = ["east-exporter", "west-exporter", "sites-exporter"];
const HEALTH_TIMEOUT: Duration = Duration::from_secs(40);

pub(crate) struct House {
    pub(crate) lab: Lab,
    subject: Subject,
    compose: Option<DockerCompose>,
}

impl House {
    /// Chooses a name, a network and passwords; starts nothing.
    pub(crate) async fn plan(subject: Subject) -> Result<Self> {
        remove_orphans().await?;
        let secrets = Secrets { ami: secret()?, sip: secret()?, node: secret()? };
        let nodes = matches!(subject, Subject::Node | Subject::Sites);
        let west = |count: usize| if subject == Subject::Sites { count } else { 0 };
        let net = free_network(&[]).await?;
        let lab = Lab {
            project: format!("{}{}", prefix()?, std::process::id()),
            west_net: if subject == Subject::Sites { Some(free_network(&[&net]).await?) } else { None },
            net,
            secrets,
            servers: SERVERS
                .iter()
                .filter(|server| nodes || server.kind == Kind::Stock)
                .chain(WEST_SERVERS.iter().take(west(WEST_SERVERS.len())))
                .collect(),
            nodes: NODES
                .iter()
                .filter(|_| nodes)
                .chain(WEST_NODES.iter().take(west(WEST_NODES.len())))
                .collect(),
        };
        Ok(Self { lab, subject, compose: None })
    }

    /// Starts all containers and waits until they are healthy and the nodes ready.
    pub(crate) async fn bring_up(&mut self) -> Result<()> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let more: &[&str] = match self.subject {
            Subject::Stock => &["lab/stock.yaml"],
            Subject::Mixed => &["lab/mixed.yaml"],
            Subject::Node => &["../compose/monitoring.yaml"],
            Subject::Sites => {
                &["../compose/west.yaml", "../compose/monitoring.yaml", "../compose/monitoring-sites.yaml"]
            }
        };
        let files = ["../compose/compose.yaml"].iter().chain(more);
        let files: Vec<PathBuf> =
            files.map(|file| here.join(file).canonicalize()).collect::<Result<_, _>>()?;
        let events = events_folder(&self.lab.project);
        // As `just up` does it; without any event Prometheus would miss a source.
        lab::event_in(&events, "up", &self.lab.project).await?;
        let Secrets { ami, sip, node } = self.lab.secrets.clone();
        let mut compose = DockerCompose::with_local_client(files.as_slice())
            .with_project_name(&self.lab.project)
            .with_env("COMPOSE_PROJECT_NAME", &self.lab.project)
            .with_env("EAST_NET", &self.lab.net)
            .with_env("AMI_SECRET", ami)
            .with_env("SIP_SECRET", sip)
            .with_env("NODE_TOKEN", node)
            .with_env("EVENTS_FOLDER", events.display().to_string())
            .with_env("PUBLISH_SECRET", secret()?)
            .with_env("COROSYNC_KEY", key()?);
        if let Some(net) = &self.lab.west_net {
            compose = compose.with_env("WEST_NET", net);
            // The keys are made once for a checkout, as `just up` does it.
            for (name, value) in env_values()? {
                if name.starts_with("KEY_") || name.starts_with("PRINT_") {
                    compose = compose.with_env(name, value);
                }
            }
        }
        self.compose.insert(compose).up().await?;
        self.restore().await
    }

    /// Undoes what a scenario has broken and left broken, and waits for health. Exporters, whose canaries never rest, run only
    /// while a scenario wants them.
    pub(crate) async fn restore(&self) -> Result<()> {
        let containers = self.lab.docker().containers().await?;
        let runs =
            |name: &&str| containers.iter().any(|found| found.service == *name && found.state == "running");
        let running: Vec<&str> = EXPORTERS.into_iter().filter(runs).collect();
        if !running.is_empty() {
            self.lab.docker().stop(&running).await?;
        }
        self.lab.faults().heal(&EXPORTERS).await?;
        if self.subject == Subject::Sites {
            self.lab.wan()?.set(&sites::calm()).await?;
        }
        self.ready().await
    }

    /// After a failure: servers that know nothing of it.
    pub(crate) async fn renew(&self) -> Result<()> {
        let servers: Vec<&str> = self.lab.servers.iter().map(|server| server.name).collect();
        self.lab.faults().restart(&servers).await?;
        self.ready().await
    }

    async fn ready(&self) -> Result<()> {
        let services = self.services();
        self.lab.docker().healthy(&services, HEALTH_TIMEOUT).await?;
        for node in &self.lab.nodes {
            self.lab.node(node)?.becomes_ready(HEALTH_TIMEOUT, POLL).await?;
        }
        if self.subject == Subject::Sites {
            sites::linked(&self.lab, HEALTH_TIMEOUT).await?;
        }
        Ok(())
    }

    fn services(&self) -> Vec<&'static str> {
        let nodes = self.lab.nodes.iter().map(|node| node.name);
        self.lab.servers.iter().map(|server| server.name).chain(nodes).collect()
    }

    /// For a lab that does not come up: what its containers said last.
    pub(crate) async fn show_ends_of_logs(&self) {
        for container in self.lab.docker().containers().await.unwrap_or_default() {
            if !container.is_well() {
                println!("-- {} is {} ({:?}):", container.service, container.state, container.health);
                let logs = self
                    .lab
                    .docker()
                    .logs(&container.service, std::time::UNIX_EPOCH)
                    .await
                    .unwrap_or_default();
                let lines: Vec<&str> = logs.lines().collect();
                println!("{}", lines[lines.len().saturating_sub(15)..].join("\n"));
            }
        }
    }

    /// Removes everything that carries the project's name.
    pub(crate) async fn tear_down(self) {
        if let Err(error) = remove(&self.lab.project).await {
            println!("the lab {} is not wholly removed: {error:#}", self.lab.project);
        }
        if let Some(folder) = events_folder(&self.lab.project).parent() {
            drop(std::fs::remove_dir_all(folder));
        }
        // It would ask compose to remove the same again, without the environment that the compose file demands.
        std::mem::forget(self.compose);
    }
}

/// Where the events of a lab are written and its Prometheus reads them.
pub(crate) fn events_folder(project: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(project).join("events")
}

/// At once, without asking the programs to end: nothing of it is to be kept.
async fn remove(project: &str) -> Result<()> {
    let compose = format!("label=com.docker.compose.project={project}");
    let phones = format!("label=asterism.lab={project}");
    for filter in [&phones, &compose] {
        let ids = docker(&["ps", "-aq", "--filter", filter]).await?;
        each(&["rm", "--force", "--volumes"], &ids).await?;
    }
    for kind in ["network", "volume"] {
        let ids = docker(&[kind, "ls", "-q", "--filter", &compose]).await?;
        each(&[kind, "rm"], &ids).await?;
    }
    Ok(())
}

async fn each(command: &[&str], ids: &str) -> Result<()> {
    if !ids.is_empty() {
        let arguments: Vec<&str> = command.iter().copied().chain(ids.lines()).collect();
        docker(&arguments).await?;
    }
    Ok(())
}

/// What the names of this machine's test labs begin with. A process id means something in its own namespace only: a run in
/// another container on the same docker must not take our lab for an orphan.
fn prefix() -> Result<String> {
    let namespace = std::fs::read_link("/proc/self/ns/pid")?;
    let number: String = namespace.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    Ok(format!("asterism-test-{number}-"))
}

/// Removes labs of earlier runs that were killed before they could tidy up: their process is gone.
async fn remove_orphans() -> Result<()> {
    let label = "{{.Label \"com.docker.compose.project\"}}";
    let projects = docker(&["network", "ls", "--format", label]).await?;
    let prefix = prefix()?;
    for project in projects.lines() {
        let pid = project.strip_prefix(prefix.as_str()).and_then(|pid| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            remove(project).await?;
        }
    }
    Ok(())
}

/// A network 198.19.N that no docker network of this host uses, and is none of these.
async fn free_network(taken: &[&str]) -> Result<String> {
    let ids = docker(&["network", "ls", "-q"]).await?;
    let mut arguments = vec!["network", "inspect", "-f", "{{range .IPAM.Config}}{{.Subnet}} {{end}}"];
    arguments.extend(ids.lines());
    let used = docker(&arguments).await?;
    let first = std::process::id() % 250;
    let candidates = (0..250).map(|offset| format!("198.19.{}", (first + offset) % 250));
    let is_free = |net: &String| !used.contains(&format!("{net}.")) && !taken.contains(&net.as_str());
    let mut free = candidates.filter(is_free);
    free.next().context("no network 198.19.N is free")
}

fn secret() -> Result<String> {
    random_hex(16)
}

/// corosync wants between 128 and 4096 bytes; the lab writes them in hexadecimal digits.
fn key() -> Result<String> {
    random_hex(128)
}

fn random_hex(bytes: usize) -> Result<String> {
    use std::io::Read;
    let mut buffer = vec![0; bytes];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut buffer)?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

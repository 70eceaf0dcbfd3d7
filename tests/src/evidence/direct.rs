//! Two more Asterisk servers that PUBLISH to each other, with nothing in between. They exist while they are measured.

use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::{Lab, docker};

const IMAGE: &str = "asterism/asterisk";
const READY_TIMEOUT: Duration = Duration::from_secs(60);
/// Name, last number of the address, last number of the entity id.
const SERVERS: [(&str, u8, &str); 2] = [("direct1", 231, "31"), ("direct2", 232, "32")];

/// The two containers; dropping this removes them.
pub(super) struct Direct {
    containers: Vec<String>,
}

impl Direct {
    /// Starts both and waits until they are healthy.
    pub(super) async fn start(lab: &Lab) -> Result<Self> {
        let mut direct = Self { containers: Vec::new() };
        for ((name, host, eid), (_, other, _)) in SERVERS.into_iter().zip(SERVERS.into_iter().rev()) {
            let container = format!("{}-{name}", lab.project);
            // Left behind by a run that was killed.
            drop(docker(&["rm", "--force", &container]).await);
            direct.containers.push(container.clone());
            start(lab, &container, name, lab.address(host)?, eid, lab.address(other)?).await?;
        }
        let deadline = Instant::now() + READY_TIMEOUT;
        for container in &direct.containers {
            while docker(&["inspect", "-f", "{{.State.Health.Status}}", container]).await? != "healthy" {
                ensure!(
                    Instant::now() < deadline,
                    "{container} does not get healthy; docker logs {container}"
                );
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        Ok(direct)
    }

    /// Name and address of each.
    pub(super) fn servers(lab: &Lab) -> Result<Vec<(&'static str, Ipv4Addr)>> {
        SERVERS.iter().map(|(name, host, _)| Ok((*name, lab.address(*host)?))).collect()
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        let mut docker = std::process::Command::new("docker");
        docker.args(["rm", "--force"]).args(&self.containers).stdout(Stdio::null()).stderr(Stdio::null());
        if !docker.status().is_ok_and(|status| status.success()) {
            eprintln!("could not remove {}; docker rm --force will", self.containers.join(" "));
        }
    }
}

/// The secrets go in by this process' environment: no command line shows them.
async fn start(
    lab: &Lab,
    container: &str,
    name: &str,
    address: Ipv4Addr,
    eid: &str,
    other: Ipv4Addr,
) -> Result<()> {
    let values = [
        ("NAME", name.to_owned()),
        ("EID", format!("02:00:00:00:01:{eid}")),
        ("LAB_NET", lab.net.clone()),
        ("ROLE", "publish".to_owned()),
        ("PHONES", "1091".to_owned()),
        ("NODE_ADDRESS", other.to_string()),
        ("NODE_AUTH", "address".to_owned()),
        ("AMI_SECRET", lab.secrets.ami.clone()),
        ("SIP_SECRET", lab.secrets.sip.clone()),
    ];
    let label = format!("asterism.lab={}", lab.project);
    let network = format!("{}_east", lab.project);
    let mut command = tokio::process::Command::new("docker");
    command.args(["run", "--detach", "--rm", "--name", container, "--label", &label]);
    command.args(["--hostname", name, "--network", &network, "--ip", &address.to_string()]);
    command.args(["--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--memory", "768m"]);
    for folder in ["/etc/asterisk:uid=950,gid=950,mode=0700", "/run/asterisk:uid=950,gid=950"] {
        command.args(["--tmpfs", folder]);
    }
    for (key, value) in &values {
        command.args(["--env", key]).env(key, value);
    }
    let output = command.arg(IMAGE).stdin(Stdio::null()).output().await.context("cannot run docker")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "docker run {container}: {}", complaint.trim());
    Ok(())
}

//! Finds a lab: its project, its network, its passwords; and from there its servers, nodes and containers.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::docker::{Docker, docker};
use crate::http::Http;
use crate::node::Node;
use crate::pbx::Pbx;
use crate::prometheus::Prometheus;
use crate::topology::{NODES, NodeSpec, SERVERS, ServerSpec, Site, WEST_NODES, WEST_SERVERS};
use crate::wan::Wan;

/// The last number of Prometheus' address.
const PROMETHEUS_HOST: u8 = 31;
/// The last number of the address of the exporter that looks into both sites.
const SITES_EXPORTER_HOST: u8 = 33;
/// The last number of the wan's address in both networks.
const WAN_HOST: u8 = 41;
const WAN_PORT: u16 = 9474;
/// The exporter lives beside the first node.
const EXPORTER_PORT: u16 = 9711;

/// The passwords of a lab.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// AMI password of the user `lab`.
    pub ami: String,
    /// Digest password of the phones and of `watcher`.
    pub sip: String,
    /// HTTP token of the nodes.
    pub node: String,
}

/// A compose project with the lab in it.
#[derive(Clone, Debug)]
pub struct Lab {
    /// Compose's project name.
    pub project: String,
    /// The first three numbers of the network `east`.
    pub net: String,
    /// The same of the network `west`, where there is one.
    pub west_net: Option<String>,
    /// Its passwords.
    pub secrets: Secrets,
    /// The servers that run: all of them, or fewer.
    pub servers: Vec<&'static ServerSpec>,
    /// The nodes that run.
    pub nodes: Vec<&'static NodeSpec>,
}

impl Lab {
    /// The lab that `just up` started: its project, its network as docker knows it, its passwords from `compose/.env`.
    pub async fn running(project: &str) -> Result<Self> {
        let file = env_file()?;
        let values = env_values()?;
        let value =
            |key: &str| values.get(key).cloned().with_context(|| format!("{} has no {key}", file.display()));
        let secrets =
            Secrets { ami: value("AMI_SECRET")?, sip: value("SIP_SECRET")?, node: value("NODE_TOKEN")? };
        let net = network(&format!("{project}_east"))
            .await
            .context("the lab's network is not there; start the lab with `just up`")?;
        let west_net = network(&format!("{project}_west")).await.ok();
        let west = usize::from(west_net.is_some());
        Ok(Self {
            project: project.to_owned(),
            net,
            secrets,
            servers: SERVERS.iter().chain(WEST_SERVERS.iter().take(west * WEST_SERVERS.len())).collect(),
            nodes: NODES.iter().chain(WEST_NODES.iter().take(west * WEST_NODES.len())).collect(),
            west_net,
        })
    }

    /// The address of a host of the first site.
    pub fn address(&self, host: u8) -> Result<Ipv4Addr> {
        self.place(Site::East, host)
    }

    /// The address of a host of a site.
    pub fn place(&self, site: Site, host: u8) -> Result<Ipv4Addr> {
        let net = match site {
            Site::East => &self.net,
            Site::West => self.west_net.as_ref().context("the lab has no second site (SITES=1)")?,
        };
        format!("{net}.{host}").parse().with_context(|| format!("{net} is no network"))
    }

    /// Connects to a server.
    pub async fn pbx(&self, spec: &'static ServerSpec) -> Result<Pbx> {
        Pbx::connect(spec, self.place(spec.site, spec.host)?, &self.secrets.ami).await
    }

    /// Connects to all servers that run, in the order of [`SERVERS`].
    pub async fn pbxes(&self) -> Result<Vec<Pbx>> {
        let mut all = Vec::new();
        for spec in &self.servers {
            all.push(self.pbx(spec).await?);
        }
        Ok(all)
    }

    /// The HTTP client of a node.
    pub fn node(&self, spec: &'static NodeSpec) -> Result<Node> {
        Ok(Node::new(spec, self.place(spec.site, spec.host)?, &self.secrets.node))
    }

    /// The HTTP client of its exporter.
    pub fn exporter(&self) -> Result<Http> {
        Ok(Http::new((self.address(NODES[0].host)?, EXPORTER_PORT).into(), &self.secrets.node))
    }

    /// The HTTP client of the exporter that looks into both sites.
    pub fn sites_exporter(&self) -> Result<Http> {
        Ok(Http::new((self.address(SITES_EXPORTER_HOST)?, EXPORTER_PORT).into(), &self.secrets.node))
    }

    /// What is between its sites.
    pub fn wan(&self) -> Result<Wan> {
        Ok(Wan::new(Http::new((self.place(Site::West, WAN_HOST)?, WAN_PORT).into(), "")))
    }

    /// Its Prometheus.
    pub fn prometheus(&self) -> Result<Prometheus> {
        Ok(Prometheus::new(self.address(PROMETHEUS_HOST)?))
    }

    /// The project's containers.
    pub fn docker(&self) -> Docker {
        Docker { project: self.project.clone() }
    }
}

/// `compose/.env` of this checkout: below the current directory or one above it, else where this program was built.
fn env_file() -> Result<PathBuf> {
    let here = std::env::current_dir()?;
    let above = here.ancestors().map(|folder| folder.join("compose/.env")).find(|file| file.exists());
    Ok(above.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../compose/.env")))
}

/// The settings and secrets of this checkout's labs.
pub fn env_values() -> Result<BTreeMap<String, String>> {
    let file = env_file()?;
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}; start the lab with `just up`", file.display()))?;
    Ok(parse_env(&text))
}

/// The first three numbers of a docker network.
async fn network(name: &str) -> Result<String> {
    let subnet = docker(&["network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", name]).await?;
    Ok(subnet.rsplit_once('.').with_context(|| format!("{name} has no IPv4 subnet"))?.0.to_owned())
}

fn parse_env(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().trim_matches(['"', '\'']).to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_env_file_is_read_with_comments_and_quotes() {
        let values = parse_env("# secrets\nAMI_SECRET=abc=\nSIP_SECRET=\"d e\"\n\nbroken\n");
        assert_eq!(values.get("AMI_SECRET").map(String::as_str), Some("abc="));
        assert_eq!(values.get("SIP_SECRET").map(String::as_str), Some("d e"));
        assert_eq!(values.len(), 2);
    }
}

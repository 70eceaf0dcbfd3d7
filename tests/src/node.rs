//! A node over HTTP: ready or not, its metrics, the group's members and the states that it knows.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::http::{Http, Metrics};
use crate::topology::NodeSpec;

const HTTP_PORT: u16 = 9710;

/// Who is in the group, as the node sees it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Members {
    /// The CPG group's name.
    pub group: String,
    /// Whether the node is a member.
    pub joined: bool,
    /// Whether the node has told and heard everything since it joined.
    pub synced: bool,
    /// All members.
    pub members: Vec<NodeMember>,
}

/// One member of the group.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NodeMember {
    /// corosync's node id.
    pub nodeid: u32,
    /// The process id as that process sees it.
    pub pid: u32,
    /// The servers that speak through this member.
    #[serde(default)]
    pub eids: Vec<String>,
    /// Its address, once it has announced itself.
    pub address: Option<String>,
    /// Whether it is the node that was asked.
    pub me: bool,
}

/// A link of a node to another site.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct NodeLink {
    /// Its name.
    pub link: String,
    /// Whether it is up.
    pub up: bool,
    /// `udp` (QUIC) or `tcp` (TLS).
    pub transport: String,
    /// The way there and back, in microseconds.
    pub rtt_us: Option<u64>,
    /// How late the last state came over it, in microseconds, where the clocks allow to say so.
    pub lag_us: Option<u64>,
    /// States that wait to be told.
    pub queue: usize,
}

/// What is known of one device.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct DeviceStates {
    /// The device's name.
    pub device: String,
    /// The state that follows from all servers' states.
    pub aggregate: String,
    /// Each server's state.
    pub states: Vec<EidState>,
}

/// What one server says of a device.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct EidState {
    /// The server.
    pub eid: String,
    /// Its state of the device.
    pub state: String,
}

/// The HTTP client of one node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Which node.
    pub spec: &'static NodeSpec,
    http: Http,
}

impl Node {
    pub(crate) fn new(spec: &'static NodeSpec, address: Ipv4Addr, token: &str) -> Self {
        Self { spec, http: Http::new((address, HTTP_PORT).into(), token) }
    }

    /// In the group and synced.
    pub async fn ready(&self) -> Result<bool> {
        Ok(self.fetch("/readyz").await?.0 == 200)
    }

    /// Waits until it is, looking every so often; one that does not answer yet is waited for, too.
    pub async fn becomes_ready(&self, timeout: Duration, look_every: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        while !matches!(self.ready().await, Ok(true)) {
            ensure!(Instant::now() < deadline, "{} does not get ready", self.spec.name);
            tokio::time::sleep(look_every).await;
        }
        Ok(())
    }

    /// All counters and gauges.
    pub async fn metrics(&self) -> Result<Metrics> {
        self.http.metrics().await.with_context(|| format!("from {}", self.spec.name))
    }

    /// The group's members.
    pub async fn members(&self) -> Result<Members> {
        self.json("/v1/members").await?.with_context(|| format!("{} has no /v1/members", self.spec.name))
    }

    /// Its links to other sites.
    pub async fn links(&self) -> Result<Vec<NodeLink>> {
        #[derive(Deserialize)]
        struct All {
            links: Vec<NodeLink>,
        }
        let all: Option<All> = self.json("/v1/links").await?;
        Ok(all.with_context(|| format!("{} has no /v1/links", self.spec.name))?.links)
    }

    /// The states of a device; `None` when no server has one.
    pub async fn states(&self, device: &str) -> Result<Option<DeviceStates>> {
        self.json(&format!("/v1/states/{}", encode(device))).await
    }

    /// The states of all devices.
    pub async fn all_states(&self) -> Result<Vec<DeviceStates>> {
        #[derive(Deserialize)]
        struct All {
            states: Vec<DeviceStates>,
        }
        let all: Option<All> = self.json("/v1/states").await?;
        Ok(all.with_context(|| format!("{} has no /v1/states", self.spec.name))?.states)
    }

    async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>> {
        let (status, body) = self.fetch(path).await?;
        match status {
            200 => Ok(Some(serde_json::from_str(&body).with_context(|| format!("{path}: {body}"))?)),
            404 => Ok(None),
            other => bail!("{} answers {path} with {other}: {body}", self.spec.name),
        }
    }

    /// GETs a path: status and body.
    pub async fn fetch(&self, path: &str) -> Result<(u16, String)> {
        self.http.fetch(path).await.with_context(|| format!("from {}", self.spec.name))
    }
}

fn encode(text: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if safe(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_encoded_for_the_path() {
        assert_eq!(encode("PJSIP/alice"), "PJSIP%2Falice");
        assert_eq!(encode("Custom:a b_c"), "Custom%3Aa%20b_c");
    }

    #[test]
    fn members_and_states_are_read() {
        let json = r#"{"group":"asterisk","joined":true,"synced":true,"me":{"nodeid":21,"pid":1},
            "members":[{"nodeid":1,"pid":1,"eids":["02:00:00:00:01:01"],"address":null,"me":false}]}"#;
        let members: Members = serde_json::from_str(json).unwrap();
        assert_eq!(members.members[0].eids, ["02:00:00:00:01:01"]);
        let json = r#"{"device":"Custom:x","aggregate":"INUSE","states":[{"eid":"02:..","state":"INUSE"}]}"#;
        let states: DeviceStates = serde_json::from_str(json).unwrap();
        assert_eq!(states.aggregate, "INUSE");
    }
}

//! One presence node over HTTP: is it ready, whom does it know, and where has a canary passed?

use super::{Ending, Input, Inputs, http, report};
use crate::canary::Stamp;
use crate::clock::Clock;
use crate::clocks;
use crate::config;
use crate::place::{NodeId, ServerId};
use crate::sources::{Answer, Collector};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

const PERIOD: Duration = Duration::from_secs(5);

/// What a node says of itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Status {
    pub(crate) ready: bool,
    pub(crate) synced: bool,
    pub(crate) members: Vec<Member>,
}

/// A member of the group, as a node knows it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
pub(crate) struct Member {
    nodeid: u32,
    pid: u32,
    eids: Vec<String>,
    address: Option<String>,
    me: bool,
}

#[derive(Deserialize)]
struct Readiness {
    ready: bool,
    synced: bool,
    unix_us: u64,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Stamps {
    stamps: Vec<RawStamp>,
}

#[derive(Deserialize)]
struct RawStamp {
    hop: String,
    state: String,
    age_us: u64,
}

/// Asks a node for its stamps of a server's canary.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) server: ServerId,
    pub(crate) device: String,
}

/// The collector of one node.
pub(crate) struct Node {
    pub(crate) node: NodeId,
    pub(crate) config: config::Node,
    pub(crate) clock: Clock,
    pub(crate) inputs: Inputs,
    pub(crate) asks: mpsc::Receiver<Ask>,
}

impl Node {
    /// Asks until the exporter ends.
    pub(crate) async fn run(mut self) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                _ = ticks.tick() => self.poll().await,
                ask = self.asks.recv() => match ask {
                    Some(ask) => self.stamps(ask).await,
                    None => return,
                },
            };
            if done.is_err() {
                return;
            }
        }
    }

    async fn poll(&self) -> Result<(), Ending> {
        let begun = self.clock.now();
        let (status, answer) = match self.status().await {
            Ok(status) => (Some(status), Answer::Well(Some(self.clock.now() - begun))),
            Err(why) => (None, Answer::Badly(why)),
        };
        report(&self.inputs, Input::Node { node: self.node, status }).await?;
        let target = self.config.name.clone();
        report(&self.inputs, Input::Source { collector: Collector::Node, target, answer }).await
    }

    async fn status(&self) -> Result<Status, String> {
        // A node that is not ready says so with 503.
        let asked = self.clock.now();
        let Readiness { ready, synced, unix_us } = self.ask("/readyz", &[200, 503]).await?;
        let half = (self.clock.now() - asked) / 2;
        if half <= clocks::ERROR_MAX {
            let unix = Duration::from_micros(unix_us);
            let input = Input::NodeClock { node: self.node, unix, at: asked + half };
            report(&self.inputs, input).await.map_err(|ending| ending.to_string())?;
        }
        let Members { members } = self.ask("/v1/members", &[200]).await?;
        Ok(Status { ready, synced, members })
    }

    async fn stamps(&self, ask: Ask) -> Result<(), Ending> {
        let Ask { server, device } = ask;
        let asked = self.clock.now();
        let answer = self.ask::<Stamps>(&format!("/v1/stamps/{device}"), &[200]).await;
        if let Err(why) = &answer {
            tracing::debug!(node = self.config.name, "no stamps of {device}: {why}");
        }
        let stamps = answer.ok().map(|answer| {
            let told = asked + (self.clock.now() - asked) / 2;
            let stamp = |raw: RawStamp| Stamp {
                hop: raw.hop,
                state: raw.state,
                at: told.saturating_sub(Duration::from_micros(raw.age_us)),
            };
            answer.stamps.into_iter().map(stamp).collect()
        });
        report(&self.inputs, Input::Stamps { node: self.node, server, stamps }).await
    }

    async fn ask<T: serde::de::DeserializeOwned>(&self, path: &str, good: &[u16]) -> Result<T, String> {
        let token = self.config.token.as_ref().map(daemon::config::Secret::expose);
        let reply = http::get(&self.config.authority, path, token)
            .await
            .map_err(|error| format!("{path}: {error}"))?;
        match reply.status {
            401 | 403 => Err(format!("{path}: the node wants another token")),
            status if good.contains(&status) => serde_json::from_slice(&reply.body)
                .map_err(|error| format!("{path}: not the answer of a node: {error}")),
            status => Err(format!("{path}: status {status}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nodes_say_is_read() {
        let readiness: Readiness = serde_json::from_str(
            r#"{"ready":false,"in_group":true,"synced":false,"unix_us":1700000000000001}"#,
        )
        .unwrap();
        assert!(!readiness.ready && !readiness.synced);
        let members = r#"{"group":"asterisk","joined":true,"synced":true,"me":{"nodeid":21,"pid":7},
            "members":[{"nodeid":1,"pid":9,"eids":["02:00:00:00:01:01"],"address":null,"me":false}]}"#;
        let members: Members = serde_json::from_str(members).unwrap();
        assert_eq!(members.members[0].nodeid, 1);
        let stamps = r#"{"device":"Custom:asterism-canary-a","stamps":[{"hop":"published:b",
            "eid":"02:00:00:00:01:01","state":"INUSE","unix_us":1700000000000001,"age_us":1250}]}"#;
        let stamps: Stamps = serde_json::from_str(stamps).unwrap();
        assert_eq!((stamps.stamps[0].hop.as_str(), stamps.stamps[0].age_us), ("published:b", 1_250));
    }
}

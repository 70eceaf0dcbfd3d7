//! A stock server is killed. Nodes put its lamps out, and nobody need be called; where no node is left to do so, the exporter
//! sees the ghost and the alert fires, until there is a node again.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::Prometheus;

use crate::stage::{REPAIRED, SOON, Stage, eventually};

/// Noticed, older than 15 s, and the alert's patience of 10 s.
const FIRES: Duration = Duration::from_secs(60);

pub(super) async fn run(mut stage: Stage) -> Result<()> {
    let prometheus = stage.watched().await?;
    let (repaired, ghost) = (stage.new_lamp().await?, stage.new_lamp().await?);
    stage.pbx("pbx1")?.set(&repaired.device, "INUSE").await?;
    repaired.lit(&stage.all(), SOON).await?;
    stage.kill("east-pbx1").await?;
    repaired.out(&stage.others("pbx1"), REPAIRED).await?;
    holds(&prometheus, "asterism_server_up{server=\"east-pbx1\"} == 0 and on () asterism_disagreements == 0")
        .await?;
    // What the panel of repairs draws.
    holds(&prometheus, "sum(increase(asterism_node_repairs_total{kind=\"taken_back\"}[1m])) > 0").await?;
    stage.start_server("pbx1").await?;

    stage.add_hints("pbx1", &[&ghost]).await?;
    stage.pbx("pbx1")?.set(&ghost.device, "INUSE").await?;
    ghost.lit(&stage.all(), SOON).await?;
    ensure!(prometheus.firing("GhostLamp").await?.is_empty(), "it fires before anything is wrong");
    // The node first: killed together, it may outlive the server by the moment in which it puts the lamp out at pbx4.
    stage.kill("east-node2").await?;
    stage.kill("east-pbx1").await?;
    eventually("GhostLamp fires", FIRES, || async { Ok(!prometheus.firing("GhostLamp").await?.is_empty()) })
        .await?;
    let (_, named) = stage.lab.exporter()?.fetch("/v1/disagreements").await?;
    ensure!(named.contains(&ghost.device), "the exporter does not name {}: {named}", ghost.device);

    stage.start_node(2).await?;
    ghost.out(&stage.others("pbx1"), REPAIRED).await?;
    eventually("GhostLamp ends", FIRES, || async { Ok(prometheus.firing("GhostLamp").await?.is_empty()) })
        .await
}

async fn holds(prometheus: &Prometheus, expr: &str) -> Result<()> {
    eventually(expr, FIRES, || async { Ok(!prometheus.query(expr).await?.is_empty()) }).await
}

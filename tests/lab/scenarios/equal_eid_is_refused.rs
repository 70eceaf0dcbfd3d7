//! A server that reports under another's EID is refused, loudly, and changes nothing.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use lab::{NODES, Node, sipp_scenario};

use crate::stage::{SOON, Stage};

const PUBLISH: &str = include_str!("../../sipp/publish.xml");

pub(super) async fn run(stage: Stage) -> Result<()> {
    let lamp = stage.new_lamp().await?;
    let (pbx1, node) = (stage.pbx("pbx1")?, stage.node(1)?);
    pbx1.set(&lamp.device, "INUSE").await?;
    lamp.lit(&stage.all(), SOON).await?;
    let before = refused(&node).await?;

    let pbx3 = stage.lab.docker().container("east-pbx3").await?;
    let node_address = stage.lab.address(NODES[0].host)?;
    let keys = [("device", lamp.device.as_str()), ("eid", pbx1.spec.eid)];
    sipp_scenario(&format!("container:{}", pbx3.id), PUBLISH, node_address, &keys)
        .await
        .context("PUBLISH, expecting 403")?;

    ensure!(refused(&node).await? > before, "the refusal is not counted");
    let known = node.states(&lamp.device).await?.context("the lamp is gone")?;
    ensure!(known.aggregate == "INUSE", "the lamp was changed: {known:?}");
    pbx1.device_becomes(Instant::now(), &lamp.device, "INUSE").await?;
    pbx1.set(&lamp.device, "NOT_INUSE").await?;
    lamp.out(&stage.all(), SOON).await
}

async fn refused(node: &Node) -> Result<f64> {
    Ok(node.metrics().await?.sum("asterism_node_events_dropped_total", &["reason=\"equal_eid\""]))
}

//! Whoever is not configured at a node cannot tell it anything.

use anyhow::{Context, Result, ensure};
use lab::{NODES, sipp_scenario};

use crate::stage::Stage;

const PUBLISH: &str = include_str!("../../sipp/publish.xml");

pub(super) async fn run(stage: Stage) -> Result<()> {
    let lamp = stage.new_lamp().await?;
    let (pbx4, node) = (stage.pbx("pbx4")?, stage.node(1)?);
    let refused = async || -> Result<f64> {
        Ok(node.metrics().await?.sum("asterism_node_sip_dropped_total", &["reason=\"unknown_source\""]))
    };
    let before = refused().await?;

    // pbx4 is a server of node2, and none of node1.
    let from = stage.lab.docker().container("east-pbx4").await?;
    let node_address = stage.lab.address(NODES[0].host)?;
    let keys = [("device", lamp.device.as_str()), ("eid", pbx4.spec.eid)];
    sipp_scenario(&format!("container:{}", from.id), PUBLISH, node_address, &keys)
        .await
        .context("PUBLISH, expecting 403")?;

    ensure!(refused().await? > before, "the refusal is not counted");
    ensure!(node.states(&lamp.device).await?.is_none(), "the stranger's word was taken");
    Ok(())
}

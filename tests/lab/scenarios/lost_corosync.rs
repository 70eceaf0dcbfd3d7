//! A corosync is killed and comes back, or comes back and refuses its client; the client, a server or a node, is not restarted.

use anyhow::{Result, ensure};

use crate::stage::{REPAIRED, SOON, Stage};

/// A busy loop takes all of a processor, a node that waits next to nothing.
const CPU_PERCENT_MAX: f64 = 50.0;

/// The lamps of a server that lost its group are out elsewhere. It never finds back by itself, so somebody restarts it.
pub(super) async fn of_a_server(mut stage: Stage) -> Result<()> {
    let (own, meanwhile) = (stage.new_lamp().await?, stage.new_lamp().await?);
    stage.pbx("pbx1")?.set(&own.device, "INUSE").await?;
    own.lit(&stage.all(), SOON).await?;
    stage.written("pbx1", &own).await?;

    stage.kill("east-pbx1-corosync").await?;
    stage.together_without("pbx1").await?;
    own.out(&stage.others("pbx1"), SOON).await?;
    stage.pbx("pbx2")?.set(&meanwhile.device, "INUSE").await?;
    stage.start_corosync("pbx1").await?;
    stage.kill("east-pbx1").await?;
    stage.start_server("pbx1").await?;

    stage.add_hints("pbx1", &[&own, &meanwhile]).await?;
    own.lit(&stage.all(), REPAIRED).await?;
    meanwhile.lit(&stage.all(), REPAIRED).await
}

/// A node goes on without its group, serves its server, says that it is not ready, and comes back by itself.
pub(super) async fn of_a_node(stage: Stage) -> Result<()> {
    let (before, own, theirs) = (stage.new_lamp().await?, stage.new_lamp().await?, stage.new_lamp().await?);
    let (pbx2, pbx3, node) = (stage.pbx("pbx2")?, stage.pbx("pbx3")?, stage.node(1)?);
    pbx3.set(&before.device, "INUSE").await?;
    before.lit(&stage.all(), SOON).await?;
    let process = stage.lab.docker().container("east-node1").await?.started_at;

    stage.kill("east-node1-corosync").await?;
    let work = stage.work_of_node(1).await?;
    stage.together_without("node1").await?;
    before.out(&stage.others("pbx3"), SOON).await?;
    ensure!(!node.ready().await?, "node1 says that it is ready, without a group");
    pbx2.set(&theirs.device, "INUSE").await?;
    pbx3.set(&own.device, "INUSE").await?;
    stage.knows(&node, &own, "INUSE").await?;
    let busy = work.percent().await?;
    ensure!(busy < CPU_PERCENT_MAX, "node1 takes {busy:.0} % of a processor while it has no group");
    stage.start_corosync("node1").await?;

    stage.all_together().await?;
    for lamp in [&before, &own, &theirs] {
        lamp.lit(&stage.all(), REPAIRED).await?;
    }
    let now = stage.lab.docker().container("east-node1").await?.started_at;
    ensure!(process == now, "node1 was restarted");
    Ok(())
}

/// The corosync of a node comes back without the node among those who may speak to it. The node says why it is not in its group, and is
/// back by itself when it may.
pub(super) async fn that_refuses_a_node(stage: Stage) -> Result<()> {
    let (own, theirs) = (stage.new_lamp().await?, stage.new_lamp().await?);
    let (pbx2, pbx3, node) = (stage.pbx("pbx2")?, stage.pbx("pbx3")?, stage.node(1)?);

    stage.forbid_corosync("node1").await?;
    ensure!(!node.ready().await?, "node1 says that it is ready, without a group");
    let work = stage.work_of_node(1).await?;
    pbx2.set(&theirs.device, "INUSE").await?;
    pbx3.set(&own.device, "INUSE").await?;
    stage.knows(&node, &own, "INUSE").await?;
    let refused = "not in the group: cpg_model_initialize: corosync refuses this process (CS_ERR_ACCESS)";
    stage.says("east-node1", refused).await?;
    let busy = work.percent().await?;
    ensure!(busy < CPU_PERCENT_MAX, "node1 takes {busy:.0} % of a processor while it may not join");

    stage.allow_corosync("node1").await?;
    stage.all_together().await?;
    for lamp in [&own, &theirs] {
        lamp.lit(&stage.all(), REPAIRED).await?;
    }
    Ok(())
}

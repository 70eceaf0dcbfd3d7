//! A process stops where it is for a while and then goes on, as on a machine that swaps or is moved to another host.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::stage::{REPAIRED, SOON, Stage, eventually};

/// Longer than corosync waits for a machine.
const A_WHILE: Duration = Duration::from_secs(3);
/// Longer than a node waits for a server without a sign of life.
const LONG: Duration = Duration::from_secs(8);

/// For so long a corosync stands still; other programs of its machine have nothing to wait for.
const A_MINUTE: Duration = Duration::from_secs(60);
/// A busy loop takes all of a processor.
const CPU_PERCENT_MAX: f64 = 10.0;

/// The corosync of a machine: its server is gone for the others, and nothing is lost when it comes back.
pub(super) async fn corosync(stage: Stage, machine: &'static str, server: &'static str) -> Result<()> {
    let (before, own, theirs) = (stage.new_lamp().await?, stage.new_lamp().await?, stage.new_lamp().await?);
    let service = format!("east-{machine}-corosync");
    stage.pbx(server)?.set(&before.device, "INUSE").await?;
    before.lit(&stage.all(), SOON).await?;

    stage.faults().freeze(&[&service]).await?;
    stage.together_without(machine).await?;
    before.out(&stage.others(server), SOON).await?;
    stage.pbx(server)?.set(&own.device, "INUSE").await?;
    stage.pbx("pbx2")?.set(&theirs.device, "INUSE").await?;
    stage.faults().thaw(&[&service]).await?;
    stage.all_together().await?;

    for lamp in [&before, &own, &theirs] {
        lamp.lit(&stage.all(), REPAIRED).await?;
    }
    Ok(())
}

/// An Asterisk in the group: it is still a member, so its lamps stay; it hears later what was said.
pub(super) async fn server(stage: Stage) -> Result<()> {
    let (own, theirs) = (stage.new_lamp().await?, stage.new_lamp().await?);
    stage.pbx("pbx1")?.set(&own.device, "INUSE").await?;
    own.lit(&stage.all(), SOON).await?;
    let others = stage.others("pbx1");
    let calm = own.is_calm(&others);

    stage.faults().freeze(&["east-pbx1"]).await?;
    stage.pbx("pbx2")?.set(&theirs.device, "INUSE").await?;
    theirs.lit(&others, SOON).await?;
    tokio::time::sleep(A_WHILE).await;
    stage.faults().thaw(&["east-pbx1"]).await?;

    theirs.lit(&stage.all(), REPAIRED).await?;
    calm.held()
}

/// An Asterisk that a node serves: it answers no more, so its lamps go out; when it goes on, everybody is right again.
pub(super) async fn served(stage: Stage) -> Result<()> {
    let (own, theirs) = (stage.new_lamp().await?, stage.new_lamp().await?);
    stage.pbx("pbx3")?.set(&own.device, "INUSE").await?;
    own.lit(&stage.all(), SOON).await?;

    stage.faults().freeze(&["east-pbx3"]).await?;
    own.out(&stage.others("pbx3"), LONG + SOON).await?;
    stage.pbx("pbx2")?.set(&theirs.device, "INUSE").await?;
    theirs.lit(&stage.others("pbx3"), SOON).await?;
    stage.faults().thaw(&["east-pbx3"]).await?;

    theirs.lit(&stage.all(), REPAIRED).await?;
    own.lit(&stage.all(), REPAIRED).await
}

/// A node: no lamp changes, though for longer than its patience it has heard nothing of its server.
pub(super) async fn node(stage: Stage) -> Result<()> {
    let (own, theirs) = (stage.new_lamp().await?, stage.new_lamp().await?);
    let all = stage.all();
    let mut steady = Vec::new();
    for pbx in &all {
        let lamp = stage.new_lamp().await?;
        pbx.set(&lamp.device, "INUSE").await?;
        lamp.lit(&all, SOON).await?;
        steady.push(lamp);
    }
    let calm: Vec<_> = steady.iter().map(|lamp| lamp.is_calm(&all)).collect();

    stage.faults().freeze(&["east-node1"]).await?;
    stage.pbx("pbx1")?.set(&theirs.device, "INUSE").await?;
    stage.pbx("pbx3")?.set(&own.device, "INUSE").await?;
    theirs.lit(&stage.others("pbx3"), SOON).await?;
    tokio::time::sleep(LONG).await;
    stage.faults().thaw(&["east-node1"]).await?;

    theirs.lit(&all, REPAIRED).await?;
    own.lit(&all, REPAIRED).await?;
    ensure!(stage.node(1)?.ready().await?, "node1 is not ready");
    calm.iter().try_for_each(|lamp| lamp.held())
}

/// The corosync of a node, for a minute: the node says that it is not ready, goes on for its own server, and takes no processor time.
pub(super) async fn corosync_for_long(stage: Stage) -> Result<()> {
    let (own, theirs) = (stage.new_lamp().await?, stage.new_lamp().await?);
    let (pbx2, pbx3, node) = (stage.pbx("pbx2")?, stage.pbx("pbx3")?, stage.node(1)?);
    let process = stage.lab.docker().container("east-node1").await?.started_at;

    stage.faults().freeze(&["east-node1-corosync"]).await?;
    pbx3.set(&own.device, "INUSE").await?;
    stage.knows(&node, &own, "INUSE").await?;
    pbx2.set(&theirs.device, "INUSE").await?;
    eventually("node1 says that it is not ready", REPAIRED, || async { Ok(!node.ready().await?) }).await?;
    let work = stage.work_of_node(1).await?;
    tokio::time::sleep(A_MINUTE).await;
    let busy = work.percent().await?;
    ensure!(busy < CPU_PERCENT_MAX, "node1 takes {busy:.0} % of a processor while its corosync stands still");
    ensure!(!node.ready().await?, "node1 says that it is ready");
    stage.faults().thaw(&["east-node1-corosync"]).await?;
    stage.all_together().await?;

    for lamp in [&own, &theirs] {
        lamp.lit(&stage.all(), REPAIRED).await?;
    }
    eventually("node1 is ready", REPAIRED, || async { node.ready().await }).await?;
    let now = stage.lab.docker().container("east-node1").await?.started_at;
    ensure!(process == now, "node1 was restarted");
    Ok(())
}

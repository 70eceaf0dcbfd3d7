//! The network falls into halves, states change on both sides, the halves meet again: every lamp is right at every server.

use anyhow::Result;

use crate::stage::{REPAIRED, SOON, Stage};

const LEFT: [&str; 3] = ["pbx1", "node1", "pbx3"];
const RIGHT: [&str; 3] = ["pbx2", "node2", "pbx4"];

pub(super) async fn run(stage: Stage) -> Result<()> {
    let (mut steady, mut lit_meanwhile, mut out_meanwhile) = (Vec::new(), Vec::new(), Vec::new());
    for pbx in stage.all() {
        let (stays, comes, goes) =
            (stage.new_lamp().await?, stage.new_lamp().await?, stage.new_lamp().await?);
        pbx.set(&stays.device, "INUSE").await?;
        pbx.set(&goes.device, "INUSE").await?;
        stays.lit(&stage.all(), SOON).await?;
        goes.lit(&stage.all(), SOON).await?;
        steady.push((pbx, stays));
        lit_meanwhile.push((pbx, comes));
        out_meanwhile.push((pbx, goes));
    }

    stage.part(&LEFT).await?;
    for (pbx, lamp) in &lit_meanwhile {
        pbx.set(&lamp.device, "INUSE").await?;
    }
    for (pbx, lamp) in &out_meanwhile {
        pbx.set(&lamp.device, "NOT_INUSE").await?;
    }
    stage.reunite().await?;

    for (_, lamp) in steady.iter().chain(&lit_meanwhile) {
        lamp.lit(&stage.all(), REPAIRED).await?;
    }
    for (_, lamp) in &out_meanwhile {
        lamp.out(&stage.all(), REPAIRED).await?;
    }
    Ok(())
}

/// What was lit on one side only is out on the other while they are apart.
pub(super) async fn second(stage: Stage) -> Result<()> {
    stage.part(&LEFT).await?;
    stage.reunite().await?;
    let (left, right) = (stage.new_lamp().await?, stage.new_lamp().await?);
    stage.pbx("pbx1")?.set(&left.device, "INUSE").await?;
    stage.pbx("pbx2")?.set(&right.device, "INUSE").await?;
    left.lit(&stage.all(), SOON).await?;
    right.lit(&stage.all(), SOON).await?;

    stage.part(&LEFT).await?;
    left.out(&stage.those(&RIGHT), SOON).await?;
    right.out(&stage.those(&LEFT), SOON).await?;
    left.lit(&stage.those(&LEFT), SOON).await?;
    stage.reunite().await?;

    left.lit(&stage.all(), REPAIRED).await?;
    right.lit(&stage.all(), REPAIRED).await
}

//! The network falls into halves, states change on both sides, the halves meet again: every lamp is right at every server.

use anyhow::Result;

use crate::lamp::Calm;
use crate::stage::{REPAIRED, SOON, Stage};

const LEFT: [&str; 3] = ["pbx1", "node1", "pbx3"];
const RIGHT: [&str; 3] = ["pbx2", "node2", "pbx4"];

/// Changes on both sides while they are apart.
pub(super) async fn run(stage: Stage) -> Result<()> {
    let (mut stays, mut comes, mut goes) = (Vec::new(), Vec::new(), Vec::new());
    for pbx in stage.all() {
        stays.push((pbx, stage.new_lamp().await?));
        comes.push((pbx, stage.new_lamp().await?));
        goes.push((pbx, stage.new_lamp().await?));
    }
    for (pbx, lamp) in stays.iter().chain(&goes) {
        pbx.set(&lamp.device, "INUSE").await?;
    }
    for (_, lamp) in stays.iter().chain(&goes) {
        lamp.lit(&stage.all(), SOON).await?;
    }
    let (left, right) = (stage.those(&LEFT), stage.those(&RIGHT));
    let sides = stays.iter().map(|(pbx, lamp)| {
        lamp.is_calm(if left.iter().any(|near| near.spec == pbx.spec) { &left } else { &right })
    });
    let calm: Vec<Calm<'_>> = sides.collect();

    stage.part(&LEFT).await?;
    for (pbx, lamp) in &comes {
        pbx.set(&lamp.device, "INUSE").await?;
    }
    for (pbx, lamp) in &goes {
        pbx.set(&lamp.device, "NOT_INUSE").await?;
    }
    stage.reunite().await?;

    for (_, lamp) in stays.iter().chain(&comes) {
        lamp.lit(&stage.all(), REPAIRED).await?;
    }
    for (_, lamp) in &goes {
        lamp.out(&stage.all(), REPAIRED).await?;
    }
    // Who was there all the time has not changed, on the side that saw it all the time.
    calm.iter().try_for_each(Calm::held)
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

/// A server dies while one other cannot see it: there, too, its lamps go out when the cable is back.
pub(super) async fn with_a_death(mut stage: Stage) -> Result<()> {
    let lamp = stage.new_lamp().await?;
    stage.pbx("pbx1")?.set(&lamp.device, "INUSE").await?;
    lamp.lit(&stage.all(), SOON).await?;

    stage.part(&["pbx2"]).await?;
    stage.kill("east-pbx1").await?;
    lamp.out(&stage.those(&["pbx3", "pbx4"]), SOON).await?;
    stage.faults().reunite().await?;
    stage.together_without("pbx1").await?;

    lamp.out(&stage.others("pbx1"), REPAIRED).await?;
    stage.start_server("pbx1").await
}

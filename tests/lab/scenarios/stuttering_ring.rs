//! A member of the ring stops and goes on, again and again for ten seconds: corosync takes no messages for much of that time, and the
//! others are one group with it and without it by turns. Lamps are lit meanwhile, each of them once: none is forgotten.

use std::time::Duration;

use anyhow::Result;
use lab::Pbx;

use crate::lamp::Lamp;
use crate::stage::{REPAIRED, Stage};

const TURNS: usize = 4;
const LAMPS_EACH: usize = 5;
/// Longer than corosync takes to give the member up: a second without order, and another without consensus.
const STOP: Duration = Duration::from_millis(2500);
/// Changes of another lamp before each word, more than the queues hold.
const NOISE: usize = 100;

pub(super) async fn run(stage: Stage) -> Result<()> {
    let (all, noisy) = (stage.all(), stage.new_lamp().await?);
    let mut lamps = Vec::new();
    for _ in 0..TURNS * LAMPS_EACH * all.len() {
        lamps.push(stage.new_lamp().await?);
    }
    for turn in lamps.chunks(LAMPS_EACH * all.len()) {
        stage.faults().freeze(&["east-pbx2-corosync"]).await?;
        let mut pace = tokio::time::interval(STOP / u32::try_from(LAMPS_EACH)?);
        for round in turn.chunks(all.len()) {
            pace.tick().await;
            for (lamp, pbx) in round.iter().zip(&all) {
                say(pbx, &noisy, lamp).await?;
            }
        }
        pace.tick().await;
        stage.faults().thaw(&["east-pbx2-corosync"]).await?;
    }
    stage.all_together().await?;
    for lamp in &lamps {
        lamp.lit(&all, REPAIRED).await?;
    }
    noisy.out(&all, REPAIRED).await
}

/// Lights the lamp, after much ado about another.
async fn say(pbx: &Pbx, noisy: &Lamp, lamp: &Lamp) -> Result<()> {
    for change in 0..NOISE {
        pbx.start_set(&noisy.device, ["RINGING", "NOT_INUSE"][change % 2]).await?;
    }
    pbx.set(&lamp.device, "INUSE").await
}

//! One of a site's two nodes dies while states change all the time: the other one carries on, and every last word arrives.

use std::time::Duration;

use anyhow::Result;
use lab::Site;

use super::at;
use crate::stage::{REPAIRED, SOON, Stage};

const DEVICES: usize = 20;
const ROUNDS: usize = 30;

pub(super) async fn run(stage: Stage) -> Result<()> {
    let mut lamps = Vec::new();
    for _ in 0..DEVICES {
        lamps.push(stage.new_lamp().await?);
    }
    for round in 0..ROUNDS {
        if round == ROUNDS / 3 {
            stage.kill("east-node1").await?;
        }
        let state = if round % 2 == 0 { "INUSE" } else { "NOT_INUSE" };
        for lamp in &lamps {
            stage.pbx("pbx1")?.set(&lamp.device, state).await?;
        }
    }
    // Still without the first node, and within a second or so of it.
    let watch = stage.new_lamp().await?;
    stage.pbx("pbx2")?.set(&watch.device, "INUSE").await?;
    watch.lit(&at(&stage, Site::West), SOON).await?;
    for lamp in &lamps {
        lamp.out(&at(&stage, Site::West), REPAIRED).await?;
    }
    for (number, lamp) in lamps.iter().enumerate().filter(|(number, _)| number % 2 == 0) {
        let server = if number % 4 == 0 { "pbx1" } else { "pbx2" };
        stage.pbx(server)?.set(&lamp.device, "INUSE").await?;
    }
    stage.start_node(1).await?;
    super::linked(&stage.lab, Duration::from_secs(30)).await?;
    for (number, lamp) in lamps.iter().enumerate() {
        if number % 2 == 0 {
            lamp.lit(&at(&stage, Site::West), REPAIRED).await?;
        } else {
            lamp.out(&at(&stage, Site::West), REPAIRED).await?;
        }
    }
    Ok(())
}

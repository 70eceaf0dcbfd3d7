//! A server that is gone leaves its lamps lit at stock servers, until somebody says something else under its EID.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::speaker::{Speaker, introduction};
use crate::lamp::Lamp;
use crate::stage::{SOON, Stage};
use crate::words::Word;

const EID: &str = "02:00:00:00:09:03";
const UNKNOWN: u32 = 0;
const IN_USE: u32 = 2;
const UNAVAILABLE: u32 = 5;
/// A hint's status, and what AMI calls it.
const HINT_UNAVAILABLE: i32 = 4;

pub(super) async fn run(stage: Stage) -> Result<()> {
    let all = stage.all();
    let lamps = [stage.new_lamp().await?, stage.new_lamp().await?, stage.new_lamp().await?];
    dies_in_use(&stage, &lamps).await?;
    let [unavailable, passing, unknown] = &lamps;

    let mut speaker = Speaker::join(&stage.lab).await?;
    speaker.say(&[Word::state(EID, &unavailable.device, UNAVAILABLE)]).await?;
    speaker.say(&[Word::passing_state(EID, &passing.device, UNAVAILABLE)]).await?;
    speaker.say(&[Word::state(EID, &unknown.device, UNKNOWN)]).await?;
    speaker.heard(&stage).await?;
    for pbx in &all {
        pbx.hint_becomes(Instant::now() + SOON, &unavailable.exten, HINT_UNAVAILABLE).await?;
        ensure!(pbx.device(&unavailable.device).await? == "UNAVAILABLE", "{} forgets it", pbx.spec.name);
    }
    // What is not to be remembered puts the lamp out as well.
    passing.out(&all, SOON).await?;
    for pbx in &all {
        ensure!(pbx.device(&passing.device).await? == "UNKNOWN", "{} remembers it", pbx.spec.name);
    }
    // Nothing is there, which counts as UNKNOWN, so to Asterisk 22.7 and later this is no news.
    unknown.out(&[stage.pbx("pbx2")?], SOON).await?;
    ensure!(stage.pbx("pbx1")?.hint(&unknown.exten).await?.is_lit(), "Asterisk 22 hears UNKNOWN");
    speaker.leave().await
}

/// A server lights these lamps and goes; its states are cleared, and the lamps stay as they are.
async fn dies_in_use(stage: &Stage, lamps: &[Lamp]) -> Result<()> {
    let all = stage.all();
    let mut speaker = Speaker::join(&stage.lab).await?;
    speaker.say(&[introduction(&stage.lab, EID)?]).await?;
    for lamp in lamps {
        speaker.say(&[Word::state(EID, &lamp.device, IN_USE)]).await?;
        lamp.lit(&all, SOON).await?;
    }
    speaker.leave().await?;
    for lamp in lamps {
        for pbx in &all {
            pbx.device_becomes(Instant::now() + SOON, &lamp.device, "UNKNOWN").await?;
            ensure!(pbx.hint(&lamp.exten).await?.is_lit(), "{} lets go by itself", pbx.spec.name);
        }
    }
    Ok(())
}

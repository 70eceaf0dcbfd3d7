//! When a second process on a node's machine leaves, stock servers forget the EID that this machine introduced, and no other.

use std::time::Instant;

use anyhow::Result;

use super::speaker::{Speaker, introduction};
use crate::stage::{SOON, Stage};
use crate::words::Word;

/// The node's own, and that of a server whose states it carries.
const INTRODUCED: &str = "02:00:00:00:09:04";
const CARRIED: &str = "02:00:00:00:09:05";
const IN_USE: u32 = 2;

pub(super) async fn run(stage: Stage) -> Result<()> {
    let (own, carried) = (stage.new_lamp().await?.device, stage.new_lamp().await?.device);
    let discovery = introduction(&stage.lab, INTRODUCED)?;
    let says_own = Word::state(INTRODUCED, &own, IN_USE);
    let mut node = Speaker::join(&stage.lab).await?;
    node.say(&[discovery.clone(), says_own.clone(), Word::state(CARRIED, &carried, IN_USE)]).await?;
    show(&stage, &own, "INUSE").await?;
    show(&stage, &carried, "INUSE").await?;

    Speaker::join(&stage.lab).await?.leave().await?;
    show(&stage, &own, "UNKNOWN").await?;
    show(&stage, &carried, "INUSE").await?;

    // Forgotten as a member: the next leave takes nothing, until the node introduces itself again.
    node.say(&[says_own]).await?;
    show(&stage, &own, "INUSE").await?;
    Speaker::join(&stage.lab).await?.leave().await?;
    node.heard(&stage).await?;
    show(&stage, &own, "INUSE").await?;
    node.say(&[discovery]).await?;
    node.leave().await?;
    show(&stage, &own, "UNKNOWN").await?;
    show(&stage, &carried, "INUSE").await
}

async fn show(stage: &Stage, device: &str, state: &str) -> Result<()> {
    for pbx in stage.all() {
        pbx.device_becomes(Instant::now() + SOON, device, state).await?;
    }
    Ok(())
}

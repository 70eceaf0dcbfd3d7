//! Whoever joins the group makes all stock servers tell all their states again, so a short-lived process mends what was lost.

use anyhow::{Context, Result};
use lab::Pbx;

use super::speaker::Speaker;
use crate::lamp::Lamp;
use crate::stage::{SOON, Stage};
use crate::words::Word;

const NOT_IN_USE: u32 = 1;

pub(super) async fn run(stage: Stage) -> Result<()> {
    let mut node = Speaker::join(&stage.lab).await?;
    let mut lost: Vec<(Lamp, &Pbx)> = Vec::new();
    for pbx in stage.all() {
        let lamp = stage.new_lamp().await?;
        pbx.set(&lamp.device, "INUSE").await?;
        lamp.lit(&stage.all(), SOON).await?;
        // Said in its name: all but itself believe it, as if the last change were lost on the way.
        node.say(&[Word::state(pbx.spec.eid, &lamp.device, NOT_IN_USE)]).await?;
        lamp.out(&stage.others(pbx.spec.name), SOON).await?;
        lamp.lit(&[pbx], SOON).await?;
        lost.push((lamp, pbx));
    }
    // On a machine that has a member already, and one that nobody has introduced.
    Speaker::join(&stage.lab).await?.leave().await?;
    for (lamp, pbx) in &lost {
        let context = || format!("{} does not tell again", pbx.spec.name);
        lamp.lit(&stage.all(), SOON).await.with_context(context)?;
        pbx.set(&lamp.device, "NOT_INUSE").await?;
    }
    node.leave().await
}

//! The way between the sites is gone for a moment, for longer than the hold time, or a whole site is.

use std::time::{Duration, Instant};

use anyhow::Result;
use lab::Site;

use super::{HOLD, at, linked};
use crate::lamp::Lamp;
use crate::stage::{REPAIRED, SOON, STARTED, Stage};

/// Shorter than the hold time.
const BLINK: Duration = Duration::from_secs(6);
/// Beside the hold time: a second, and what the lab itself takes.
const AFTER_HOLD: Duration = Duration::from_secs(6);

pub(super) async fn blink(stage: Stage) -> Result<()> {
    let lamps = [light(&stage, "pbx1").await?, light(&stage, "west-pbx1").await?];
    let everywhere = stage.all();
    let calm = lamps.each_ref().map(|lamp| lamp.is_calm(&everywhere));
    stage.lab.wan()?.cut().await?;
    // It is the blink itself, and not a guess: nothing may happen meanwhile.
    tokio::time::sleep(BLINK).await;
    stage.lab.wan()?.heal().await?;
    let lamp = light(&stage, "west-pbx2").await?;
    calm.iter().try_for_each(|calm| calm.held())?;
    lamp.lit(&stage.all(), SOON).await
}

pub(super) async fn rebind(stage: Stage) -> Result<()> {
    let lamps = [light(&stage, "pbx3").await?, light(&stage, "west-pbx2").await?];
    let everywhere = stage.all();
    let calm = lamps.each_ref().map(|lamp| lamp.is_calm(&everywhere));
    stage.lab.wan()?.rebind().await?;
    light(&stage, "west-pbx1").await?;
    light(&stage, "pbx2").await?;
    calm.iter().try_for_each(|calm| calm.held())
}

/// What was lit only beyond the way goes out, at stock servers too; afterwards the last states show, without those in between.
pub(super) async fn cut(stage: Stage) -> Result<()> {
    let (east, west) = (light(&stage, "pbx1").await?, light(&stage, "west-pbx1").await?);
    stage.lab.wan()?.cut().await?;
    let gone = HOLD + AFTER_HOLD;
    west.out(&at(&stage, Site::East), gone).await?;
    east.out(&at(&stage, Site::West), AFTER_HOLD).await?;
    east.lit(&at(&stage, Site::East), SOON).await?;
    west.lit(&at(&stage, Site::West), SOON).await?;

    let flap = stage.new_lamp().await?;
    for state in ["INUSE", "NOT_INUSE", "RINGING", "NOT_INUSE", "ONHOLD", "BUSY"] {
        stage.pbx("pbx1")?.set(&flap.device, state).await?;
        flap_is(&stage, &flap, state).await?;
    }
    let marks: Vec<_> = at(&stage, Site::West).into_iter().map(|pbx| (pbx, pbx.mark())).collect();
    stage.lab.wan()?.heal().await?;
    linked(&stage.lab, STARTED).await?;
    east.lit(&at(&stage, Site::West), REPAIRED).await?;
    west.lit(&at(&stage, Site::East), REPAIRED).await?;
    flap.lit(&at(&stage, Site::West), REPAIRED).await?;
    for (pbx, mark) in marks {
        let told = pbx.ami.events().since(mark, |event| {
            let fits = event.is("Event", "DeviceStateChange") && event.is("Device", &flap.device);
            fits.then(|| event.field("State").unwrap_or_default().into_owned())
        });
        anyhow::ensure!(told == ["BUSY"], "{} went through {told:?}", pbx.spec.name);
    }
    Ok(())
}

/// All of west goes, changes meanwhile, and comes back.
pub(super) async fn stopped(stage: Stage) -> Result<()> {
    let (east, west) = (light(&stage, "pbx2").await?, light(&stage, "west-pbx2").await?);
    let nodes = ["west-node1", "west-node2"];
    stage.lab.docker().stop(&nodes).await?;
    west.out(&at(&stage, Site::East), HOLD + AFTER_HOLD).await?;
    stage.pbx("pbx2")?.set(&east.device, "NOT_INUSE").await?;
    stage.pbx("west-pbx2")?.set(&west.device, "RINGING").await?;
    stage.lab.docker().start(&nodes).await?;
    linked(&stage.lab, STARTED).await?;
    east.out(&stage.all(), REPAIRED).await?;
    west.lit(&stage.all(), REPAIRED * 3).await?;
    stage.pbx("west-pbx2")?.set(&west.device, "NOT_INUSE").await?;
    west.out(&stage.all(), SOON).await
}

/// A lamp that a server lights everywhere.
async fn light(stage: &Stage, server: &str) -> Result<Lamp> {
    let lamp = stage.new_lamp().await?;
    stage.pbx(server)?.set(&lamp.device, "INUSE").await?;
    lamp.lit(&stage.all(), SOON).await?;
    Ok(lamp)
}

async fn flap_is(stage: &Stage, lamp: &Lamp, state: &str) -> Result<()> {
    stage.pbx("pbx2")?.device_becomes(Instant::now() + SOON, &lamp.device, state).await
}

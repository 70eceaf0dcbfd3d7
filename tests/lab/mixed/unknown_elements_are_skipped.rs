//! Stock servers take events with elements that they do not know as if these were not there, wherever they stand.

use std::time::Instant;

use anyhow::{Context, Result};
use lab::{Package, Report, Watcher};

use super::speaker::{Speaker, introduction};
use crate::stage::{SOON, Stage};
use crate::words::{Word, element};

const EID: &str = "02:00:00:00:09:01";
const IN_USE: u32 = 2;
const NOT_IN_USE: u32 = 1;
/// Behind the last element of the longest event.
const LAST_PLACE: usize = 5;

pub(super) async fn run(stage: Stage) -> Result<()> {
    let mut phone = stage.watcher().await?;
    for pbx in stage.all() {
        phone.watch(pbx.spec.name, pbx.address, "watcher", Package::MessageSummary).await?;
    }
    // First without, to know that all else is right.
    is_taken(&stage, &phone, 0, &[]).await.context("no elements of ours")?;
    let ours = [element(0xa501, &[0x5a; 24]), element(0xa502, &[1])];
    for place in 0..=LAST_PLACE {
        is_taken(&stage, &phone, place, &ours).await.with_context(|| format!("ours in place {place}"))?;
    }
    phone.close().await;
    Ok(())
}

/// A server comes, says a state and a mailbox, changes them, and goes: all servers follow.
async fn is_taken(stage: &Stage, phone: &Watcher, place: usize, ours: &[Vec<u8>]) -> Result<()> {
    let (all, lamp) = (stage.all(), stage.new_lamp().await?);
    let mut speaker = Speaker::join(&stage.lab).await?;
    // On its joining pbx1 says again that the mailbox is empty; right behind our word no phone would be told of ours.
    speaker.heard(stage).await?;
    let discovery = introduction(&stage.lab, EID)?;
    for (state, new, old) in [(IN_USE, 3, 1), (NOT_IN_USE, 0, 0)] {
        let mark = phone.sightings().mark();
        let said =
            [discovery.clone(), Word::state(EID, &lamp.device, state), Word::messages(EID, "100", new, old)];
        speaker.say(&said.map(|word| word.with(place, ours))).await?;

        if state == IN_USE {
            lamp.lit(&all, SOON).await?;
        } else {
            lamp.out(&all, SOON).await?;
        }
        for pbx in &all {
            let told = |sighting: &lab::Sighting| {
                let counts = sighting.report == Report::Messages { new, old };
                (counts && sighting.server == pbx.spec.name).then_some(())
            };
            let context = || format!("{}: the phone is not told of {new} new messages", pbx.spec.name);
            phone.sightings().first(mark, Instant::now() + SOON, told).await.with_context(context)?;
        }
    }
    speaker.leave().await?;
    // Only what a discovery has introduced is cleared; afterwards nobody knows the device.
    for pbx in &all {
        pbx.device_becomes(Instant::now() + SOON, &lamp.device, "UNKNOWN").await?;
    }
    Ok(())
}

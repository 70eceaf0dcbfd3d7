//! A message in real voicemail at one site lights the phone's message lamp at the other.

use std::time::Instant;

use anyhow::{Context, Result};
use lab::{Package, Report};

use crate::scenarios::keep_messages;
use crate::stage::{SOON, Stage};

pub(super) async fn run(stage: Stage) -> Result<()> {
    let mut watcher = stage.watcher().await?;
    let phone = stage.pbx("west-pbx2")?;
    watcher.watch(phone.spec.name, phone.address, "watcher", Package::MessageSummary).await?;
    for voicemail in ["pbx1", "pbx3"] {
        for count in [1, 0] {
            let mark = watcher.sightings().mark();
            keep_messages(&stage, stage.pbx(voicemail)?, count).await?;
            let fits = |sighting: &lab::Sighting| {
                (sighting.report == Report::Messages { new: count, old: 0 }).then_some(())
            };
            let told = watcher.sightings().first(mark, Instant::now() + SOON, fits).await;
            told.with_context(|| format!("{count} new messages at {voicemail} are not told at west-pbx2"))?;
        }
    }
    watcher.close().await;
    Ok(())
}

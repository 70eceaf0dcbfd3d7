//! A message in real voicemail at one server lights the phone's message lamp at another, and out when it is gone.

use std::time::Instant;

use anyhow::{Context, Result};
use lab::{Package, Pbx, Report, Watcher};

use crate::stage::{SOON, Stage};

const INBOX: &str = "/var/spool/asterisk/voicemail/default/100/INBOX";

pub(super) async fn run(stage: Stage) -> Result<()> {
    let mut watcher = stage.watcher().await?;
    let (pbx1, pbx3) = (stage.pbx("pbx1")?, stage.pbx("pbx3")?);
    for pbx in [pbx1, pbx3] {
        watcher.watch(pbx.spec.name, pbx.address, "watcher", Package::MessageSummary).await?;
    }
    for (voicemail, phone) in [(pbx1, pbx3), (pbx3, pbx1)] {
        let leave = format!(
            "mkdir -p {INBOX} && printf '[message]\\norigtime=1\\nduration=1\\n' >{INBOX}/msg0000.txt"
        );
        change(&stage, &watcher, voicemail, phone, &leave, 1).await?;
        change(&stage, &watcher, voicemail, phone, &format!("rm {INBOX}/msg0000.txt"), 0).await?;
    }
    watcher.close().await;
    Ok(())
}

/// Changes the mailbox's files at one server; the phone at the other is told so many new messages.
async fn change(
    stage: &Stage,
    watcher: &Watcher,
    voicemail: &Pbx,
    phone: &Pbx,
    command: &str,
    count: u32,
) -> Result<()> {
    let mark = watcher.sightings().mark();
    stage.lab.docker().exec(voicemail.spec.name, &["sh", "-c", command]).await?;
    voicemail.refresh_voicemail("100").await?;
    let told = |sighting: &lab::Sighting| {
        let fits = sighting.server == phone.spec.name
            && sighting.report == (Report::Messages { new: count, old: 0 });
        fits.then_some(())
    };
    let context =
        || format!("{count} new at {}: the phone at {} is not told", voicemail.spec.name, phone.spec.name);
    watcher.sightings().first(mark, Instant::now() + SOON, told).await.with_context(context)
}

//! A message in real voicemail at one server lights the phone's message lamp at another, and out when it is gone, or its server is.

use std::time::Instant;

use anyhow::{Context, Result};
use lab::{Mark, Package, Pbx, Report, Watcher};

use crate::stage::{SOON, Stage};

const INBOX: &str = "/var/spool/asterisk/voicemail/default/100/INBOX";

pub(super) async fn run(stage: Stage) -> Result<()> {
    let mut watcher = stage.watcher().await?;
    let (pbx1, pbx3) = (stage.pbx("pbx1")?, stage.pbx("pbx3")?);
    for pbx in [pbx1, pbx3] {
        watcher.watch(pbx.spec.name, pbx.address, "watcher", Package::MessageSummary).await?;
    }
    for (voicemail, phone) in [(pbx1, pbx3), (pbx3, pbx1)] {
        for count in [1, 0] {
            let mark = watcher.sightings().mark();
            keep(&stage, voicemail, count).await?;
            told(&watcher, mark, phone, count).await?;
        }
    }
    watcher.close().await;
    Ok(())
}

/// The server that has the message is killed: it cannot be heard, so no phone is to show it.
pub(super) async fn killed(mut stage: Stage) -> Result<()> {
    let mut watcher = stage.watcher().await?;
    for pbx in stage.others("pbx1") {
        watcher.watch(pbx.spec.name, pbx.address, "watcher", Package::MessageSummary).await?;
    }
    let mark = watcher.sightings().mark();
    keep(&stage, stage.pbx("pbx1")?, 1).await?;
    for phone in stage.others("pbx1") {
        told(&watcher, mark, phone, 1).await?;
    }
    let mark = watcher.sightings().mark();
    stage.kill("east-pbx1").await?;
    let mut verdict = Ok(());
    for phone in stage.others("pbx1") {
        verdict = verdict.and(told(&watcher, mark, phone, 0).await);
    }
    stage.start_server("pbx1").await?;
    keep(&stage, stage.pbx("pbx1")?, 0).await?;
    watcher.close().await;
    verdict
}

/// Leaves so many messages (one or none) in the mailbox of a server.
pub(crate) async fn keep(stage: &Stage, voicemail: &Pbx, count: u32) -> Result<()> {
    let command = if count == 0 {
        format!("rm {INBOX}/msg0000.txt")
    } else {
        format!("mkdir -p {INBOX} && printf '[message]\\norigtime=1\\nduration=1\\n' >{INBOX}/msg0000.txt")
    };
    stage.lab.docker().exec(voicemail.spec.name, &["sh", "-c", &command]).await?;
    voicemail.refresh_voicemail("100").await
}

/// Waits until the phone at a server is told so many new messages.
async fn told(watcher: &Watcher, mark: Mark, phone: &Pbx, count: u32) -> Result<()> {
    let fits = |sighting: &lab::Sighting| {
        let fits = sighting.server == phone.spec.name
            && sighting.report == (Report::Messages { new: count, old: 0 });
        fits.then_some(())
    };
    let context = || format!("the phone at {} is not told of {count} new messages", phone.spec.name);
    watcher.sightings().first(mark, Instant::now() + SOON, fits).await.with_context(context)
}

//! What the lab does to itself is written down, for the annotations of the dashboards.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::dashboards::root;

/// Writes to the event log of this checkout: a kind (`restart`) and what it is done to.
pub async fn event(kind: &str, text: &str) -> Result<()> {
    write(kind, text, None).await
}

/// Like [`event`], to the log in this folder.
pub async fn event_in(folder: &Path, kind: &str, text: &str) -> Result<()> {
    write(kind, text, Some(folder)).await
}

async fn write(kind: &str, text: &str, folder: Option<&Path>) -> Result<()> {
    let mut command = Command::new(root().join("scripts/event.sh"));
    command.args([kind, text]).envs(folder.map(|folder| ("EVENTS_FOLDER", folder)));
    let status = command.status().await.context("cannot run scripts/event.sh")?;
    ensure!(status.success(), "scripts/event.sh did not write the event {kind} {text:?}");
    Ok(())
}

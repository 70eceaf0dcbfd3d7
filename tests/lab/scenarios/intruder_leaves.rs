//! A second process beside a server joins the group and leaves it, as a helper program or a monitor might.

use anyhow::Result;

use crate::stage::{REPAIRED, SOON, Stage};

/// Stock servers then take the server itself for gone: its lamp goes out where another server's state is left to show.
pub(super) async fn run(stage: Stage) -> Result<()> {
    let lamp = stage.new_lamp().await?;
    stage.pbx("pbx2")?.set(&lamp.device, "NOT_INUSE").await?;
    stage.pbx("pbx1")?.set(&lamp.device, "INUSE").await?;
    lamp.lit(&stage.all(), SOON).await?;
    let served = stage.those(&["pbx3", "pbx4"]);
    let calm = lamp.is_calm(&served);

    stage.intrude("pbx1", &[]).await?;

    lamp.shows(&stage.all(), 1, REPAIRED).await?;
    calm.held()
}

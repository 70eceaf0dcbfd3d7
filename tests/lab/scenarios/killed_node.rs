//! A node is killed: the lamps of the server that only it could speak for go out, and light again when it is back.

use anyhow::Result;

use crate::stage::{REPAIRED, SOON, Stage};

pub(super) async fn run(stage: Stage) -> Result<()> {
    let lamp = stage.new_lamp().await?;
    stage.pbx("pbx3")?.set(&lamp.device, "INUSE").await?;
    lamp.lit(&stage.all(), SOON).await?;

    stage.kill("east-node1").await?;
    lamp.out(&stage.others("pbx3"), SOON).await?;
    stage.start_node(1).await?;

    lamp.lit(&stage.all(), REPAIRED).await?;
    stage.pbx("pbx3")?.set(&lamp.device, "NOT_INUSE").await?;
    lamp.out(&stage.all(), SOON).await
}

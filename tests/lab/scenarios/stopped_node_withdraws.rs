//! A node that is asked to stop takes back what it told the others; started again, it tells it again.

use anyhow::Result;

use crate::stage::{SOON, Stage};

pub(super) async fn run(stage: Stage) -> Result<()> {
    let lamp = stage.new_lamp().await?;
    stage.pbx("pbx3")?.set(&lamp.device, "INUSE").await?;
    lamp.lit(&stage.all(), SOON).await?;

    stage.lab.docker().stop(&["east-node1"]).await?;
    lamp.out(&stage.others("pbx3"), SOON).await?;
    stage.start_node(1).await?;

    lamp.lit(&stage.all(), SOON).await?;
    stage.pbx("pbx3")?.set(&lamp.device, "NOT_INUSE").await?;
    lamp.out(&stage.all(), SOON).await
}

//! A node is killed while states change on both sides of it; back again, it makes both sides right.

use anyhow::Result;

use crate::stage::{SOON, Stage};

pub(super) async fn run(stage: Stage) -> Result<()> {
    let (lit_meanwhile, out_meanwhile, own) =
        (stage.new_lamp().await?, stage.new_lamp().await?, stage.new_lamp().await?);
    let (pbx1, pbx3) = (stage.pbx("pbx1")?, stage.pbx("pbx3")?);
    pbx1.set(&out_meanwhile.device, "INUSE").await?;
    out_meanwhile.lit(&[pbx3], SOON).await?;

    stage.kill("east-node1").await?;
    pbx1.set(&lit_meanwhile.device, "INUSE").await?;
    pbx1.set(&out_meanwhile.device, "NOT_INUSE").await?;
    pbx3.set(&own.device, "INUSE").await?;
    stage.start_node(1).await?;

    lit_meanwhile.lit(&stage.all(), SOON).await?;
    out_meanwhile.out(&stage.all(), SOON).await?;
    own.lit(&stage.all(), SOON).await?;
    pbx3.set(&own.device, "NOT_INUSE").await?;
    own.out(&stage.all(), SOON).await
}

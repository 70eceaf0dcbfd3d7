//! A server that was away has the right lamps as soon as it is back, without waiting for a call.

use anyhow::Result;

use crate::stage::{SOON, Stage};

pub(super) async fn run(mut stage: Stage, name: &'static str) -> Result<()> {
    let (lit_meanwhile, out_meanwhile, own) =
        (stage.new_lamp().await?, stage.new_lamp().await?, stage.new_lamp().await?);
    stage.pbx("pbx1")?.set(&out_meanwhile.device, "INUSE").await?;
    stage.pbx(name)?.set(&own.device, "INUSE").await?;
    out_meanwhile.lit(&stage.all(), SOON).await?;
    own.lit(&stage.all(), SOON).await?;

    // Asked to end, not killed: Asterisk writes its database a second late.
    stage.lab.docker().stop(&[stage.pbx(name)?.spec.name]).await?;
    stage.pbx("pbx1")?.set(&lit_meanwhile.device, "INUSE").await?;
    stage.pbx("pbx1")?.set(&out_meanwhile.device, "NOT_INUSE").await?;
    stage.start_server(name).await?;

    let back = stage.pbx(name)?;
    for lamp in [&lit_meanwhile, &out_meanwhile, &own] {
        back.add_hint(&lamp.exten, &lamp.device).await?;
    }
    lit_meanwhile.lit(&[back], SOON).await?;
    out_meanwhile.out(&[back], SOON).await?;
    // Its own custom devices are in its database: the others show them again, too.
    own.lit(&stage.all(), SOON).await
}

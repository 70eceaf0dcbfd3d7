//! A server is killed and comes back at once: what it still says is shown, and what it has forgotten is not.

use anyhow::Result;

use crate::stage::{REPAIRED, SOON, Stage};

pub(super) async fn run(mut stage: Stage) -> Result<()> {
    let (kept, forgotten) = (stage.new_lamp().await?, stage.new_lamp().await?);
    let pbx1 = stage.pbx("pbx1")?;
    // As a phone does whose call has ended when its server is back.
    pbx1.set(&forgotten.device, "INUSE").await?;
    pbx1.forget(&forgotten.device).await?;
    pbx1.set(&kept.device, "INUSE").await?;
    for lamp in [&kept, &forgotten] {
        lamp.lit(&stage.all(), SOON).await?;
    }
    stage.written("pbx1", &kept).await?;

    stage.kill("east-pbx1").await?;
    stage.start_server("pbx1").await?;

    stage.add_hints("pbx1", &[&kept, &forgotten]).await?;
    kept.lit(&stage.all(), REPAIRED).await?;
    forgotten.out(&stage.all(), REPAIRED).await
}

//! The power fails everywhere and comes back everywhere: every lamp is right without a call.

use anyhow::Result;

use crate::stage::{REPAIRED, SOON, Stage};

pub(super) async fn run(mut stage: Stage) -> Result<()> {
    let mut lamps = Vec::new();
    for pbx in stage.all() {
        let lamp = stage.new_lamp().await?;
        pbx.set(&lamp.device, "INUSE").await?;
        lamp.lit(&stage.all(), SOON).await?;
        lamps.push((pbx.spec.name, lamp));
    }
    for (name, lamp) in &lamps {
        stage.written(name, lamp).await?;
    }

    stage.power_cut().await?;

    let lamps: Vec<_> = lamps.into_iter().map(|(_, lamp)| lamp).collect();
    for name in stage.names() {
        stage.add_hints(name, &lamps.iter().collect::<Vec<_>>()).await?;
    }
    stage.all_together().await?;
    for lamp in &lamps {
        lamp.lit(&stage.all(), REPAIRED).await?;
    }
    Ok(())
}

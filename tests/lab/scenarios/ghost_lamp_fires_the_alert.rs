//! A stock server that is killed leaves its lamps lit at the other stock server: the exporter sees it and the alert fires.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::stage::{SOON, Stage, eventually};

/// Noticed, older than 15 s, and the alert's patience of 10 s.
const FIRES: Duration = Duration::from_secs(60);

pub(super) async fn run(mut stage: Stage) -> Result<()> {
    let prometheus = stage.watched().await?;
    let lamp = stage.new_lamp().await?;
    stage.pbx("pbx1")?.set(&lamp.device, "INUSE").await?;
    lamp.lit(&stage.all(), SOON).await?;
    ensure!(prometheus.firing("GhostLamp").await?.is_empty(), "it fires before anything has happened");

    stage.kill("east-pbx1").await?;
    eventually("GhostLamp fires", FIRES, || async { Ok(!prometheus.firing("GhostLamp").await?.is_empty()) })
        .await?;

    stage.start_server("pbx1").await?;
    for state in ["NOT_INUSE", "INUSE", "NOT_INUSE"] {
        stage.pbx("pbx1")?.set(&lamp.device, state).await?;
    }
    lamp.out(&stage.others("pbx1"), SOON).await?;
    eventually("GhostLamp ends", FIRES, || async { Ok(prometheus.firing("GhostLamp").await?.is_empty()) })
        .await
}

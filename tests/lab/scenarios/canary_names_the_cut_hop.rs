//! A hop is cut for real, and the canaries that are lost name it.

use anyhow::{Result, ensure};
use lab::{Http, Metrics};

use crate::canaries::{self, Way, are_lost, lost};
use crate::stage::Stage;

/// What was under way when the hop was cut may have stopped elsewhere.
const STRAYS_MAX: f64 = 1.0;
const HOPS: [&str; 8] = ["origin", "publish_in", "bus", "link", "publish_out", "hint", "notify", "unknown"];
const CUT_OFF: &str = "east-pbx3";
const OTHERS: [&str; 3] = ["east-pbx1", "east-pbx2", "east-pbx4"];

/// node1's corosync stands still: nothing gets from or to pbx3 over the group.
pub(super) async fn bus(stage: Stage) -> Result<()> {
    stage.watched().await?;
    let exporter = stage.lab.exporter()?;
    arrive(&exporter).await?;
    let before = exporter.metrics().await?;
    stage.faults().freeze(&["east-node1-corosync"]).await?;

    for other in OTHERS {
        names(&exporter, &before, [CUT_OFF, other], "bus").await?;
        names(&exporter, &before, [other, CUT_OFF], "bus").await?;
    }
    stage.faults().thaw(&["east-node1-corosync"]).await?;
    arrive(&exporter).await
}

/// pbx3 loses the module with which it publishes and is published to.
pub(super) async fn publish(mut stage: Stage) -> Result<()> {
    stage.watched().await?;
    let exporter = stage.lab.exporter()?;
    arrive(&exporter).await?;
    let before = exporter.metrics().await?;
    let unload = ["asterisk", "-rx", "module unload res_pjsip_publish_asterisk.so"];
    let told = stage.lab.docker().exec(CUT_OFF, &unload).await?;
    ensure!(told.starts_with("Unloaded"), "{told}");

    for other in OTHERS {
        names(&exporter, &before, [CUT_OFF, other], "publish_in").await?;
        names(&exporter, &before, [other, CUT_OFF], "publish_out").await?;
    }
    // Loaded again, the module would not find the publications of the configuration.
    stage.lab.docker().stop(&[CUT_OFF]).await?;
    stage.start_server("pbx3").await?;
    arrive(&exporter).await
}

/// Waits until canaries are lost on this way at that hop, and looks that they are at no other.
async fn names(exporter: &Http, before: &Metrics, way: Way, hop: &str) -> Result<()> {
    are_lost(exporter, before, way, hop).await?;
    let now = exporter.metrics().await?;
    for other in HOPS.into_iter().filter(|other| *other != hop) {
        let strays = lost(&now, way, other) - lost(before, way, other);
        ensure!(
            strays <= STRAYS_MAX,
            "canaries from {} to {} are lost at {hop}, but {strays} at {other}",
            way[0],
            way[1]
        );
    }
    Ok(())
}

/// Waits until canaries cross in both directions.
async fn arrive(exporter: &Http) -> Result<()> {
    let ways = [[CUT_OFF, OTHERS[0]], [OTHERS[0], CUT_OFF]];
    canaries::arrive(exporter, &ways, &["at=\"ami\""]).await
}

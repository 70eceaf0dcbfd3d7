//! A hop is cut for real, and the canaries that are lost name it.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Http, Metrics};

use crate::stage::{Stage, eventually};

/// A canary is lost after 10 s, then nodes are asked; there is one a second.
const LOST: Duration = Duration::from_secs(60);
/// So many losses are no accident.
const ENOUGH: f64 = 5.0;
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
async fn names(exporter: &Http, before: &Metrics, way: [&str; 2], hop: &str) -> Result<()> {
    let what = format!("canaries from {} to {} are lost at {hop}", way[0], way[1]);
    eventually(&what, LOST, || async {
        Ok(lost(&exporter.metrics().await?, way, hop) >= lost(before, way, hop) + ENOUGH)
    })
    .await?;
    let now = exporter.metrics().await?;
    for other in HOPS.into_iter().filter(|other| *other != hop) {
        let strays = lost(&now, way, other) - lost(before, way, other);
        ensure!(strays <= STRAYS_MAX, "{what}, but {strays} at {other}");
    }
    Ok(())
}

/// Waits until canaries cross in both directions.
async fn arrive(exporter: &Http) -> Result<()> {
    for way in [[CUT_OFF, OTHERS[0]], [OTHERS[0], CUT_OFF]] {
        let before = seen(&exporter.metrics().await?, way);
        let what = format!("canaries from {} arrive at {}", way[0], way[1]);
        eventually(&what, LOST, || async { Ok(seen(&exporter.metrics().await?, way) >= before + ENOUGH) })
            .await?;
    }
    Ok(())
}

fn lost(metrics: &Metrics, [origin, target]: [&str; 2], hop: &str) -> f64 {
    let labels = [format!("origin=\"{origin}\""), format!("target=\"{target}\""), format!("hop=\"{hop}\"")];
    metrics.sum("asterism_canary_lost_total", &labels.each_ref().map(String::as_str))
}

fn seen(metrics: &Metrics, [origin, target]: [&str; 2]) -> f64 {
    let labels = [format!("origin=\"{origin}\""), format!("target=\"{target}\"")];
    metrics
        .sum("asterism_propagation_seconds_count", &[&labels[0], &labels[1], "at=\"ami\"", "kind=\"canary\""])
}

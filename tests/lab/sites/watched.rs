//! What exporters, dashboards and alerts say of the links.

use std::time::Duration;

use anyhow::Result;
use lab::{Http, Metrics, Prometheus};

use super::linked;
use crate::stage::{STARTED, Stage, eventually};

/// A canary is lost after 10 s, then nodes are asked; there is one a second.
const LOST: Duration = Duration::from_secs(60);
/// So many are no accident.
const ENOUGH: f64 = 5.0;
/// An alert's patience, after the hold time.
const FIRES: Duration = Duration::from_secs(120);
/// From a stock server and from one of a node, and back.
const WAYS: [[&str; 2]; 3] =
    [["east-pbx1", "west-pbx1"], ["east-pbx4", "west-pbx2"], ["west-pbx2", "east-pbx2"]];

/// Canaries are seen and measured at the other site; where the way is cut they name it, and alerts fire until it is whole.
pub(super) async fn cut(stage: Stage) -> Result<()> {
    let prometheus = stage.watched().await?;
    let exporter = stage.lab.sites_exporter()?;
    arrive(&exporter).await?;
    let before = exporter.metrics().await?;
    stage.lab.wan()?.cut().await?;
    for way in WAYS {
        let what = format!("canaries from {} to {} are lost at the link", way[0], way[1]);
        eventually(&what, LOST, || async {
            Ok(lost(&exporter.metrics().await?, way) >= lost(&before, way) + ENOUGH)
        })
        .await?;
    }
    fires(&prometheus, "SiteCutOff", 2).await?;
    fires(&prometheus, "LinkDown", 8).await?;
    stage.lab.wan()?.heal().await?;
    linked(&stage.lab, STARTED).await?;
    arrive(&exporter).await?;
    eventually("the alerts end", FIRES, || async {
        Ok(prometheus.firing("SiteCutOff").await?.is_empty()
            && prometheus.firing("LinkDown").await?.is_empty())
    })
    .await
}

async fn fires(prometheus: &Prometheus, alert: &str, count: usize) -> Result<()> {
    let what = format!("{alert} fires {count} times");
    eventually(&what, FIRES, || async { Ok(prometheus.firing(alert).await?.len() == count) }).await
}

/// Waits until canaries cross between the sites, and are seen at lamps there.
async fn arrive(exporter: &Http) -> Result<()> {
    for [origin, target] in WAYS {
        let seen = |metrics: &Metrics| {
            let labels = [format!("origin=\"{origin}\""), format!("target=\"{target}\"")];
            let labels = [&labels[0], &labels[1], "at=\"lamp\"", "kind=\"canary\"", "path=\"link\""];
            metrics.sum("asterism_propagation_seconds_count", &labels)
        };
        let before = seen(&exporter.metrics().await?);
        let what = format!("canaries from {origin} light a lamp at {target}");
        eventually(&what, LOST, || async { Ok(seen(&exporter.metrics().await?) >= before + ENOUGH) }).await?;
    }
    Ok(())
}

fn lost(metrics: &Metrics, [origin, target]: [&str; 2]) -> f64 {
    let labels = [format!("origin=\"{origin}\""), format!("target=\"{target}\"")];
    metrics.sum("asterism_canary_lost_total", &[&labels[0], &labels[1], "hop=\"link\""])
}

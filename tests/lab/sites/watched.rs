//! What exporters, dashboards and alerts say of the links.

use std::time::Duration;

use anyhow::Result;
use lab::{Http, Prometheus};

use super::linked;
use crate::canaries::{self, Way, are_lost};
use crate::stage::{STARTED, Stage, eventually};

/// An alert's patience, after the hold time.
const FIRES: Duration = Duration::from_secs(120);
/// From a stock server and from one of a node, and back.
const WAYS: [Way; 3] = [["east-pbx1", "west-pbx1"], ["east-pbx4", "west-pbx2"], ["west-pbx2", "east-pbx2"]];

/// Canaries are seen and measured at the other site; where the way is cut they name it, and alerts fire until it is whole.
pub(super) async fn cut(stage: Stage) -> Result<()> {
    let prometheus = stage.watched().await?;
    let exporter = stage.lab.sites_exporter()?;
    arrive(&exporter).await?;
    let before = exporter.metrics().await?;
    stage.lab.wan()?.cut().await?;
    for way in WAYS {
        are_lost(&exporter, &before, way, "link").await?;
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
    canaries::arrive(exporter, &WAYS, &["at=\"lamp\"", "path=\"link\""]).await
}

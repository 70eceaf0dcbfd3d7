//! A node that has stopped is named by the exporter, fires its alerts, and hides no other source.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::stage::{Stage, eventually};

/// Scrape, rule and the alerts' patience of 30 s.
const FIRES: Duration = Duration::from_secs(60);

pub(super) async fn run(stage: Stage) -> Result<()> {
    let prometheus = stage.watched().await?;
    stage.lab.docker().stop(&["east-node2"]).await?;

    for alert in ["ScrapeFailed", "NodeNotReady"] {
        eventually(&format!("{alert} fires"), FIRES, || async {
            let firing = prometheus.firing(alert).await?;
            let named = |label: &str| {
                firing.iter().any(|alert| alert.metric.get(label).is_some_and(|name| name == "east-node2"))
            };
            Ok(named("node") || named("target"))
        })
        .await?;
    }
    let silent = prometheus.query("asterism_exporter_scrape_success == 0").await?;
    let named: Vec<&str> =
        silent.iter().filter_map(|sample| Some(sample.metric.get("target")?.as_str())).collect();
    ensure!(named == ["east-node2"], "silent are {named:?}");

    stage.start_node(2).await?;
    for alert in ["ScrapeFailed", "NodeNotReady"] {
        eventually(&format!("{alert} ends"), FIRES, || async {
            Ok(prometheus.firing(alert).await?.is_empty())
        })
        .await?;
    }
    Ok(())
}

//! What nodes and exporter tell is in order by Prometheus' own tool, and in OpenMetrics, with exemplars, for Prometheus itself.

use anyhow::{Context, Result, ensure};

use crate::stage::{Stage, eventually};

const PROMETHEUS: &str = "prometheus";
/// A few canaries, and a scrape after them.
const EXEMPLARS: std::time::Duration = std::time::Duration::from_secs(30);

pub(super) async fn run(stage: Stage) -> Result<()> {
    let prometheus = stage.watched().await?;
    eventually("exemplars of slow changes", EXEMPLARS, || async {
        Ok(prometheus.exemplars("asterism_propagation_seconds_bucket").await? > 0)
    })
    .await?;

    let mut scrapes = vec![("the exporter", stage.lab.exporter()?.fetch("/metrics").await?)];
    for node in stage.nodes()? {
        scrapes.push((node.spec.name, node.fetch("/metrics").await?));
    }
    for (who, (status, text)) in scrapes {
        ensure!(status == 200 && text.lines().count() > 50, "{who} answers {status}: {text}");
        let check = ["promtool", "check", "metrics"];
        let told = stage.lab.docker().exec_with_input(PROMETHEUS, &check, &text).await;
        let told = told.with_context(|| format!("{who}'s metrics"))?;
        ensure!(told.is_empty(), "{who}: {told}");
    }
    Ok(())
}

//! What an exporter counts of canaries.

use std::time::Duration;

use anyhow::Result;
use lab::{Http, Metrics};

use crate::stage::eventually;

/// A canary is lost after 10 s, then nodes are asked; there is one a second.
pub(crate) const LOST: Duration = Duration::from_secs(60);
/// So many are no accident.
pub(crate) const ENOUGH: f64 = 5.0;

/// From which server to which.
pub(crate) type Way = [&'static str; 2];

/// Waits until canaries cross on each of these ways, as series with these labels count them.
pub(crate) async fn arrive(exporter: &Http, ways: &[Way], labels: &[&str]) -> Result<()> {
    for way in ways {
        let before = seen(&exporter.metrics().await?, *way, labels);
        let what = format!("canaries from {} arrive at {} ({})", way[0], way[1], labels.join(", "));
        let more = || async { Ok(seen(&exporter.metrics().await?, *way, labels) >= before + ENOUGH) };
        eventually(&what, LOST, more).await?;
    }
    Ok(())
}

/// Waits until more canaries than before are lost on this way at that hop.
pub(crate) async fn are_lost(exporter: &Http, before: &Metrics, way: Way, hop: &str) -> Result<()> {
    let what = format!("canaries from {} to {} are lost at {hop}", way[0], way[1]);
    let more = || async { Ok(lost(&exporter.metrics().await?, way, hop) >= lost(before, way, hop) + ENOUGH) };
    eventually(&what, LOST, more).await
}

/// How many are lost on this way at that hop.
pub(crate) fn lost(metrics: &Metrics, way: Way, hop: &str) -> f64 {
    let [origin, target] = labels_of(way);
    metrics.sum("asterism_canary_lost_total", &[&origin, &target, &format!("hop=\"{hop}\"")])
}

fn seen(metrics: &Metrics, way: Way, labels: &[&str]) -> f64 {
    let [origin, target] = labels_of(way);
    let labels = [&[&origin, &target, "kind=\"canary\""], labels].concat();
    metrics.sum("asterism_propagation_seconds_count", &labels)
}

fn labels_of([origin, target]: Way) -> [String; 2] {
    [format!("origin=\"{origin}\""), format!("target=\"{target}\"")]
}

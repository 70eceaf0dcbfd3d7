//! A lamp crosses from each server of one site to each of the other, stock and unmodified.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use crate::stage::{SOON, Stage};

pub(super) async fn run(stage: Stage) -> Result<()> {
    cross(&stage, SOON).await
}

/// Half a second there and back, and every tenth packet is lost, late or twice.
pub(super) async fn on_a_bad_way(stage: Stage) -> Result<()> {
    let bad = json!({"delay_ms": 150.0, "jitter_ms": 50.0, "loss_percent": 5.0, "reorder_percent": 3.0,
                     "duplicate_percent": 2.0});
    stage.lab.wan()?.set(&bad).await?;
    cross(&stage, SOON * 2).await
}

async fn cross(stage: &Stage, within: Duration) -> Result<()> {
    let pairs = stage.directed_pairs();
    for (from, to) in pairs.into_iter().filter(|(from, to)| from.spec.site != to.spec.site) {
        let lamp = stage.new_lamp().await?;
        for (state, status) in [("INUSE", 1), ("RINGING", 8), ("NOT_INUSE", 0)] {
            let (mark, deadline) = (to.mark(), Instant::now() + within);
            from.set(&lamp.device, state).await?;
            to.saw_device(mark, deadline, &lamp.device, state).await?;
            to.saw_hint(mark, deadline, &lamp.exten, status).await?;
        }
    }
    Ok(())
}

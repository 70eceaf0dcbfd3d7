//! A device changes a thousand times as fast as its server can: every server shows the last state.

use anyhow::Result;

use crate::stage::{REPAIRED, Stage};

const CHANGES: usize = 1000;
const STATES: [&str; 4] = ["RINGING", "INUSE", "ONHOLD", "NOT_INUSE"];

pub(super) async fn run(stage: Stage) -> Result<()> {
    for (last, status) in [("INUSE", 1), ("NOT_INUSE", 0)] {
        for origin in stage.those(&["pbx1", "pbx3"]) {
            let lamp = stage.new_lamp().await?;
            let mut replies = Vec::new();
            for change in 1..CHANGES {
                replies.push(origin.start_set(&lamp.device, STATES[change % STATES.len()]).await?);
            }
            for reply in replies {
                reply.response().await?;
            }
            origin.set(&lamp.device, last).await?;
            lamp.shows(&stage.all(), status, REPAIRED).await?;
        }
    }
    Ok(())
}

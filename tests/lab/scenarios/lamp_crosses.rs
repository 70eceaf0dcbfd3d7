//! A lamp crosses each directed pair of servers: the device in an AMI event, the hint too, and out again.

use std::time::Instant;

use anyhow::Result;

use crate::stage::{SOON, Stage};

pub(super) async fn run(stage: Stage) -> Result<()> {
    for (from, to) in stage.directed_pairs() {
        let lamp = stage.new_lamp().await?;
        for (state, status) in [("INUSE", 1), ("RINGING", 8), ("NOT_INUSE", 0)] {
            let (mark, deadline) = (to.mark(), Instant::now() + SOON);
            from.set(&lamp.device, state).await?;
            to.saw_device(mark, deadline, &lamp.device, state).await?;
            to.saw_hint(mark, deadline, &lamp.exten, status).await?;
        }
    }
    Ok(())
}

//! The same device in different states at several servers: every server shows what Asterisk makes of them, and so do the nodes.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::stage::{SOON, Stage};

/// States at several servers, and what Asterisk makes of them (`ast_devstate_aggregate_add`).
const TABLE: &[(&[&str], &str)] = &[
    (&["INUSE", "RINGING"], "RINGINUSE"),
    (&["BUSY", "RINGING"], "RINGINUSE"),
    (&["ONHOLD", "RINGING"], "RINGINUSE"),
    (&["RINGINUSE", "BUSY"], "RINGINUSE"),
    (&["INUSE", "BUSY"], "BUSY"),
    (&["INUSE", "ONHOLD"], "INUSE"),
    (&["RINGING", "NOT_INUSE"], "RINGING"),
    (&["ONHOLD", "NOT_INUSE"], "ONHOLD"),
    (&["NOT_INUSE", "UNAVAILABLE"], "NOT_INUSE"),
    (&["UNAVAILABLE", "INVALID"], "UNAVAILABLE"),
    (&["INUSE", "RINGING", "ONHOLD", "BUSY"], "RINGINUSE"),
    (&["UNAVAILABLE", "NOT_INUSE", "INVALID", "ONHOLD"], "ONHOLD"),
    (&["NOT_INUSE", "NOT_INUSE", "UNAVAILABLE", "INUSE"], "INUSE"),
];

pub(super) async fn run(stage: Stage) -> Result<()> {
    let all = stage.all();
    for (states, expected) in TABLE.iter().filter(|(states, _)| states.len() <= all.len()) {
        // Each server has its turn to be the first.
        for first in 0..all.len() {
            let lamp = stage.new_lamp().await?;
            for (state, pbx) in states.iter().zip(all.iter().cycle().skip(first)) {
                pbx.set(&lamp.device, state).await?;
            }
            let deadline = Instant::now() + SOON;
            for pbx in &all {
                pbx.device_becomes(deadline, &lamp.device, expected).await?;
            }
            for node in stage.nodes()? {
                let known = node.states(&lamp.device).await?.map(|known| known.aggregate);
                let name = node.spec.name;
                ensure!(
                    known.as_deref() == Some(*expected),
                    "{name}: {states:?} is {known:?}, not {expected}"
                );
            }
        }
    }
    Ok(())
}

//! A killed server leaves no lamp lit anywhere; back again, it is heard again.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::stage::{SOON, Stage};

/// A server without corosync is given up after a silence of six seconds.
const NOTICED: Duration = Duration::from_secs(10);

pub(super) async fn run(mut stage: Stage, name: &'static str) -> Result<()> {
    let lamp = stage.new_lamp().await?;
    let spec = stage.pbx(name)?.spec;
    stage.pbx(name)?.set(&lamp.device, "INUSE").await?;
    lamp.lit(&stage.all(), SOON).await?;

    stage.kill(spec.name).await?;
    lamp.out(&stage.others(name), NOTICED).await?;
    let deadline = Instant::now() + SOON;
    for node in stage.nodes()? {
        // UNAVAILABLE is what a node says of the dead, because stock Asterisk understands nothing else.
        let says = |states: lab::DeviceStates| {
            states.states.into_iter().find(|known| known.eid == spec.eid && known.state != "UNAVAILABLE")
        };
        while let Some(ghost) = node.states(&lamp.device).await?.and_then(says) {
            ensure!(
                Instant::now() < deadline,
                "{} still says {} of {}",
                node.spec.name,
                ghost.state,
                lamp.device
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    stage.start_server(name).await?;
    stage.pbx(name)?.set(&lamp.device, "NOT_INUSE").await?;
    stage.pbx(name)?.set(&lamp.device, "INUSE").await?;
    lamp.lit(&stage.others(name), SOON).await?;
    stage.pbx(name)?.set(&lamp.device, "NOT_INUSE").await?;
    lamp.out(&stage.others(name), SOON).await
}

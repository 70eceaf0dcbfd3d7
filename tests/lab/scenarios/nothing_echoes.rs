//! A state set and cleared at its origin goes out everywhere and stays out; then nothing more is said.

use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{Mark, Pbx};

use crate::lamp::Lamp;
use crate::stage::{SOON, Stage};

const SILENCE: Duration = Duration::from_secs(3);

pub(super) async fn run(stage: Stage) -> Result<()> {
    let mut lamps = Vec::new();
    for origin in stage.all() {
        let lamp = stage.new_lamp().await?;
        origin.set(&lamp.device, "INUSE").await?;
        lamp.lit(&stage.all(), SOON).await?;
        origin.set(&lamp.device, "NOT_INUSE").await?;
        lamp.out(&stage.all(), SOON).await?;
        lamps.push(lamp);
    }
    let marks: Vec<(&Pbx, Mark)> = stage.all().into_iter().map(|pbx| (pbx, pbx.mark())).collect();
    let before = events(&stage).await?;
    tokio::time::sleep(SILENCE).await;
    for (pbx, mark) in marks {
        let echoes = pbx.ami.events().since(mark, |event| {
            let device = event.field("Device")?;
            let again = event.is("Event", "DeviceStateChange")
                && lamps.iter().any(|lamp: &Lamp| lamp.device == device);
            again.then(|| format!("{device} {}", event.field("State").unwrap_or_default()))
        });
        ensure!(echoes.is_empty(), "{} said again: {}", pbx.spec.name, echoes.join(", "));
    }
    let after = events(&stage).await?;
    ensure!(before == after, "events in and out of the nodes went on: {before:?}, then {after:?}");
    Ok(())
}

/// What each node has received and sent of devices and mailboxes.
async fn events(stage: &Stage) -> Result<Vec<f64>> {
    let mut counts = Vec::new();
    for node in stage.nodes()? {
        let metrics = node.metrics().await?;
        for name in ["asterism_node_events_received_total", "asterism_node_events_sent_total"] {
            ensure!(metrics.names().any(|found| found == name), "{} has no metric {name}", node.spec.name);
            counts.push(
                ["kind=\"device_state\"", "kind=\"mwi\""].iter().map(|kind| metrics.sum(name, &[kind])).sum(),
            );
        }
    }
    Ok(counts)
}

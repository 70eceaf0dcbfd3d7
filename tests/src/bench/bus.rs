//! Events a second from a real group: a storm says changes at a rate, a node takes them. What counts as arrived is what the node
//! has counted and shows at the end.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab::{Lab, Machine, NODES, Node, NodeSpec, SERVERS, ServerSpec, Told};

use super::figure::Figures;
use super::process::Process;
use super::{knows, stopped};
use crate::output::Screen;

/// Whose place the storm takes.
const STOCK: &ServerSpec = &SERVERS[0];
const NODE: &NodeSpec = &NODES[0];
/// What a device of a storm says after the other.
const STATES: [&str; 4] = ["RINGING", "INUSE", "ONHOLD", "NOT_INUSE"];
const FIRST_DEVICE: u64 = 100_000;
const TIMEOUT: Duration = Duration::from_secs(30);

/// How much, for how long.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Changes a second.
    #[arg(long, default_value_t = 20_000.0)]
    rate: f64,
    /// For how long.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Devices that change in turn.
    #[arg(long, default_value_t = 1_000)]
    devices: u32,
    #[command(flatten)]
    pub(super) output: super::Keep,
}

pub(super) async fn measure(lab: &Lab, screen: &Screen, options: &Options) -> Result<Figures> {
    stopped::alone(lab, NODE, storm(lab, screen, options)).await
}

async fn storm(lab: &Lab, screen: &Screen, options: &Options) -> Result<Figures> {
    let machine = Machine::named(STOCK.name).context("no such machine")?;
    let node = lab.node(NODE)?;
    let mut storm = lab.storm(&machine, STOCK.eid, options.devices).await?;
    knows(&node, STOCK.eid, options.devices, TIMEOUT).await?;
    screen.line(&format!(
        "{} changes a second of {} devices, for {} s",
        options.rate, options.devices, options.seconds
    ));
    let process = Process::of(&lab.docker(), NODE.name).await?;
    let (before, worked) = (received(&node).await?, process.worked()?);
    let told = storm.say(options.rate, options.seconds).await?;
    let worked = (process.worked()? - worked).as_secs_f64() / told.seconds * 100.0;
    let missing = missing(&node, before, &told).await?;
    let wrong = wrong(&node, &told, options.devices).await?;
    let rss = process.rss_mib()?;
    storm.leave().await?;

    let mut figures = Figures::default();
    let rate = told.changes as f64 / told.seconds;
    figures.at_least("events from the group, sustained", "/s", options.rate.min(20_000.0), rate.round());
    figures.at_most("of them lost on the way to the node", "", 0.0, missing);
    figures.at_most("devices that the node shows wrongly at the end", "", 0.0, wrong);
    figures.seen("changes said", "", told.changes as f64);
    figures.seen("longest wait of a change for its turn", "ms", told.behind_ms_max);
    figures.seen("times corosync was too busy to take one", "", told.throttled as f64);
    figures.seen("processor of the node", "%", worked);
    figures.seen("RSS of the node", "MiB", rss);
    Ok(figures)
}

/// Device states that the node has taken from the group.
async fn received(node: &Node) -> Result<f64> {
    let labels = ["path=\"group\"", "kind=\"device_state\""];
    Ok(node.metrics().await?.sum("asterism_node_events_received_total", &labels))
}

/// How many changes the node has not counted, once it counts no more.
async fn missing(node: &Node, before: f64, told: &Told) -> Result<f64> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let missing = told.changes as f64 - (received(node).await? - before);
        if missing <= 0.0 || Instant::now() >= deadline {
            return Ok(missing.abs());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// How many devices have another state at the node than they said last.
async fn wrong(node: &Node, told: &Told, devices: u32) -> Result<f64> {
    let all = node.all_states().await?;
    let states: HashMap<&str, &str> = all
        .iter()
        .filter_map(|device| {
            let ours = device.states.iter().find(|known| known.eid == STOCK.eid)?;
            Some((device.device.as_str(), ours.state.as_str()))
        })
        .collect();
    let devices = u64::from(devices);
    let shown = |index: u64| states.get(format!("PJSIP/{}", FIRST_DEVICE + index).as_str()).copied();
    let wrong = (0..devices).filter(|index| shown(*index) != Some(last(*index, told.changes, devices)));
    Ok(wrong.count() as f64)
}

/// What the device of this number said last, after so many changes that the devices took turns in.
fn last(index: u64, changes: u64, devices: u64) -> &'static str {
    let own = changes.saturating_sub(index).div_ceil(devices);
    STATES[(own as usize + STATES.len() - 1) % STATES.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_take_turns() {
        assert_eq!(last(0, 0, 3), "NOT_INUSE");
        assert_eq!([0, 1, 2].map(|index| last(index, 2, 3)), ["RINGING", "RINGING", "NOT_INUSE"]);
        assert_eq!([0, 1, 2].map(|index| last(index, 4, 3)), ["INUSE", "RINGING", "RINGING"]);
        assert_eq!(last(2, 12, 3), "NOT_INUSE");
    }
}

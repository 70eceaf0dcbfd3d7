//! A member of the group says what no server says: it is counted, changes nothing, and reaches no other server.

use anyhow::{Result, ensure};
use lab::Node;

use crate::junk;
use crate::stage::{REPAIRED, Stage};

pub(super) async fn run(mut stage: Stage) -> Result<()> {
    let nodes = stage.nodes()?;
    if !nodes.is_empty() {
        // Nobody can protect a stock server from what another member says. Whoever hears of it through a node, the node can.
        stage.faults().kill(&["east-pbx1", "east-pbx2"]).await?;
        stage.together(&["node1", "node2"]).await?;
    }
    let mut before = Vec::new();
    for node in &nodes {
        before.push(counts(node).await?);
    }
    let words: Vec<String> = junk::all().iter().map(|(_, event)| hex(event)).collect();
    stage.intrude("pbx1", &words.iter().map(String::as_str).collect::<Vec<_>>()).await?;

    let judged = if nodes.is_empty() { stage.all() } else { stage.those(&["pbx3", "pbx4"]) };
    for pbx in judged {
        let lives = pbx.device(junk::NAME).await;
        ensure!(lives.is_ok(), "{} died of it", pbx.spec.name);
        ensure!(lives.is_ok_and(|state| state == "UNKNOWN"), "{} was told", pbx.spec.name);
    }
    for (node, before) in nodes.iter().zip(before) {
        ensure!(node.states(junk::NAME).await?.is_none(), "{} believes it", node.spec.name);
        ensure!(counts(node).await? == expected(before), "{} has not counted it all", node.spec.name);
    }
    for name in ["pbx1", "pbx2"] {
        stage.start_server(name).await?;
    }
    let lamp = stage.new_lamp().await?;
    stage.pbx("pbx1")?.set(&lamp.device, "INUSE").await?;
    lamp.lit(&stage.all(), REPAIRED).await
}

/// What a node has counted as malformed, by what is wrong with it.
async fn counts(node: &Node) -> Result<Vec<f64>> {
    let metrics = node.metrics().await?;
    let count =
        |label: &str| metrics.sum("asterism_node_events_malformed_total", &[&format!("reason=\"{label}\"")]);
    Ok(junk::all().iter().map(|(label, _)| count(label)).collect())
}

/// Once more for each event of that kind.
fn expected(before: Vec<f64>) -> Vec<f64> {
    let all = junk::all();
    let of_kind = |label: &str| all.iter().filter(|(other, _)| *other == label).count() as f64;
    all.iter().zip(before).map(|((label, _), before)| before + of_kind(label)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

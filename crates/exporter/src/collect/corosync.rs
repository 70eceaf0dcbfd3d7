//! The local corosync, from a thread of its own: libquorum and libcmap wait for as long as a stopped daemon is stopped.

use super::{Input, Inputs};
use crate::metrics::{CorosyncFigures, LinkFigures};
use crate::sources::{Answer, Collector};
use corosync_rs::{Cmap, Error, Map, Quorum, Value};
use std::time::{Duration, Instant};

const PERIOD: Duration = Duration::from_secs(5);
/// As a target, the only one.
pub(crate) const TARGET: &str = "local";
/// After so long without a report the daemon is stopped.
pub(crate) const SILENCE: Duration = Duration::from_secs(15);
/// libqb's stack use is not documented; libcpg's is above 1 MiB.
const STACK_BYTES: usize = 4 * 1024 * 1024;

/// Starts the thread; it ends with the exporter, at its next report.
pub(crate) fn spawn(inputs: Inputs) -> std::io::Result<()> {
    let run = move || {
        let mut connections = None;
        loop {
            let begun = Instant::now();
            let read = read(&mut connections);
            let (figures, answer) = match read {
                Ok(figures) => (Some(figures), Answer::Well(Some(begun.elapsed()))),
                Err(error) => {
                    connections = None;
                    (None, Answer::Badly(error.to_string()))
                }
            };
            let source = Input::Source { collector: Collector::Corosync, target: TARGET.to_owned(), answer };
            if inputs.blocking_send(Input::Corosync { figures }).is_err()
                || inputs.blocking_send(source).is_err()
            {
                return;
            }
            std::thread::sleep(PERIOD);
        }
    };
    std::thread::Builder::new().name("corosync".to_owned()).stack_size(STACK_BYTES).spawn(run).map(drop)
}

struct Connections {
    quorum: Quorum,
    config: Cmap,
    stats: Cmap,
}

fn read(connections: &mut Option<Connections>) -> Result<CorosyncFigures, Error> {
    let made = match connections.take() {
        Some(connections) => connections,
        None => Connections {
            quorum: Quorum::initialize()?,
            config: Cmap::initialize(Map::Config)?,
            stats: Cmap::initialize(Map::Stats)?,
        },
    };
    let Connections { quorum, config, stats } = connections.insert(made);
    let quorate = quorum.is_quorate()?;
    // Only these keys: the configuration's map has the cluster's secret in it.
    let mut keys = config.iterate("runtime.members.")?;
    keys.extend(config.iterate("nodelist.")?);
    let mut measured = stats.iterate("stats.knet.node")?;
    measured.extend(
        stats.get("stats.srp.mtt_rx_token")?.map(|value| ("stats.srp.mtt_rx_token".to_owned(), value)),
    );
    Ok(figures(quorate, &keys, &measured))
}

fn figures(quorate: bool, config: &[(String, Value)], stats: &[(String, Value)]) -> CorosyncFigures {
    let number = |keys: &[(String, Value)], key: &str| keys.iter().find(|(k, _)| k == key)?.1.as_f64();
    let own = number(config, "nodelist.local_node_pos")
        .and_then(|position| number(config, &format!("nodelist.node.{position}.nodeid")));
    let joined = |(key, value): &(String, Value)| {
        let nodeid = key.strip_prefix("runtime.members.")?.strip_suffix(".status")?;
        nodeid.parse().ok().filter(|_| value.as_str() == Some("joined"))
    };
    let link = |(key, value): &(String, Value)| {
        let (nodeid, rest) = key.strip_prefix("stats.knet.node")?.split_once(".link")?;
        let link = rest.strip_suffix(".connected")?;
        let base = format!("stats.knet.node{nodeid}.link{link}.");
        let latency = |name: &str| number(stats, &format!("{base}{name}")).map(|micros| micros / 1e6);
        let pinged = number(stats, &format!("{base}latency_samples")).is_some_and(|samples| samples > 0.0);
        let (nodeid, link): (u32, u32) = (nodeid.parse().ok()?, link.parse().ok()?);
        (Some(f64::from(nodeid)) != own).then(|| LinkFigures {
            nodeid,
            link,
            connected: value.as_f64() == Some(1.0),
            latency_average_s: latency("latency_ave").filter(|_| pinged),
            latency_max_s: latency("latency_max").filter(|_| pinged),
        })
    };
    CorosyncFigures {
        quorate,
        members: config.iter().filter_map(joined).collect(),
        mtt_rx_token_s: number(stats, "stats.srp.mtt_rx_token").map(|millis| millis / 1e3),
        links: stats.iter().filter_map(link).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_captured_reading_becomes_figures() {
        let config = keys(include_str!("../../tests/captured/cmap.txt"));
        let stats = keys(include_str!("../../tests/captured/cmap-stats.txt"));
        let figures = figures(true, &config, &stats);
        assert_eq!(figures.members, [1, 2, 21, 22]);
        assert_eq!(figures.mtt_rx_token_s, Some(0.181));
        let links: Vec<_> =
            figures.links.iter().map(|link| (link.nodeid, link.link, link.connected)).collect();
        assert_eq!(links, [(2, 0, true), (21, 0, true), (22, 0, true)], "not the node's own");
        assert_eq!(figures.links[0].latency_average_s, Some(0.000_201));
    }

    #[test]
    fn a_corosync_without_knet_has_no_links() {
        let figures = figures(false, &[], &[("stats.knet.nodeX.link0.connected".to_owned(), Value::U8(1))]);
        let none = CorosyncFigures { quorate: false, members: vec![], mtt_rx_token_s: None, links: vec![] };
        assert_eq!(figures, none);
    }

    /// Lines as corosync-cmapctl prints them.
    fn keys(text: &str) -> Vec<(String, Value)> {
        let key = |line: &str| {
            let (key, rest) = line.split_once(" (")?;
            let (kind, value) = rest.split_once(") = ")?;
            let value = match kind {
                "u8" => Value::U8(value.parse().ok()?),
                "u32" => Value::U32(value.parse().ok()?),
                "u64" => Value::U64(value.parse().ok()?),
                _ => Value::String(value.to_owned()),
            };
            Some((key.to_owned(), value))
        };
        text.lines().filter_map(key).collect()
    }
}

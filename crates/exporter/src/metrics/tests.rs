//! The metrics against their page and against a golden scrape.

use super::*;
use daemon::metrics::proof;
use presence::DeviceState;

const MS: Duration = Duration::from_millis(1);

#[test]
fn metrics_md_says_what_the_code_says() {
    proof::assert_documented(&scraped().encode(), include_str!("../../METRICS.md"));
}

#[test]
fn a_scrape_is_as_it_was() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    proof::assert_golden(&scraped().encode(), &folder);
}

#[test]
fn what_corosync_does_not_say_any_more_is_not_told() {
    let metrics = scraped();
    assert!(metrics.encode().contains("asterism_corosync_quorate{} 1\n"));
    metrics.corosync(None);
    assert!(!metrics.encode().lines().any(|line| line.starts_with("asterism_corosync")));
}

#[test]
fn an_exemplar_stays_within_the_bounds_of_openmetrics() {
    let device = "é".repeat(255).as_str().into();
    let labels = exemplar(&Change { device, ..change(Kind::Canary(u64::MAX)) });
    let characters: usize = labels.iter().map(|(key, value)| key.len() + value.chars().count()).sum();
    assert!(characters <= 128, "{characters}");
}

/// Metrics of two servers after a little of everything.
fn scraped() -> Metrics {
    let servers = vec!["a".to_owned(), "b".to_owned()];
    let metrics = Metrics::new(Names { site: "east".to_owned(), servers, nodes: vec!["node1".to_owned()] });
    let (a, b) = (ServerId(0), ServerId(1));
    let ami = Place { server: b, at: At::Ami };
    let lamp = Place { server: b, at: At::Lamp };
    let seen = |kind, place, latency| Effect::Seen { change: change(kind), place, latency };
    for effect in [
        Effect::Set { server: a, device: "Custom:x".into(), state: DeviceState::InUse },
        seen(Kind::Canary(1), ami, MS * 3),
        seen(Kind::Canary(2), ami, MS * 40),
        seen(Kind::Passive, lamp, MS * 20_000),
        Effect::Missed { change: change(Kind::Passive), place: ami, fate: Fate::Coalesced },
        Effect::Missed { change: change(Kind::Canary(3)), place: ami, fate: Fate::Lost },
        Effect::CanaryLost { origin: a, target: b, hop: Hop::PublishOut },
        Effect::Dropped { server: b, reason: Dropped::Malformed, count: 2 },
    ] {
        metrics.count(&effect, |_, _| "node", SystemTime::UNIX_EPOCH + MS * 1_500);
    }
    metrics.disagreements(1, Some(MS * 4_500));
    metrics.server(a, true, 12, 2);
    metrics.server(b, false, 0, 0);
    metrics.node("node1", true);
    metrics.node_clock("node1", -0.25);
    metrics.clock_jumped("node1");
    metrics.source("asterisk", "a", true, Some(MS * 5));
    metrics.source("asterisk", "b", false, None);
    let link = LinkFigures {
        nodeid: 2,
        link: 0,
        connected: true,
        latency_average_s: Some(0.000_201),
        latency_max_s: Some(0.000_977),
    };
    let idle = LinkFigures {
        nodeid: 3,
        connected: false,
        latency_average_s: None,
        latency_max_s: None,
        ..link.clone()
    };
    let figures = CorosyncFigures {
        quorate: true,
        members: vec![1, 2],
        mtt_rx_token_s: Some(0.181),
        links: vec![link, idle],
    };
    metrics.corosync(Some(&figures));
    metrics
}

fn change(kind: Kind) -> Change {
    let (device, state) = ("Custom:x".into(), DeviceState::InUse);
    Change { device, state, origin: ServerId(0), kind, at: Duration::ZERO }
}

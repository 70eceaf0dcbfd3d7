//! The metrics against their page and against a golden scrape.

use super::*;
use presence::DeviceState;
use std::collections::BTreeSet;

const MS: Duration = Duration::from_millis(1);

#[test]
fn metrics_md_says_what_the_code_says() {
    let documented: BTreeSet<_> = include_str!("../../METRICS.md")
        .lines()
        .filter(|line| line.starts_with("| `asterism_"))
        .map(str::to_owned)
        .collect();
    let code = rows(&scraped().encode());
    let missing: Vec<_> = code.difference(&documented).collect();
    let stale: Vec<_> = documented.difference(&code).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "METRICS.md lacks {missing:#?} and has {stale:#?} too much"
    );
}

#[test]
fn a_scrape_is_as_it_was() {
    let scrape = sorted(&scraped().encode());
    let golden = include_str!("../../tests/golden/scrape.metrics");
    if scrape != golden {
        let new = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/scrape.metrics.new");
        std::fs::write(&new, &scrape).unwrap();
        panic!("the scrape differs from the golden one; the new one is in {}", new.display());
    }
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
    let metrics = Metrics::new(Names { site: "east".to_owned(), servers }, true);
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
        Effect::Dropped { reason: Dropped::Malformed, count: 2 },
    ] {
        metrics.count(&effect, |_, _| "node", SystemTime::UNIX_EPOCH + MS * 1_500);
    }
    metrics.disagreements(1, Some(MS * 4_500));
    metrics.server(a, true, 12, 2);
    metrics.server(b, false, 0, 0);
    metrics.node("node1", true);
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

/// Name, type, labels and help of every metric, as METRICS.md writes them.
fn rows(text: &str) -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    for help in text.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
        let (name, help) = help.split_once(' ').unwrap();
        let kind = text.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {name} "))).unwrap();
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let series = text.lines().find(|line| line.starts_with(&format!("{name}{suffix}"))).expect(name);
        let series = series.split(" # ").next().unwrap();
        let labels = series.split_once('{').map_or("", |(_, labels)| labels.split_once('}').unwrap().0);
        let labels: Vec<_> = labels
            .split(',')
            .filter_map(|label| label.split_once('='))
            .map(|(key, _)| key)
            .filter(|key| *key != "le")
            .collect();
        let help = help.trim_end_matches('.');
        rows.insert(format!("| `{name}{suffix}` | {kind} | {} | {help} |", labels.join(", ")));
    }
    rows
}

/// The series of each metric in the order of their labels, because the encoder's own order is random; what belongs to
/// one histogram stays together.
fn sorted(text: &str) -> String {
    let mut sections: Vec<(Vec<&str>, Vec<Vec<&str>>)> = Vec::new();
    let mut last = String::new();
    for line in text.lines() {
        if line.starts_with('#') {
            if !line.starts_with("# TYPE") {
                sections.push((Vec::new(), Vec::new()));
            }
            sections.last_mut().unwrap().0.push(line);
            last.clear();
            continue;
        }
        let labels = line.split_once('{').map_or("", |(_, labels)| labels.split_once('}').unwrap().0);
        let labels =
            labels.split(',').filter(|label| !label.starts_with("le=")).collect::<Vec<_>>().join(",");
        let series = &mut sections.last_mut().unwrap().1;
        if series.is_empty() || labels != last {
            series.push(Vec::new());
        }
        series.last_mut().unwrap().push(line);
        last = labels;
    }
    let mut lines = Vec::new();
    for (head, mut series) in sections {
        series.sort();
        lines.extend(head);
        lines.extend(series.concat());
    }
    lines.join("\n") + "\n"
}

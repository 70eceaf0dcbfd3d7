//! Alerts, dashboards and the documents that go with them: right by themselves, without a lab. What runs in an image says which
//! one is missing; `just test` builds them.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use lab::dashboards::{Dashboard, documented, is_documented, metrics, root};
use serde_json::Value;

const GRID_COLUMNS: u64 = 24;
/// What a laptop of 1366 × 768 shows beside Grafana's frame, twice: one scroll at most.
const GRID_ROWS_MAX: u64 = 36;

#[test]
fn promtool_accepts_configuration_and_rules() {
    promtool(&["check", "config", "/etc/prometheus/prometheus.yml"]);
    let rules = ["/etc/prometheus/rules.yml", "/etc/prometheus/alerts.yml"];
    promtool(&[&["check", "rules", "--lint=all", "--lint-fatal"], &rules[..]].concat());
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    promtool(&["test", "rules", "/etc/prometheus/tests/alerts.yml", "/etc/prometheus/tests/rules.yml"]);
}

#[test]
fn promtool_finds_nothing_in_what_node_and_exporter_tell() {
    for program in ["node", "exporter"] {
        let scrape = read(&format!("crates/{program}/tests/golden/scrape.txt"));
        let told = run_on("asterism/prometheus", &[], &["promtool", "check", "metrics"], &scrape);
        assert!(told.is_empty(), "{program}: {told}");
    }
}

#[test]
fn every_alert_has_both_kinds_of_cases_and_a_section_in_the_runbook() {
    let cases = read("compose/prometheus/tests/alerts.yml");
    let runbook = read("docs/RUNBOOK.md");
    let alerts = after("compose/prometheus/alerts.yml", "- alert: ");
    assert!(alerts.len() >= 9, "{alerts:?}");
    for alert in alerts {
        let silent = format!("alertname: {alert}, exp_alerts: []");
        let firing = format!("alertname: {alert}\n        exp_alerts:\n          - exp_labels");
        assert!(cases.contains(&silent), "{alert}: no case in which it stays silent");
        assert!(cases.contains(&firing), "{alert}: no case in which it fires");
        assert!(runbook.contains(&format!("\n## {alert}\n")), "{alert}: no section in docs/RUNBOOK.md");
        let link = format!("runbook: docs/RUNBOOK.md#{}", alert.to_lowercase());
        assert!(read("compose/prometheus/alerts.yml").contains(&link), "{alert}: no annotation {link}");
    }
}

#[test]
fn every_metric_that_is_named_is_described() {
    let known = documented().unwrap();
    let mut named: Vec<(String, String)> = Vec::new();
    for dashboard in Dashboard::all().unwrap() {
        let variables = dashboard.variables().unwrap().into_iter().map(|variable| variable.selector);
        let expressions = dashboard.queries().into_iter().map(|query| query.expr).chain(variables);
        named.extend(expressions.map(|expr| (dashboard.title().to_owned(), expr)));
    }
    for file in ["compose/prometheus/rules.yml", "compose/prometheus/alerts.yml"] {
        named.extend(expressions(file).into_iter().map(|expr| (file.to_owned(), expr)));
    }
    let recorded = after("compose/prometheus/rules.yml", "- record: ");
    named.extend(recorded.into_iter().map(|name| ("compose/prometheus/rules.yml".to_owned(), name)));
    assert!(named.len() > 60, "all were found");
    for (place, expr) in named {
        let names = metrics(&expr);
        assert!(!names.is_empty(), "{place}: no metric in {expr}");
        let unknown: Vec<&String> = names.iter().filter(|name| !is_documented(name, &known)).collect();
        assert!(unknown.is_empty(), "{place}: no METRICS.md has {unknown:?}, which {expr} names");
    }
}

#[test]
fn dashboards_are_what_grafana_expects() {
    let names: Vec<String> = Dashboard::all()
        .unwrap()
        .iter()
        .map(|dashboard| format!("/dashboards/{}", dashboard.path.file_name().unwrap().display()))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    run("asterism/schema", &[("grafana/dashboards", "/dashboards")], &names);
}

#[test]
fn every_panel_tells_what_it_shows_and_has_its_own_place() {
    for dashboard in Dashboard::all().unwrap() {
        let title = dashboard.title().to_owned();
        let mut taken = BTreeSet::new();
        let mut titles = BTreeSet::new();
        for panel in dashboard.panels() {
            let place = format!("{title} / {}", panel["title"]);
            assert!(titles.insert(panel["title"].to_string()), "{place}: twice");
            says(panel, &["title", "description"], &place);
            let defaults = &panel["fieldConfig"]["defaults"];
            says(defaults, &["unit"], &place);
            let steps = defaults["thresholds"]["steps"].as_array();
            assert!(steps.is_some_and(|steps| !steps.is_empty()), "{place}: no thresholds");
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{place}: no query");
            for source in targets.iter().chain([panel]) {
                assert_eq!(source["datasource"]["uid"], "prometheus", "{place}");
            }
            for target in targets {
                says(target, &["expr", "refId"], &place);
            }
            for cell in cells(panel, &place) {
                assert!(taken.insert(cell), "{place}: lies on another panel");
            }
        }
        assert!(taken.iter().all(|(_, y)| *y < GRID_ROWS_MAX), "{title}: too long for a laptop");
    }
}

#[test]
fn dashboards_speak_without_red_and_green() {
    // Okabe and Ito's colours for all who see them differently, and grey.
    let palette = ["#0072B2", "#E69F00", "#56B4E9", "#D55E00", "#CC79A7", "#8C8C8C"];
    for dashboard in Dashboard::all().unwrap() {
        let text = dashboard.json.to_string();
        let fixed = text.split("\"fixedColor\":\"").skip(1).chain(text.split("\"color\":\"#").skip(1));
        for rest in fixed {
            let colour = format!("#{}", rest.split('"').next().unwrap().trim_start_matches('#'));
            assert!(palette.contains(&colour.as_str()), "{}: {colour}", dashboard.title());
        }
        assert!(!text.contains("\"green\"") && !text.contains("\"red\""), "{}", dashboard.title());
    }
}

#[test]
fn events_become_metrics() {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("events-{}", std::process::id())).join("events");
    for (kind, text) in
        [("restart", "east-pbx1"), ("kill", "a \"quoted\" \\ word\nand a line"), ("restart", "east-pbx1")]
    {
        let mut command = Command::new(root().join("scripts/event.sh"));
        assert!(command.args([kind, text]).env("EVENTS_FOLDER", &folder).status().unwrap().success());
    }
    let metrics = std::fs::read_to_string(folder.join("events.prom")).unwrap();
    let log = std::fs::read_to_string(folder.join("../events.jsonl")).unwrap();
    std::fs::remove_dir_all(folder.parent().unwrap()).unwrap();

    let series: Vec<&str> = metrics.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(series.len(), 2, "what happened twice has one series: {metrics}");
    assert!(metrics.contains("asterism_lab_event_timestamp_seconds{kind=\"restart\",text=\"east-pbx1\"} 1"));
    assert!(metrics.contains("text=\"a quoted  word and a line\""), "{metrics}");
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1]["kind"], "kill");
    let refused = Command::new(root().join("scripts/event.sh")).args(["Not a kind", "x"]).output().unwrap();
    assert!(!refused.status.success());
}

/// Runs promtool, as the lab's Prometheus has it, on the lab's files.
fn promtool(arguments: &[&str]) {
    let arguments = [&["promtool"], arguments].concat();
    run("asterism/prometheus", &[("compose/prometheus", "/etc/prometheus")], &arguments);
}

/// Runs an image without a network and on these folders, which it can only read.
fn run(image: &str, folders: &[(&str, &str)], arguments: &[&str]) {
    run_on(image, folders, arguments, "");
}

/// The same with something to read on standard input. Returns what it says.
fn run_on(image: &str, folders: &[(&str, &str)], arguments: &[&str], input: &str) -> String {
    let mut command = Command::new("docker");
    command.args(["run", "--rm", "--interactive", "--network", "none", "--read-only", "--tmpfs", "/tmp"]);
    command.args([
        "--pull",
        "never",
        "--tmpfs",
        "/run/prometheus:uid=952,gid=952",
        "--env",
        "NODE_TOKEN=none",
    ]);
    for (folder, inside) in folders {
        let folder = root().join(folder).canonicalize().expect("it is part of the project");
        command.arg("--volume").arg(format!("{}:{inside}:ro", folder.display()));
    }
    command.arg(image).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("docker runs");
    // A program that ends early does not read it.
    drop(child.stdin.take().expect("it is piped").write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("docker ends");
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(output.status.success(), "{image} {arguments:?}: {told}");
    told
}

fn says(json: &Value, fields: &[&str], place: &str) {
    for field in fields {
        assert!(json[field].as_str().is_some_and(|text| !text.is_empty()), "{place}: no {field}");
    }
}

/// The cells of the grid that a panel takes.
fn cells(panel: &Value, place: &str) -> Vec<(u64, u64)> {
    let side =
        |key: &str| panel["gridPos"][key].as_u64().unwrap_or_else(|| panic!("{place}: no gridPos.{key}"));
    let (x, y, w, h) = (side("x"), side("y"), side("w"), side("h"));
    assert!(w > 0 && h > 0 && x + w <= GRID_COLUMNS, "{place}: outside the grid");
    (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))).collect()
}

/// What follows a word at the beginning of lines.
fn after(file: &str, word: &str) -> Vec<String> {
    let text = read(file);
    text.lines().filter_map(|line| line.trim().strip_prefix(word)).map(str::to_owned).collect()
}

/// The PromQL of a file of rules, folded lines together.
fn expressions(file: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut folded = false;
    for line in read(file).lines().map(str::trim) {
        if let Some(expr) = line.strip_prefix("expr: ") {
            folded = expr == ">-";
            found.push(if folded { String::new() } else { expr.to_owned() });
        } else if line.starts_with("for: ") || line.starts_with("labels: ") {
            folded = false;
        } else if folded && let Some(last) = found.last_mut() {
            last.push_str(line);
            last.push(' ');
        }
    }
    found
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

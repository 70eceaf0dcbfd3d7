//! For the tests of programs: holds their metrics against the page that describes them, and against a scrape that is kept.

use super::classic;
use std::collections::BTreeSet;
use std::path::Path;

/// The same row of METRICS.md for each metric of this OpenMetrics text, and no other.
///
/// # Panics
/// When one is missing or too much.
pub fn assert_documented(openmetrics: &str, document: &str) {
    let is_row = |line: &&str| line.starts_with("| `asterism_") || line.starts_with("| `process_");
    let documented: BTreeSet<_> = document.lines().filter(is_row).map(str::to_owned).collect();
    let code = rows(openmetrics);
    let missing: Vec<_> = code.difference(&documented).collect();
    let stale: Vec<_> = documented.difference(&code).collect();
    assert!(
        missing.is_empty() && stale.is_empty(),
        "METRICS.md lacks {missing:#?} and has {stale:#?} too much"
    );
}

/// The folder has this very text in `scrape.metrics`, and the same in the older format in `scrape.txt`.
///
/// # Panics
/// When it has something else; what it should have is then beside it, with `.new` behind its name.
pub fn assert_golden(openmetrics: &str, folder: &Path) {
    let openmetrics = settled(openmetrics);
    let mut differ = Vec::new();
    for (name, text) in [("scrape.txt", classic(&openmetrics)), ("scrape.metrics", openmetrics)] {
        if std::fs::read_to_string(folder.join(name)).unwrap_or_default() != text {
            let new = folder.join(format!("{name}.new"));
            std::fs::write(&new, &text).expect("the golden folder can be written");
            differ.push(new);
        }
    }
    assert!(differ.is_empty(), "the scrape differs from the golden one; the new one is in {differ:?}");
}

/// Name, type, labels and help of every metric, as METRICS.md writes them.
fn rows(text: &str) -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    for help in text.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
        let (name, help) = help.split_once(' ').expect("each metric has a help");
        let of_type = format!("# TYPE {name} ");
        let kind = text.lines().find_map(|line| line.strip_prefix(&of_type)).expect("each metric has a type");
        let suffix = super::suffix(&format!("{name} {kind}"));
        let is_series = |line: &&str| line.starts_with(&format!("{name}{suffix}"));
        let series = text.lines().find(is_series).unwrap_or_else(|| panic!("{name}: it has no series"));
        let keys = labels(series).filter_map(|label| label.split_once('=')).map(|(key, _)| key);
        let keys: Vec<_> = keys.filter(|key| *key != "le").collect();
        let help = help.trim_end_matches('.');
        rows.insert(format!("| `{name}{suffix}` | {kind} | {} | {help} |", keys.join(", ")));
    }
    rows
}

/// The labels of a series whose values have neither a comma nor a brace.
fn labels(series: &str) -> impl Iterator<Item = &str> {
    let labels = series.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
    labels.map_or("", |(labels, _)| labels).split(',')
}

/// The same text at each run: the series of a metric in the order of their labels, because the encoder's own order is
/// random (what belongs to one histogram stays together), and what a process is using as zero.
fn settled(text: &str) -> String {
    let mut sections: Vec<(Vec<&str>, Vec<Vec<String>>)> = Vec::new();
    let mut last = String::new();
    for line in text.lines() {
        if line.starts_with('#') {
            if line.starts_with("# HELP") || line == "# EOF" {
                sections.push((Vec::new(), Vec::new()));
            }
            sections.last_mut().expect("a help begins the text").0.push(line);
            last.clear();
            continue;
        }
        let of_histogram =
            labels(line).filter(|label| !label.starts_with("le=")).collect::<Vec<_>>().join(",");
        let series = &mut sections.last_mut().expect("a help begins the text").1;
        if series.is_empty() || of_histogram != last {
            series.push(Vec::new());
        }
        let process = line.starts_with("process_").then(|| line.split_once(' ')).flatten();
        let line = process.map_or(line.to_owned(), |(name, _)| format!("{name} 0"));
        series.last_mut().expect("one was pushed").push(line);
        last = of_histogram;
    }
    let mut lines = Vec::new();
    for (head, mut series) in sections {
        series.sort();
        lines.extend(head.into_iter().map(str::to_owned));
        lines.extend(series.concat());
    }
    lines.join("\n") + "\n"
}

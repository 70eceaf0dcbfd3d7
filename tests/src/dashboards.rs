//! The dashboards of `grafana/`, and which metrics they and the alerts name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

/// Where metrics are described.
const METRICS: [&str; 3] =
    ["crates/node/METRICS.md", "crates/exporter/METRICS.md", "compose/prometheus/METRICS.md"];
/// What histograms and info metrics add to their names.
const SUFFIXES: [&str; 4] = ["_bucket", "_count", "_sum", "_info"];

/// One dashboard.
pub struct Dashboard {
    /// Its file.
    pub path: PathBuf,
    /// All of it.
    pub json: Value,
}

/// A variable of a dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// As queries name it, without the dollar.
    pub name: String,
    /// `label_values(SELECTOR, LABEL)`: the selector.
    pub selector: String,
    /// The label.
    pub label: String,
    /// What stands for all values, where all may be chosen.
    pub all: Option<String>,
}

/// One query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The panel's title, or the annotation's name.
    pub place: String,
    /// PromQL, with variables.
    pub expr: String,
}

impl Dashboard {
    /// All of them, by name.
    pub fn all() -> Result<Vec<Self>> {
        let folder = root().join("grafana/dashboards");
        let mut paths: Vec<PathBuf> =
            folder.read_dir()?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
        paths.sort();
        let read = |path: PathBuf| {
            let json = serde_json::from_slice(&std::fs::read(&path)?)
                .with_context(|| format!("{} is not JSON", path.display()))?;
            Ok(Self { path, json })
        };
        paths.into_iter().map(read).collect()
    }

    /// Its title.
    pub fn title(&self) -> &str {
        self.json["title"].as_str().unwrap_or_default()
    }

    /// Its panels.
    pub fn panels(&self) -> impl Iterator<Item = &Value> {
        self.json["panels"].as_array().into_iter().flatten()
    }

    /// The queries of panels and annotations.
    pub fn queries(&self) -> Vec<Query> {
        let query = |place: &Value, expr: &Value| Query {
            place: place.as_str().unwrap_or_default().to_owned(),
            expr: expr.as_str().unwrap_or_default().to_owned(),
        };
        let of_panel = |panel: &Value| -> Vec<Query> {
            let targets = panel["targets"].as_array().into_iter().flatten();
            targets.map(|target| query(&panel["title"], &target["expr"])).collect()
        };
        let annotations = self.json["annotations"]["list"].as_array().into_iter().flatten();
        let annotations = annotations.map(|annotation| query(&annotation["name"], &annotation["expr"]));
        self.panels().flat_map(of_panel).chain(annotations).collect()
    }

    /// Its variables, in the order in which they depend on each other.
    pub fn variables(&self) -> Result<Vec<Variable>> {
        let read = |json: &Value| {
            let text = |key: &str| json[key].as_str().map(str::to_owned);
            let name = text("name").context("a variable without a name")?;
            let definition = json["query"]["query"].as_str().unwrap_or_default();
            let inner = definition.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
            let (selector, label) = inner
                .and_then(|inner| inner.rsplit_once(','))
                .with_context(|| format!("${name} is no label_values(SELECTOR, LABEL): {definition}"))?;
            Ok(Variable {
                name,
                selector: selector.trim().to_owned(),
                label: label.trim().to_owned(),
                all: text("allValue"),
            })
        };
        self.json["templating"]["list"].as_array().into_iter().flatten().map(read).collect()
    }
}

/// The names of metrics in a PromQL expression.
pub fn metrics(expr: &str) -> BTreeSet<String> {
    let expr = without_groupings(&without_selectors(expr));
    let mut names = BTreeSet::new();
    let mut rest = expr.as_str();
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_' || c == ':') {
        // A duration or a number with an exponent is no name.
        let follows_digit = rest[..start].ends_with(|c: char| c.is_ascii_digit());
        let word = &rest[start..];
        let end = word.find(|c: char| !is_word(c)).unwrap_or(word.len());
        let after = word[end..].trim_start();
        let name = &word[..end];
        let keyword = matches!(name, "and" | "or" | "unless" | "offset" | "bool" | "inf" | "nan");
        // Aggregations may have their grouping, which is gone, before the bracket.
        if !follows_digit && !keyword && !after.starts_with('(') {
            names.insert(name.to_owned());
        }
        rest = &word[end..];
    }
    names
}

/// The names in the METRICS.md files.
pub fn documented() -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for file in METRICS {
        let text = std::fs::read_to_string(root().join(file)).with_context(|| file.to_owned())?;
        let cells = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
        names.extend(cells.map(|(name, _)| name.to_owned()));
    }
    Ok(names)
}

/// Whether a name is described: as it stands, or as a part of a histogram or an info metric.
pub fn is_documented(name: &str, documented: &BTreeSet<String>) -> bool {
    documented.contains(name)
        || SUFFIXES
            .iter()
            .any(|suffix| name.strip_suffix(suffix).is_some_and(|stem| documented.contains(stem)))
}

/// The project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// Without strings and what stands in {} and [].
fn without_selectors(expr: &str) -> String {
    let (mut depth, mut quoted, mut kept) = (0, false, String::new());
    for c in expr.chars() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

/// Without `by (…)` and its like, so that labels are not taken for metrics.
fn without_groupings(expr: &str) -> String {
    let mut text = expr.to_owned();
    for word in ["by", "on", "without", "ignoring", "group_left", "group_right"] {
        let mut from = 0;
        while let Some(at) = text[from..].find(word).map(|at| at + from) {
            let after = &text[at + word.len()..];
            let stands_alone = !text[..at].ends_with(is_word) && after.trim_start().starts_with('(');
            match after.find(')').filter(|_| stands_alone) {
                Some(end) => text.replace_range(at..=at + word.len() + end, ""),
                None => from = at + word.len(),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_told_from_functions_labels_and_durations() {
        let named = |expr| metrics(expr).into_iter().collect::<Vec<_>>();
        assert_eq!(
            named("histogram_quantile(0.5, sum by (path, le) (rate(a_bucket{site=~\"b}c\"}[1m])))"),
            ["a_bucket"]
        );
        assert_eq!(
            named("a:b:sum - on (site) a:c offset 1h or label_replace(vector(0), \"x\", \"\", \"\", \"\")"),
            ["a:b:sum", "a:c"]
        );
        assert_eq!(named("up == 0 and on (x) min by (site) (d) > 1e5"), ["d", "up"]);
    }
}

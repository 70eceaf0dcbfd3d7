//! What criterion measures of the core: events a second on one thread.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::process::Command;

use super::figure::Figures;

const EVENTS_PER_SECOND_MIN: f64 = 1e6;

#[derive(Deserialize)]
struct Benchmark {
    title: String,
    throughput: Throughput,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Throughput {
    elements: f64,
}

#[derive(Deserialize)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize)]
struct Estimate {
    /// Nanoseconds of one iteration.
    point_estimate: f64,
}

pub(super) async fn measure() -> Result<Figures> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let begun = SystemTime::now();
    let mut cargo = Command::new("cargo");
    cargo.args(["bench", "--quiet", "--package", "presence", "--bench", "table"]).current_dir(&root);
    ensure!(cargo.status().await.context("cannot run cargo")?.success(), "the benchmark failed");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let mut figures = Figures::default();
    for (title, events_per_second) in read(&target.join("criterion/table"), begun)? {
        figures.at_least(title, "/s", EVENTS_PER_SECOND_MIN, events_per_second);
    }
    Ok(figures)
}

/// Events a second by the name of the benchmark, of those that have been measured since then.
fn read(folder: &Path, since: SystemTime) -> Result<BTreeMap<String, f64>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())?.flatten() {
            let path = entry.path();
            if path.file_name().is_some_and(|name| name == "new") {
                let estimates = path.join("estimates.json");
                if estimates.metadata()?.modified()? < since {
                    continue;
                }
                let benchmark: Benchmark = json(&path.join("benchmark.json"))?;
                let estimates: Estimates = json(&estimates)?;
                let seconds = estimates.median.point_estimate / 1e9;
                all.insert(benchmark.title, benchmark.throughput.elements / seconds);
            } else if path.is_dir() {
                folders.push(path);
            }
        }
    }
    ensure!(!all.is_empty(), "criterion has left no figures in {}", folder.display());
    Ok(all)
}

fn json<T: serde::de::DeserializeOwned>(file: &Path) -> Result<T> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    serde_json::from_str(&text).with_context(|| file.display().to_string())
}

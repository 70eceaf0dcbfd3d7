//! Every query of every dashboard gives data while the lab works, with its variables as Grafana would resolve them.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::Prometheus;
use lab::dashboards::Dashboard;

use crate::house::events_folder;
use crate::lamp::Lamp;
use crate::stage::{Stage, eventually};

/// Rates need two scrapes, recorded figures a minute's beginning.
const DATA: Duration = Duration::from_secs(60);

/// The dashboard for which there have to be two sites.
const BETWEEN_SITES: &str = "Links";

pub(super) async fn run(stage: Stage) -> Result<()> {
    judge_at_work(stage, |title| title != BETWEEN_SITES).await
}

pub(crate) async fn of_links(stage: Stage) -> Result<()> {
    judge_at_work(stage, |title| title == BETWEEN_SITES).await
}

async fn judge_at_work(stage: Stage, wanted: impl Fn(&str) -> bool) -> Result<()> {
    lab::event_in(&events_folder(&stage.lab.project), "workload", "one lamp").await?;
    let prometheus = stage.watched().await?;
    let lamp = stage.new_lamp().await?;
    tokio::select! {
        result = judge(&prometheus, wanted) => result,
        result = work(&stage, &lamp) => result,
    }
}

async fn judge(prometheus: &Prometheus, wanted: impl Fn(&str) -> bool) -> Result<()> {
    let mut dashboards = Dashboard::all()?;
    dashboards.retain(|dashboard| wanted(dashboard.title()));
    ensure!(!dashboards.is_empty(), "dashboards are missing");
    for dashboard in dashboards {
        let values = resolve(prometheus, &dashboard).await?;
        for query in dashboard.queries() {
            let expr = insert(&query.expr, &values);
            let what = format!("{} / {}: data for {expr}", dashboard.title(), query.place);
            eventually(&what, DATA, || async { Ok(!prometheus.query(&expr).await?.is_empty()) }).await?;
        }
    }
    Ok(())
}

/// The value of each variable: all of them where that may be chosen, else the first.
async fn resolve(prometheus: &Prometheus, dashboard: &Dashboard) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for variable in dashboard.variables()? {
        let expr = format!("group by ({}) ({})", variable.label, insert(&variable.selector, &values));
        let what = format!("{}: values of ${}", dashboard.title(), variable.name);
        eventually(&what, DATA, || async { Ok(!prometheus.query(&expr).await?.is_empty()) }).await?;
        let first = prometheus
            .query(&expr)
            .await?
            .into_iter()
            .find_map(|mut sample| sample.metric.remove(&variable.label));
        let value = variable.all.or(first).with_context(|| format!("no value has the label of {what}"))?;
        values.insert(variable.name, value);
    }
    Ok(values)
}

fn insert(expr: &str, values: &BTreeMap<String, String>) -> String {
    let expr = expr.replace("$__rate_interval", "20s");
    values.iter().fold(expr, |expr, (name, value)| expr.replace(&format!("${name}"), value))
}

/// What an office would do, on one lamp.
async fn work(stage: &Stage, lamp: &Lamp) -> Result<()> {
    loop {
        for state in ["RINGING", "INUSE", "NOT_INUSE"] {
            stage.pbx("pbx1")?.set(&lamp.device, state).await?;
            tokio::time::sleep(Duration::from_millis(700)).await;
        }
    }
}

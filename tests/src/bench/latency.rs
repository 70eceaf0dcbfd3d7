//! One change after the other, each waited for: how long until the other server shows it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use lab::Pbx;
use serde::{Serialize, Serializer};

use crate::output::{Cell, Screen, header, number, text};

const TIMEOUT: Duration = Duration::from_secs(5);
/// Few devices, each changed again and again: the tables stay small.
const DEVICES: u32 = 8;
/// So many lost in a row, and the path is given up.
const LOST_IN_A_ROW_MAX: u32 = 5;

/// From where to where.
pub(super) struct Path<'a> {
    pub(super) name: &'static str,
    /// Tells the devices of this path from those of another.
    pub(super) tag: &'static str,
    pub(super) from: &'a Pbx,
    pub(super) to: &'a Pbx,
}

/// What was measured on a path.
#[derive(Serialize)]
pub(super) struct Latency {
    path: &'static str,
    lost: u32,
    /// From the origin's own event, in milliseconds.
    #[serde(serialize_with = "quantiles")]
    after_event: Histogram<u64>,
    /// From the moment at which the change was sent to the origin, in milliseconds.
    #[serde(serialize_with = "quantiles")]
    after_send: Histogram<u64>,
}

/// Measures all paths in turn, change by change, so that what disturbs one disturbs all.
pub(super) async fn measure(paths: &[Path<'_>], changes: u32) -> Result<Vec<Latency>> {
    let mut latencies = paths.iter().map(Latency::new).collect::<Result<Vec<_>>>()?;
    for path in paths {
        path.prepare().await?;
    }
    let mut lost_in_a_row = vec![0; paths.len()];
    for change in 0..changes {
        for ((path, latency), lost) in paths.iter().zip(&mut latencies).zip(&mut lost_in_a_row) {
            if *lost >= LOST_IN_A_ROW_MAX {
                latency.lost += 1;
            } else if path.change(change, latency).await? {
                *lost = 0;
            } else {
                *lost += 1;
                latency.lost += 1;
            }
        }
    }
    for path in paths {
        path.forget().await?;
    }
    Ok(latencies)
}

impl Path<'_> {
    /// Measures this path alone.
    pub(super) async fn measure(&self, changes: u32) -> Result<Latency> {
        let latencies = measure(std::slice::from_ref(self), changes).await?;
        latencies.into_iter().next().context("nothing was measured")
    }

    fn device(&self, index: u32) -> String {
        format!("Custom:bench-{}-{index}", self.tag)
    }

    /// A run before this one may have ended with lamps lit.
    async fn prepare(&self) -> Result<()> {
        let deadline = Instant::now() + TIMEOUT;
        for index in 0..DEVICES {
            self.from.set(&self.device(index), "NOT_INUSE").await?;
        }
        for index in 0..DEVICES {
            // A path that carries nothing shows in the figures.
            drop(self.to.device_becomes(deadline, &self.device(index), "NOT_INUSE").await);
        }
        Ok(())
    }

    /// One change and its arrival; `false` when it did not arrive.
    async fn change(&self, change: u32, latency: &mut Latency) -> Result<bool> {
        let device = self.device(change % DEVICES);
        let state = if (change / DEVICES).is_multiple_of(2) { "INUSE" } else { "NOT_INUSE" };
        let (here, there) = (self.from.mark(), self.to.mark());
        let sent = Instant::now();
        let deadline = sent + TIMEOUT;
        self.from.set(&device, state).await?;
        let left = self.from.saw_device(here, deadline, &device, state).await?;
        let Ok(arrived) = self.to.saw_device(there, deadline, &device, state).await else { return Ok(false) };
        latency.after_event.record(microseconds(arrived.saturating_duration_since(left)))?;
        latency.after_send.record(microseconds(arrived.saturating_duration_since(sent)))?;
        Ok(true)
    }

    /// A restarted server is not to bring the devices back.
    async fn forget(&self) -> Result<()> {
        for index in 0..DEVICES {
            let device = self.device(index);
            self.from.set(&device, "NOT_INUSE").await?;
            self.from.forget(&device).await?;
        }
        Ok(())
    }
}

impl Latency {
    fn new(path: &Path<'_>) -> Result<Self> {
        let empty = Histogram::new(3)?;
        Ok(Self { path: path.name, lost: 0, after_event: empty.clone(), after_send: empty })
    }

    pub(super) fn add(&mut self, other: &Self) -> Result<()> {
        self.lost += other.lost;
        self.after_event.add(&other.after_event)?;
        self.after_send.add(&other.after_send)?;
        Ok(())
    }

    fn row(&self, stock: Option<&Self>) -> Vec<Cell> {
        let after = &self.after_event;
        let mut row = vec![text(self.path), number(after.len().to_string()), number(self.lost.to_string())];
        row.extend([0.5, 0.9, 0.99, 1.0].map(|quantile| number(format!("{:.2}", at(after, quantile)))));
        row.extend([0.5, 0.99].map(|quantile| {
            let stock = stock.map_or(0.0, |stock| at(&stock.after_event, quantile));
            let known = stock > 0.0 && !after.is_empty();
            number(if known { format!("{:.2}", at(after, quantile) / stock) } else { "-".to_owned() })
        }));
        row.extend([0.5, 0.99].map(|quantile| number(format!("{:.2}", at(&self.after_send, quantile)))));
        row
    }
}

/// A table of paths; ratios are to `stock`.
pub(super) fn show(screen: &Screen, title: &str, latencies: &[Latency], stock: Option<&Latency>) {
    screen.heading(title);
    let names = [
        "path",
        "changes",
        "lost",
        "p50",
        "p90",
        "p99",
        "max",
        "p50 ratio",
        "p99 ratio",
        "p50 from send",
        "p99 from send",
    ];
    let mut rows = vec![header(&names)];
    rows.extend(latencies.iter().map(|latency| latency.row(stock)));
    screen.table(&rows);
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// A quantile in milliseconds.
fn at(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    Duration::from_micros(histogram.value_at_quantile(quantile)).as_secs_f64() * 1000.0
}

fn quantiles<S: Serializer>(histogram: &Histogram<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Quantiles {
        changes: u64,
        p50_ms: f64,
        p90_ms: f64,
        p99_ms: f64,
        max_ms: f64,
    }
    let [p50_ms, p90_ms, p99_ms, max_ms] = [0.5, 0.9, 0.99, 1.0].map(|quantile| at(histogram, quantile));
    Quantiles { changes: histogram.len(), p50_ms, p90_ms, p99_ms, max_ms }.serialize(serializer)
}

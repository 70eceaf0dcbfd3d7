//! What was measured: one histogram for each path, rate and place.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;

use super::machine::Processor;
use super::plan::Rate;
use super::tracker::{Change, Place, Seen};

/// Microseconds, from one to two minutes, to three digits.
pub(super) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 120_000_000, 3).expect("these bounds are valid")
}

/// Figures by path and rate.
#[derive(Default)]
pub(super) struct Book(BTreeMap<(usize, Rate), Figures>);

impl Book {
    pub(super) fn page(&mut self, path: usize, rate: Rate) -> &mut Figures {
        self.0.entry((path, rate)).or_default()
    }

    pub(super) fn read(&self, path: usize, rate: Rate) -> Option<&Figures> {
        self.0.get(&(path, rate))
    }
}

/// One path at one rate.
pub(super) struct Figures {
    /// From the intended time to the target's AMI event.
    pub(super) device: Series,
    /// From the intended time to the NOTIFY at the target's phone.
    pub(super) lamp: Series,
    /// From the origin's own AMI event to the target's.
    pub(super) after_origin: Histogram<u64>,
    /// From the intended time until the harness had written the change.
    pub(super) behind: Histogram<u64>,
    /// What the whole machine did meanwhile.
    pub(super) processor: Processor,
}

/// Latencies at one place.
pub(super) struct Series {
    pub(super) latency: Histogram<u64>,
    /// Changes that were never seen.
    pub(super) lost: u64,
    /// Devices that showed a wrong state at the end of a slice.
    pub(super) wrong: u64,
}

impl Figures {
    pub(super) fn record(&mut self, change: &Change) -> Result<()> {
        self.device.record(change.due, change.at(Place::Device))?;
        self.lamp.record(change.due, change.at(Place::Lamp))?;
        if let (Seen::At(origin), Seen::At(device)) = (change.at(Place::Origin), change.at(Place::Device)) {
            self.after_origin.record(microseconds(device.saturating_duration_since(origin)))?;
        }
        Ok(())
    }
}

impl Series {
    fn new() -> Self {
        Self { latency: histogram(), lost: 0, wrong: 0 }
    }

    fn record(&mut self, due: Instant, seen: Seen) -> Result<()> {
        match seen {
            Seen::At(at) => self.latency.record(microseconds(at.saturating_duration_since(due)))?,
            Seen::Missed | Seen::Awaited => self.lost += 1,
            Seen::Unwatched => {}
        }
        Ok(())
    }
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            device: Series::new(),
            lamp: Series::new(),
            after_origin: histogram(),
            behind: histogram(),
            processor: Processor::default(),
        }
    }
}

pub(super) fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).clamp(1, 120_000_000)
}

/// A quantile in milliseconds; `None` where fewer than one value lies above it, for then it is but the maximum.
pub(super) fn quantile(histogram: &Histogram<u64>, quantile: f64) -> Option<f64> {
    #[allow(clippy::cast_precision_loss, reason = "runs have fewer changes than that")]
    let above = histogram.len() as f64 * (1.0 - quantile);
    (above > 0.999).then(|| milliseconds(histogram.value_at_quantile(quantile)))
}

/// The largest value in milliseconds.
pub(super) fn maximum(histogram: &Histogram<u64>) -> Option<f64> {
    (!histogram.is_empty()).then(|| milliseconds(histogram.max()))
}

pub(super) fn milliseconds(microseconds: u64) -> f64 {
    Duration::from_micros(microseconds).as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_of_too_few_values_is_not_told() {
        let mut few = histogram();
        for value in 1..=100 {
            few.record(value * 1000).unwrap();
        }
        assert!(quantile(&few, 0.5).is_some_and(|middle| (middle - 50.0).abs() < 0.1));
        assert!(quantile(&few, 0.99).is_some());
        assert_eq!(quantile(&few, 0.999), None);
        assert!(maximum(&few).is_some_and(|largest| (largest - 100.0).abs() < 0.1));
        assert_eq!(maximum(&histogram()), None);
    }
}

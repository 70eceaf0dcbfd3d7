//! The latest latencies of each way, for the page: exact quantiles of the last minutes, within bounds.

use crate::place::{At, ServerId};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How far back the page looks.
pub(crate) const WINDOW: Duration = Duration::from_secs(300);
/// Samples that are kept of one way; at more than one a second the window is shorter.
const SAMPLES_MAX: usize = 512;

/// One way of a state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Way {
    pub(crate) origin: ServerId,
    pub(crate) target: ServerId,
    pub(crate) at: At,
    pub(crate) canary: bool,
}

/// The latest samples of all ways.
#[derive(Default)]
pub(crate) struct Samples {
    ways: BTreeMap<Way, VecDeque<Sample>>,
}

/// Small, because there can be many.
#[derive(Clone, Copy)]
struct Sample {
    at_ms: u32,
    latency_us: u32,
}

/// What samples come to.
#[derive(Clone, Copy, PartialEq, Debug, serde::Serialize)]
pub(crate) struct Summary {
    pub(crate) count: usize,
    pub(crate) p50_s: f64,
    pub(crate) p99_s: f64,
    pub(crate) max_s: f64,
}

impl Samples {
    pub(crate) fn push(&mut self, way: Way, at: Duration, latency: Duration) {
        let samples = self.ways.entry(way).or_default();
        if samples.len() >= SAMPLES_MAX {
            samples.pop_front();
        }
        let small = |number: u128| u32::try_from(number).unwrap_or(u32::MAX);
        samples.push_back(Sample { at_ms: small(at.as_millis()), latency_us: small(latency.as_micros()) });
    }

    /// Forgets what is older than the window.
    pub(crate) fn trim(&mut self, now: Duration) {
        let oldest = u32::try_from(now.saturating_sub(WINDOW).as_millis()).unwrap_or(u32::MAX);
        self.ways.retain(|_, samples| {
            while samples.front().is_some_and(|sample| sample.at_ms < oldest) {
                samples.pop_front();
            }
            !samples.is_empty()
        });
    }

    pub(crate) fn ways(&self) -> impl Iterator<Item = Way> {
        self.ways.keys().copied()
    }

    /// The summary of all ways that `select` takes; nothing where they have no samples.
    pub(crate) fn summary(&self, select: impl Fn(Way) -> bool) -> Option<Summary> {
        let selected = self.ways.iter().filter(|(way, _)| select(**way));
        let mut latencies: Vec<u32> =
            selected.flat_map(|(_, samples)| samples.iter().map(|sample| sample.latency_us)).collect();
        latencies.sort_unstable();
        let seconds = |micros: u32| f64::from(micros) / 1e6;
        let quantile = |percent: usize| {
            let rank = (latencies.len() * percent).div_ceil(100).saturating_sub(1);
            latencies.get(rank).copied().map(seconds)
        };
        Some(Summary {
            count: latencies.len(),
            p50_s: quantile(50)?,
            p99_s: quantile(99)?,
            max_s: latencies.last().copied().map(seconds)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAY: Way = Way { origin: ServerId(0), target: ServerId(1), at: At::Ami, canary: true };

    #[test]
    fn quantiles_are_of_the_window() {
        let mut samples = Samples::default();
        let second = Duration::from_secs(1);
        samples.push(WAY, second, second * 9);
        for count in 1..=100 {
            samples.push(WAY, second * 310, Duration::from_millis(count));
        }
        assert_eq!(samples.summary(|_| true).unwrap().max_s, 9.0);
        samples.trim(second * 302);
        let summary = Summary { count: 100, p50_s: 0.05, p99_s: 0.099, max_s: 0.1 };
        assert_eq!(samples.summary(|way| way == WAY), Some(summary));
        assert_eq!(samples.summary(|way| way != WAY), None);
        samples.trim(second * 700);
        assert_eq!(samples.ways().count(), 0);
    }

    #[test]
    fn samples_are_bounded() {
        let mut samples = Samples::default();
        (0..2_000).for_each(|count| samples.push(WAY, Duration::from_millis(count), Duration::ZERO));
        assert_eq!(samples.summary(|_| true).unwrap().count, SAMPLES_MAX);
    }
}

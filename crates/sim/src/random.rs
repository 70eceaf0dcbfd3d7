//! Random numbers from one seed: the only source of chance in a run.

use std::ops::Range;
use std::time::Duration;

/// A stream of random numbers that depends on its seed alone.
pub(crate) struct Random(fastrand::Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Another stream, so that what one part draws does not shift what another part draws.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.0.fork())
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    /// A number of the range; its start, when the range is empty.
    pub(crate) fn number(&mut self, range: Range<usize>) -> usize {
        if range.is_empty() { range.start } else { self.0.usize(range) }
    }

    /// A time of the range, to the microsecond; its start, when the range is empty.
    pub(crate) fn time(&mut self, range: Range<Duration>) -> Duration {
        let width = range.end.saturating_sub(range.start).as_micros();
        let width = u64::try_from(width).unwrap_or(u64::MAX);
        range.start + Duration::from_micros(if width == 0 { 0 } else { self.0.u64(..width) })
    }

    /// A time until the next of events that come with this mean distance, each at any moment alike.
    pub(crate) fn gap(&mut self, mean: Duration) -> Duration {
        mean.mul_f64(-(1.0 - self.0.f64()).ln())
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.0.usize(..items.len())]
    }

    /// One of these ranges.
    pub(crate) fn pick_range(&mut self, ranges: &[Range<Duration>]) -> Range<Duration> {
        ranges[self.0.usize(..ranges.len())].clone()
    }

    /// One of these, if there is one.
    pub(crate) fn pick_any<T: Copy>(&mut self, items: impl IntoIterator<Item = T>) -> Option<T> {
        let items: Vec<T> = items.into_iter().collect();
        if items.is_empty() { None } else { Some(self.pick(&items)) }
    }

    /// The same items in any order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        self.0.shuffle(items);
    }
}

//! One line for each event, for people who replay a seed.

use std::fmt::Display;
use std::time::Duration;

/// Where the lines go; nowhere, unless somebody reads.
pub(crate) struct Journal<'a> {
    reader: Option<&'a mut dyn FnMut(&str)>,
}

impl<'a> Journal<'a> {
    pub(crate) fn new(reader: Option<&'a mut dyn FnMut(&str)>) -> Self {
        Self { reader }
    }

    /// Writes down what happened to whom; `what` is only asked if somebody reads.
    pub(crate) fn line<T: Display>(&mut self, now: Duration, who: &str, what: impl FnOnce() -> T) {
        if let Some(reader) = &mut self.reader {
            reader(&format!("{:>11.6}  {who:<8}  {}", now.as_secs_f64(), what()));
        }
    }
}

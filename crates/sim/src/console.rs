//! The only place that writes to standard output.

use std::io::Write;

/// Standard output and error.
pub(crate) struct Console;

impl Console {
    pub(crate) fn new() -> Self {
        Self
    }

    /// One line; nobody may be there to read it any more, as behind `head`.
    pub(crate) fn line(&self, text: &str) {
        let _ = writeln!(std::io::stdout(), "{text}");
    }

    pub(crate) fn error(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

//! The only place that prints.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what this program has to say goes to standard output, from here alone"
)]

/// Standard output and error.
pub(crate) struct Console;

impl Console {
    pub(crate) fn new() -> Self {
        Self
    }

    pub(crate) fn line(&self, text: &str) {
        println!("{text}");
    }

    pub(crate) fn error(&self, text: &str) {
        eprintln!("{text}");
    }
}

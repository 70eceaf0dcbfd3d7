//! The text of a node's configuration, with variables of the environment; see [`crate::exporter_config`] for the other
//! program's.
//!
//! An input is the text; each record behind a byte 0x1e is a variable, `NAME=value`.

use crate::config;

/// Any text is a configuration or a list of problems that name their place, and neither shows a secret.
///
/// # Panics
/// When that does not hold.
pub fn run(data: &[u8]) {
    config::check(data, node::read_config);
}

//! What reads the exporter's configuration, for fuzz targets that give it any text. The binary has the same module.
#![allow(dead_code, reason = "only the binary looks into a configuration")]

mod config;

use daemon::config::Source;
use std::fmt::{Debug, Display};

/// Reads a configuration as the binary does; what is wrong is reported.
pub fn read_config(source: &mut Source<'_>) -> Option<impl Debug + Display + use<>> {
    config::read(source)
}

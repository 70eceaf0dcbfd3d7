//! The command line.

use crate::config::{self, Problems};
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What the exporter was asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Run with this configuration.
    Run { config: PathBuf },
    /// Say whether this configuration is right.
    Check { file: PathBuf },
}

/// Measures how long lamps take to follow phones in a group of Asterisk servers, and tells Prometheus.
///
/// Secrets may come from environment variables; see exporter.example.toml.
#[derive(Parser, Debug)]
#[command(
    name = "asterism-exporter",
    version,
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true
)]
struct Arguments {
    /// Run the exporter with this configuration.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Say what is wrong with a configuration; exit 0 if nothing is, else 1.
    Check {
        /// The configuration.
        file: PathBuf,
    },
}

/// Reads the process's arguments; help, version and wrong arguments end the process here.
pub(crate) fn parse() -> Command {
    match Arguments::parse() {
        Arguments { action: Some(Action::Check { file }), .. } => Command::Check { file },
        Arguments { config: Some(config), .. } => Command::Run { config },
        Arguments { config: None, action: None } => Arguments::command()
            .error(ErrorKind::MissingRequiredArgument, "write --config FILE to run, or check FILE")
            .exit(),
    }
}

/// Says on stdout that a configuration is right, or on stderr what is wrong with it.
pub(crate) fn check(file: &Path) -> ExitCode {
    match config::load(file) {
        Ok(loaded) => {
            for warning in &loaded.warnings {
                say(io::stderr(), format_args!("warning: {warning}"));
            }
            say(io::stdout(), format_args!("{}: ok: {}", file.display(), loaded.config));
            ExitCode::SUCCESS
        }
        Err(problems) => complain(&problems),
    }
}

/// Says on stderr what is wrong with a configuration.
pub(crate) fn complain(problems: &Problems) -> ExitCode {
    say(io::stderr(), format_args!("{problems}"));
    ExitCode::FAILURE
}

/// Nobody may be listening, which changes nothing.
fn say(mut stream: impl Write, line: std::fmt::Arguments<'_>) {
    let _ = writeln!(stream, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_configuration_and_a_check_exclude_each_other() {
        let error =
            Arguments::try_parse_from(["asterism-exporter", "--config", "a", "check", "b"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ArgumentConflict);
        let check = Arguments::try_parse_from(["asterism-exporter", "check", "b"]).unwrap();
        assert!(matches!(check.action, Some(Action::Check { .. })));
        let run = Arguments::try_parse_from(["asterism-exporter", "--config", "a"]).unwrap();
        assert_eq!(run.config, Some(PathBuf::from("a")));
    }
}

//! The command line.

use crate::Program;
use crate::config::{self, Problems};
use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What the program was asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Run with this configuration.
    Run { config: PathBuf },
    /// Say whether this configuration is right.
    Check { file: PathBuf },
}

#[derive(Parser, Debug)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
struct Arguments {
    /// Run with this configuration.
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
pub(crate) fn parse<C>(program: &Program<C>) -> Command {
    let mut command = command(program);
    let matches = command.get_matches_mut();
    match Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()) {
        Arguments { action: Some(Action::Check { file }), .. } => Command::Check { file },
        Arguments { config: Some(config), .. } => Command::Run { config },
        Arguments { config: None, action: None } => command
            .error(ErrorKind::MissingRequiredArgument, "write --config FILE to run, or check FILE")
            .exit(),
    }
}

fn command<C>(program: &Program<C>) -> clap::Command {
    let see =
        format!("{}\n\nEnvironment variables override the file; see {}.", program.about, program.example);
    Arguments::command().name(program.name).version(program.version).about(program.about).long_about(see)
}

/// Says on stdout that a configuration is right, or on stderr what is wrong with it.
pub(crate) fn check<C: fmt::Display>(program: &Program<C>, file: &Path) -> ExitCode {
    match config::load(program, file) {
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
fn say(mut stream: impl Write, line: fmt::Arguments<'_>) {
    let _ = writeln!(stream, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logging::{Format, Log};
    use tracing::Level;

    const PROGRAM: Program<&str> = Program {
        name: "asterism-test",
        version: "1.2.3",
        about: "Tests.",
        example: "test.example.toml",
        crates: &[],
        read: |_| Some("nothing"),
        log: |_| Log { level: Level::INFO, format: Format::Text },
    };

    #[test]
    fn the_arguments_are_consistent() {
        command(&PROGRAM).debug_assert();
    }

    #[test]
    fn help_says_what_the_program_is_for_and_where_its_configuration_is_documented() {
        let help = command(&PROGRAM).render_long_help().to_string();
        assert!(
            help.starts_with("Tests.\n\nEnvironment variables override the file; see test.example.toml.\n")
        );
        assert!(help.contains("Usage: asterism-test [OPTIONS]"), "{help}");
        assert_eq!(command(&PROGRAM).render_version(), "asterism-test 1.2.3\n");
    }

    #[test]
    fn a_configuration_and_a_check_exclude_each_other() {
        let parse = |arguments: &[&str]| {
            let matches = command(&PROGRAM).try_get_matches_from([&["asterism-test"], arguments].concat())?;
            Arguments::from_arg_matches(&matches)
        };
        assert_eq!(parse(&["--config", "a", "check", "b"]).unwrap_err().kind(), ErrorKind::ArgumentConflict);
        assert!(matches!(parse(&["check", "b"]).unwrap().action, Some(Action::Check { .. })));
        assert_eq!(parse(&["--config", "a"]).unwrap().config, Some(PathBuf::from("a")));
    }
}

//! The command line.

use crate::config::{self, Problems};
use crate::{Extra, Program, Verb};
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand, value_parser};
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The argument of what else can be done.
const FILE: &str = "FILE";

/// What the program was asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Run with this configuration.
    Run { config: PathBuf },
    /// Say whether this configuration is right.
    Check { file: PathBuf },
    /// Do something else with this file.
    Extra { verb: Verb, file: PathBuf },
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
    if let Some((verb, file)) = extra(program.extras, &matches) {
        return Command::Extra { verb, file };
    }
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
    let command = Arguments::command().name(program.name).version(program.version);
    command.about(program.about).long_about(see).subcommands(program.extras.iter().map(extra_command))
}

fn extra_command(extra: &Extra) -> clap::Command {
    let file = || Arg::new(FILE).required(true).value_parser(value_parser!(PathBuf)).help("The file");
    let verb = |verb: &Verb| clap::Command::new(verb.name).about(verb.about).arg(file());
    clap::Command::new(extra.name)
        .about(extra.about)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(extra.verbs.iter().map(verb))
}

/// What else is asked for, if it is.
fn extra(extras: &[Extra], matches: &ArgMatches) -> Option<(Verb, PathBuf)> {
    let (name, matches) = matches.subcommand()?;
    let extra = extras.iter().find(|extra| extra.name == name)?;
    let (name, matches) = matches.subcommand()?;
    let verb = extra.verbs.iter().find(|verb| verb.name == name)?;
    Some((*verb, matches.get_one::<PathBuf>(FILE)?.clone()))
}

/// Does something else, and says what came of it.
pub(crate) fn run_verb(verb: &Verb, file: &Path) -> ExitCode {
    match (verb.run)(file) {
        Ok(text) => {
            say(io::stdout(), format_args!("{text}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(io::stderr(), format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
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
        extras: &[Extra {
            name: "thing",
            about: "Things.",
            verbs: &[Verb { name: "show", about: "Shows one.", run: |file| Ok(file.display().to_string()) }],
        }],
    };

    #[test]
    fn what_a_program_does_besides_takes_a_verb_and_a_file() {
        let matches = |arguments: &[&str]| command(&PROGRAM).try_get_matches_from(arguments);
        let found = matches(&["asterism-test", "thing", "show", "a.txt"]).unwrap();
        let (verb, file) = extra(PROGRAM.extras, &found).unwrap();
        assert_eq!((verb.run)(&file).unwrap(), "a.txt");
        assert!(extra(PROGRAM.extras, &matches(&["asterism-test", "check", "b"]).unwrap()).is_none());
        let kind = |arguments: &[&str]| matches(arguments).unwrap_err().kind();
        assert_eq!(kind(&["asterism-test", "thing", "show"]), ErrorKind::MissingRequiredArgument);
        assert_eq!(kind(&["asterism-test", "thing", "eat", "a"]), ErrorKind::InvalidSubcommand);
    }

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

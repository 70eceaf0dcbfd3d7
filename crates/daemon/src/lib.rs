//! What the project's programs have in common: a command line that runs or checks a configuration, how that
//! configuration is read, the log, who may ask what over HTTP, and how metrics are told there.

mod cli;
pub mod config;
pub mod http;
pub mod logging;
pub mod metrics;
mod process;

use anyhow::Context;
use cli::Command;
use config::{Loaded, Source};
use logging::Log;
use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// A program that runs until it is told to stop.
#[derive(Clone, Copy, Debug)]
pub struct Program<C> {
    /// As it is called on a command line.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// What it is for, in a sentence.
    pub about: &'static str,
    /// The documented example of its configuration.
    pub example: &'static str,
    /// Its own crate and those of this project that it is made of, as the log knows them.
    pub crates: &'static [&'static str],
    /// Reads its configuration; what is wrong is reported to the source, and `None` needs a report.
    pub read: fn(&mut Source<'_>) -> Option<C>,
    /// What its configuration says of the log.
    pub log: fn(&C) -> Log,
    /// What else it can do.
    pub extras: &'static [Extra],
}

/// Something that a program does besides, with a file: `NAME VERB FILE`.
#[derive(Clone, Copy, Debug)]
pub struct Extra {
    /// As it is called on a command line.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// What can be done.
    pub verbs: &'static [Verb],
}

/// One of the things that can be done with a file.
#[derive(Clone, Copy, Debug)]
pub struct Verb {
    /// As it is called on a command line.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Does it. Text for stdout, or what is wrong.
    pub run: fn(&Path) -> anyhow::Result<String>,
}

/// Does what the command line says: runs the program, or checks its configuration. Display of a configuration is one
/// line, which `check` shows. All of the program shares one thread: nothing in it computes for long, and no measured
/// time holds a hand-over between threads.
pub fn main<C: fmt::Display>(
    program: &Program<C>,
    serve: impl AsyncFnOnce(C) -> anyhow::Result<()>,
) -> ExitCode {
    match cli::parse(program) {
        Command::Check { file } => cli::check(program, &file),
        Command::Extra { verb, file } => cli::run_verb(&verb, &file),
        Command::Run { config } => match config::load(program, &config) {
            Ok(loaded) => run(program, loaded, serve),
            Err(problems) => cli::complain(&problems),
        },
    }
}

fn run<C>(
    program: &Program<C>,
    loaded: Loaded<C>,
    serve: impl AsyncFnOnce(C) -> anyhow::Result<()>,
) -> ExitCode {
    match try_run(program, loaded, serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn try_run<C>(
    program: &Program<C>,
    Loaded { config, warnings }: Loaded<C>,
    serve: impl AsyncFnOnce(C) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    logging::init((program.log)(&config), program.crates)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the asynchronous runtime")?.block_on(serve(config))?;
    tracing::info!("stopped");
    Ok(())
}

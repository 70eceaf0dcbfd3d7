//! `asterism-lab`: shows the state of the lab, lets a lamp cross, makes a call, breaks things, measures.

mod bench;
mod between;
mod call;
mod clock;
mod evidence;
mod harm;
mod load;
mod output;
mod show;
mod status;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use lab::Lab;

use bench::Bench;
use output::Screen;

/// Looks at the lab that `just up` started, and plays with it.
#[derive(Parser)]
#[command(name = "asterism-lab", version)]
struct Arguments {
    /// The lab's compose project.
    #[arg(long, env = "COMPOSE_PROJECT_NAME", default_value = "asterism", global = true)]
    project: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Containers, members of the group and lamps; exit code 1 when something is not well.
    Status {
        /// For programs: one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// The lab at a glance, and one lamp crossing from server to server.
    Show,
    /// One phone calls another; the lamps of the called one, as phones at all servers see them.
    Call,
    /// Offices at work, to have something to watch.
    Load(load::Options),
    /// Breaks something; `heal` undoes it.
    Break {
        #[command(subcommand)]
        what: harm::Harm,
    },
    /// Undoes all that was broken, and waits until every container is healthy.
    Heal,
    /// What is between the sites, or what it is to be: delay=150 loss=5, cut, heal, rebind.
    Wan {
        /// What to change.
        changes: Vec<String>,
    },
    /// Measurements; without a name, what there is.
    Bench {
        #[command(subcommand)]
        what: Option<Bench>,
    },
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let screen = Screen::new();
    tokio::select! {
        result = run(&arguments, &screen) => match result {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                output::complain(&error);
                ExitCode::FAILURE
            }
        },
        _ = tokio::signal::ctrl_c(), if !arguments.verb.ends_itself() => ExitCode::from(130),
    }
}

impl Verb {
    /// It hears Ctrl-C itself and has something to put away then.
    fn ends_itself(&self) -> bool {
        matches!(self, Self::Load(_))
    }
}

/// Whether all is well.
async fn run(arguments: &Arguments, screen: &Screen) -> anyhow::Result<bool> {
    let lab = || Lab::running(&arguments.project);
    match &arguments.verb {
        Verb::Status { json } => status::run(&lab().await?, screen, *json).await,
        Verb::Show => show::run(&lab().await?, screen).await,
        Verb::Call => call::run(&lab().await?, screen).await,
        Verb::Load(options) => load::run(&lab().await?, screen, options).await,
        Verb::Break { what } => harm::run(&lab().await?, screen, what).await,
        Verb::Heal => harm::heal(&lab().await?, screen).await,
        Verb::Wan { changes } => between::run(&lab().await?, screen, changes).await.map(|()| true),
        Verb::Bench { what } => bench::run(&arguments.project, screen, what.as_ref()).await,
    }
}

/// Does what shows in the lab's figures, between two marks in its event log. Without the marks it is done all the same.
async fn marked<T>(
    kind: &str,
    what: &str,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let mark = async |when| {
        if let Err(error) = lab::event(kind, &format!("{what} {when}")).await {
            output::complain(&error);
        }
    };
    mark("begins").await;
    let done = work.await;
    mark("ends").await;
    done
}

/// A file to write results to, checked before the work begins.
fn writable(file: &PathBuf) -> anyhow::Result<()> {
    use anyhow::Context;
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .map(drop)
        .with_context(|| format!("cannot write {}", file.display()))
}

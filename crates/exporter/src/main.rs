//! `asterism-exporter`: watches a group of Asterisk servers from outside and measures how long a lamp takes to follow a
//! phone: over AMI, as a phone that subscribes, by the nodes' HTTP and by corosync's own figures.

mod canary;
mod cli;
mod clock;
mod collect;
mod config;
mod disagreement;
mod driver;
mod hop;
mod http;
mod logging;
mod metrics;
mod place;
mod propagation;
mod samples;
mod sources;
mod view;
mod views;
mod watch;

use anyhow::Context;
use cli::Command;
use config::{Config, Loaded};
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    match cli::parse() {
        Command::Check { file } => cli::check(&file),
        Command::Run { config } => match config::load(&config) {
            Ok(loaded) => run(loaded),
            Err(problems) => cli::complain(&problems),
        },
    }
}

fn run(loaded: Loaded) -> ExitCode {
    match try_run(loaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn try_run(Loaded { config, warnings }: Loaded) -> anyhow::Result<()> {
    logging::init(config.log)?;
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    // One thread reads all sources, so that no hand-over between threads is measured.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the asynchronous runtime")?.block_on(serve(config))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let listen = config.http.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("[http] listen: cannot bind TCP {listen}; is another program using it?"))?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), http = %listen, "starting: {config}");
    let (queries, asked) = tokio::sync::mpsc::channel(16);
    tokio::spawn(http::serve(listener, config.http.token.clone(), queries));
    let driver = driver::Driver::start(config).context("cannot start a thread for corosync")?;
    let end = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    driver.run(asked, end).await;
    tracing::info!("stopped");
    Ok(())
}

//! `asterism-exporter`: watches a group of Asterisk servers from outside and measures how long a lamp takes to follow a
//! phone: over AMI, as a phone that subscribes, by the nodes' HTTP and by corosync's own figures.

mod canary;
mod clock;
mod clocks;
mod collect;
mod config;
mod disagreement;
mod driver;
mod hop;
mod http;
mod metrics;
mod place;
mod propagation;
mod samples;
mod sources;
mod view;
mod views;
mod watch;

use anyhow::Context;
use config::Config;
use daemon::Program;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

const PROGRAM: Program<Config> = Program {
    name: "asterism-exporter",
    version: env!("CARGO_PKG_VERSION"),
    about: "Measures how long lamps take to follow phones in a group of Asterisk servers, and tells Prometheus.",
    example: "exporter.example.toml",
    crates: &["asterism_exporter", "daemon", "presence", "asterisk", "corosync_rs"],
    read: config::read,
    log: |config| config.log,
    extras: &[],
};

fn main() -> ExitCode {
    daemon::main(&PROGRAM, serve)
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let listener = config.http.bind().await?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    tracing::info!(version = PROGRAM.version, http = %config.http.listen, "starting: {config}");
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
    Ok(())
}

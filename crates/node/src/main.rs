//! `asterism-node`: one presence node. It joins the corosync group of stock Asterisk servers, serves unmodified ones
//! over SIP PUBLISH, and shows what it knows over HTTP.

mod cli;
mod config;
mod driver;
mod group;
mod http;
mod logging;
mod metrics;
mod notes;
mod sip;
mod trail;
mod view;

use anyhow::Context;
use cli::Command;
use config::{Config, Loaded};
use std::process::ExitCode;
use tokio::net::{TcpListener, UdpSocket};

fn main() -> ExitCode {
    match cli::parse() {
        Command::Check { file } => cli::check(&file),
        Command::Run { config } => match config::load(&config) {
            Ok(loaded) => run(&loaded),
            Err(problems) => cli::complain(&problems),
        },
    }
}

fn run(loaded: &Loaded) -> ExitCode {
    match try_run(loaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn try_run(Loaded { config, warnings }: &Loaded) -> anyhow::Result<()> {
    logging::init(config.log)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    // One thread does all but the talk with corosync: nothing here computes for long, and no lamp waits for a
    // hand-over between threads.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the asynchronous runtime")?.block_on(serve(config))
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let socket = UdpSocket::bind(config.sip.listen).await.with_context(|| {
        format!("[sip] listen: cannot bind UDP {}; is another program using it?", config.sip.listen)
    })?;
    let listener = TcpListener::bind(config.http.listen).await.with_context(|| {
        format!("[http] listen: cannot bind TCP {}; is another program using it?", config.http.listen)
    })?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        eid = %config.eid,
        servers = config.servers.len(),
        sip = %config.sip.listen,
        http = %config.http.listen,
        "starting"
    );
    let (queries, asked) = tokio::sync::mpsc::channel(16);
    tokio::spawn(http::serve(listener, config.http.token.clone(), queries));
    driver::Driver::new(config, socket)?.run(asked).await;
    tracing::info!("stopped");
    Ok(())
}

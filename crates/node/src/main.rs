//! `asterism-node`: one presence node. It joins the corosync group of stock Asterisk servers, serves unmodified ones
//! over SIP PUBLISH, and shows what it knows over HTTP.

mod clock;
mod config;
mod driver;
mod group;
mod http;
mod keys;
mod links;
mod metrics;
mod notes;
mod sip;
mod touch;
mod trail;
mod view;

use anyhow::Context;
use config::Config;
use daemon::Program;
use std::process::ExitCode;
use tokio::net::UdpSocket;

const PROGRAM: Program<Config> = Program {
    name: "asterism-node",
    version: env!("CARGO_PKG_VERSION"),
    about: "Carries device states and message waiting between Asterisk servers.",
    example: "node.example.toml",
    crates: &["asterism_node", "daemon", "presence", "wire", "asterisk", "corosync_rs", "link"],
    read: config::read,
    log: |config| config.log,
    extras: &[keys::EXTRA],
};

fn main() -> ExitCode {
    touch::asked_for().unwrap_or_else(|| daemon::main(&PROGRAM, serve))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let socket = UdpSocket::bind(config.sip.listen).await.with_context(|| {
        format!("[sip] listen: cannot bind UDP {}; is another program using it?", config.sip.listen)
    })?;
    let listener = config.http.bind().await?;
    tracing::info!(
        version = PROGRAM.version,
        eid = %config.eid,
        servers = config.servers.len(),
        sip = %config.sip.listen,
        http = %config.http.listen,
        "starting"
    );
    let (queries, asked) = tokio::sync::mpsc::channel(16);
    tokio::spawn(http::serve(listener, config.http.token.clone(), queries));
    driver::Driver::new(&config, socket)?.run(asked).await;
    Ok(())
}

//! `asterism-wan`: the lab's Internet between two sites.

use anyhow::Context;
use clap::Parser;
use std::net::SocketAddr;
use tokio::signal::unix::{SignalKind, signal};
use wan::{Conditions, Config, Relay, start};

/// Relays UDP and TCP between two networks of the lab, and does to them what the Internet does.
#[derive(Parser)]
#[command(name = "asterism-wan", version)]
struct Arguments {
    /// A relay: what comes to LISTEN goes to TARGET, and back
    #[arg(long = "relay", value_name = "NAME=udp|tcp:LISTEN->TARGET", required = true)]
    relays: Vec<Relay>,
    /// Where HTTP is answered
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9474")]
    control: SocketAddr,
    #[command(flatten)]
    conditions: Conditions,
    /// The seed of all chances; another each time unless it is given
    #[arg(long)]
    seed: Option<u64>,
}

/// One thread: nothing here computes for long, and no delay holds a hand-over between threads.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    let Arguments { relays, control, conditions, seed } = Arguments::parse();
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let shown: Vec<_> = relays.iter().map(ToString::to_string).collect();
    let running = start(Config { relays, control, conditions, seed }).await?;
    tracing::info!(relays = shown.join(" "), control = %running.control, ?conditions, seed, "relaying");
    let end = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    running.run(end).await.context("a part of the relay failed")
}

//! Two sites that are linked over a relay of this crate, for benchmarks: real cores and real sessions, which move frames as the node's
//! own shell does. `sites lag` lets one of them say changes at a rate, `sites sync` links one that has many states with one that has
//! none. Both print what was measured as one line of JSON.
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

mod lag;
mod meter;
mod probe;
mod site;
mod sync;
mod world;

use clap::{Args, Parser, Subcommand, ValueEnum};
use link::Transport;
use wan::Conditions;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// From a change at one site to its arrival at the other.
    Lag(lag::Options),
    /// From the link being up to the last of many states.
    Sync(sync::Options),
}

/// The way between the sites.
#[derive(Args)]
struct Way {
    /// What carries the link
    #[arg(long, value_enum, default_value_t = Carrier::Quic)]
    carrier: Carrier,
    #[command(flatten)]
    conditions: Conditions,
    /// The seed of the relay's chances
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Carrier {
    Quic,
    Tcp,
}

impl Carrier {
    fn transport(self) -> Transport {
        match self {
            Self::Quic => Transport::Udp,
            Self::Tcp => Transport::Tcp,
        }
    }
}

fn main() -> Result<(), Failure> {
    let measured = match &Arguments::parse().what {
        What::Lag(options) => serde_json::to_string(&lag::measure(options)?)?,
        What::Sync(options) => serde_json::to_string(&sync::measure(options)?)?,
    };
    println!("{measured}");
    Ok(())
}

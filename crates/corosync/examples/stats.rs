//! Prints what this machine's corosync knows of its cluster: quorum, members, token, links.
//!
//! `stats [PREFIX]...` prints instead all keys of the statistics that start so (`""`: all of them).
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;
use std::process::ExitCode;

use corosync_rs::{Cmap, Map, Quorum};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let stats = Cmap::initialize(Map::Stats)?;
    let prefixes: Vec<String> = std::env::args().skip(1).collect();
    if !prefixes.is_empty() {
        return print(&stats, &prefixes);
    }
    print_quorum()?;
    print_members()?;
    print(&stats, &["stats.srp.", "stats.knet."])
}

fn print_quorum() -> Result<(), Box<dyn Error>> {
    let quorum = Quorum::initialize()?;
    let quorate = if quorum.is_quorate()? { "yes" } else { "no" };
    let provider = if quorum.has_provider() { "" } else { " (no provider counts votes)" };
    println!("quorate: {quorate}{provider}");
    Ok(())
}

fn print_members() -> Result<(), Box<dyn Error>> {
    let config = Cmap::initialize(Map::Config)?;
    let own_position = config.get("nodelist.local_node_pos")?.and_then(|position| position.as_u64());
    // The list of nodes in corosync.conf, which need not all be there.
    for position in 0.. {
        let Some(nodeid) = config.get(&format!("nodelist.node.{position}.nodeid"))? else { break };
        let name = config.get(&format!("nodelist.node.{position}.name"))?;
        let name = name.as_ref().and_then(|name| name.as_str()).unwrap_or("-");
        let status = config.get(&format!("runtime.members.{nodeid}.status"))?;
        let status = status.as_ref().and_then(|status| status.as_str()).unwrap_or("never seen");
        let here = if own_position == Some(position) { " (this one)" } else { "" };
        println!("member {nodeid} {name}: {status}{here}");
    }
    Ok(())
}

fn print(stats: &Cmap, prefixes: &[impl AsRef<str>]) -> Result<(), Box<dyn Error>> {
    for prefix in prefixes {
        for (key, value) in stats.iterate(prefix.as_ref())? {
            println!("{key} = {value:?}");
        }
    }
    Ok(())
}

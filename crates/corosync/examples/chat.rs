//! Joins a group and chats: what you type goes to every member, what they type appears.
//!
//! `cargo run --example chat -- GROUP` on several nodes (or twice on one).
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;
use std::io::{self, BufRead};
use std::thread;
use std::time::Duration;

use corosync_rs::{Event, Session};

fn main() -> Result<(), Box<dyn Error>> {
    let group = std::env::args().nth(1).unwrap_or_else(|| "chat".to_owned());
    let session = Session::spawn(group.parse()?, |event| println!("{}", describe(event)));
    for line in io::stdin().lock().lines() {
        let mut line = line?.into_bytes();
        while let Err(full) = session.multicast(line) {
            line = full.0;
            thread::sleep(Duration::from_millis(10));
        }
    }
    session.leave(Duration::from_secs(2));
    Ok(())
}

fn describe(event: Event) -> String {
    match event {
        Event::Joined { me, members } => format!("* I am {me}, one of {}", members.len()),
        Event::Configuration { members, joined, left } => {
            let came = joined.iter().map(|(member, why)| format!("{member} came ({why}), "));
            let went = left.iter().map(|(member, why)| format!("{member} went ({why}), "));
            format!("* {}now {}", came.chain(went).collect::<String>(), members.len())
        }
        Event::Delivered { from, payload } => format!("{from}: {}", String::from_utf8_lossy(&payload)),
        Event::Down { error, retry } => format!("* not in the group: {error}\n* trying again in {retry:?}"),
    }
}

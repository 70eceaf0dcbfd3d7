//! Writes each message of a group into a file of its own: `dump GROUP DIRECTORY [COUNT]`.
//!
//! The files are named `NUMBER-NODEID-PID.bin` in the order of delivery.
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use corosync_rs::{Event, Session};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(group), Some(directory)) = (arguments.next(), arguments.next()) else {
        return Err("usage: dump GROUP DIRECTORY [COUNT]".into());
    };
    let count = arguments.next().map_or(Ok(usize::MAX), |count| count.parse())?;
    let directory = PathBuf::from(directory);
    fs::create_dir_all(&directory)?;

    let (sender, events) = mpsc::sync_channel(256);
    // An error here means that the main thread is through.
    let session = Session::spawn(group.parse()?, move |event| drop(sender.send(event)));
    let mut number = 0;
    while number < count {
        match events.recv()? {
            Event::Delivered { from, payload } => {
                let file = directory.join(format!("{number:05}-{}-{}.bin", from.nodeid, from.pid));
                fs::write(&file, payload)?;
                println!("{}", file.display());
                number += 1;
            }
            Event::Down { error, .. } => println!("{error}"),
            Event::Joined { .. } | Event::Configuration { .. } => {}
        }
    }
    drop(events);
    session.leave(Duration::from_secs(2));
    Ok(())
}

//! Joins a group, says each message given in hexadecimal digits, hears itself say them, and leaves: `say GROUP [HEX]...`.
//!
//! Without a message it comes and goes. It says whatever it is told: a program that believes it may break.
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;
use std::sync::mpsc;
use std::time::Duration;

use corosync_rs::{Event, Member, Session};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let group = arguments.next().ok_or("usage: say GROUP [HEX]...")?;
    let messages = arguments.map(|hex| bytes(&hex)).collect::<Result<Vec<_>, _>>()?;

    let (sender, events) = mpsc::channel();
    // An error here means that the main thread is through.
    let session = Session::spawn(group.parse()?, move |event| drop(sender.send(event)));
    let me = joined(&events)?;
    for message in &messages {
        session.multicast(message.clone())?;
    }
    for message in &messages {
        own(&events, me)?;
        println!("{me} said {} bytes", message.len());
    }
    session.leave(Duration::from_secs(2));
    Ok(())
}

fn joined(events: &mpsc::Receiver<Event>) -> Result<Member, Box<dyn Error>> {
    match events.recv()? {
        Event::Joined { me, members } => {
            println!("{me} is one of {}", members.len());
            Ok(me)
        }
        other => Err(format!("not joined: {other:?}").into()),
    }
}

/// Waits until something comes back.
fn own(events: &mpsc::Receiver<Event>, me: Member) -> Result<(), Box<dyn Error>> {
    loop {
        match events.recv()? {
            Event::Delivered { from, .. } if from == me => return Ok(()),
            Event::Down { error, .. } => return Err(error.into()),
            Event::Delivered { .. } | Event::Joined { .. } | Event::Configuration { .. } => {}
        }
    }
}

/// `0006ff` or `00 06 ff`.
fn bytes(hex: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let digits: Vec<u32> = hex
        .chars()
        .filter(|c| *c != ' ')
        .map(|c| c.to_digit(16).ok_or(c))
        .collect::<Result<_, _>>()
        .map_err(|c| format!("{c:?} is no hexadecimal digit"))?;
    if digits.len() % 2 != 0 {
        return Err(format!("{hex}: half a byte is left").into());
    }
    Ok(digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
}

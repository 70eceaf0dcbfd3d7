//! Joins a group, says messages given in hexadecimal digits, hears itself say them, and leaves: `say GROUP [HEX]...`, or
//! `say GROUP -` to say each line of standard input as it comes, until that ends.
//!
//! Without a message it comes and goes. It says whatever it is told: a program that believes it may break.
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;
use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use corosync_rs::{Event, Member, Session};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).peekable();
    let group = arguments.next().ok_or("usage: say GROUP [HEX]... or say GROUP -")?;
    let from_input = arguments.next_if_eq("-").is_some();
    let messages = arguments.map(|hex| bytes(&hex)).collect::<Result<Vec<_>, _>>()?;

    let (sender, events) = mpsc::channel();
    let session = Session::spawn(group.parse()?, move |mut event| {
        if let Event::Delivered { payload, .. } = &mut event {
            // Only who said it is wanted, and nobody may look for long.
            *payload = Vec::new();
        }
        // An error here means that the main thread is through.
        drop(sender.send(event));
    });
    let me = joined(&events)?;
    let mut said = messages.len();
    messages.into_iter().for_each(|message| say(&session, message));
    if from_input {
        for line in io::stdin().lines() {
            say(&session, bytes(&line?)?);
            said += 1;
        }
    }
    for _ in 0..said {
        own(&events, me)?;
    }
    println!("{me} said {said} messages");
    session.leave(Duration::from_secs(2));
    Ok(())
}

fn joined(events: &mpsc::Receiver<Event>) -> Result<Member, Box<dyn Error>> {
    match events.recv()? {
        Event::Joined { me, members } => {
            println!("{me} is one of {}", members.len());
            Ok(me)
        }
        Event::Down { error, .. } => Err(error.into()),
        early @ (Event::Configuration { .. } | Event::Delivered { .. }) => {
            Err(format!("before the joining came {early:?}").into())
        }
    }
}

/// Waits for room in the queue, if it must.
fn say(session: &Session, mut message: Vec<u8>) {
    while let Err(full) = session.multicast(message) {
        message = full.0;
        thread::sleep(Duration::from_millis(1));
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
    if !digits.len().is_multiple_of(2) {
        return Err(format!("{hex}: half a byte is left").into());
    }
    Ok(digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
}

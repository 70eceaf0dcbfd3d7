//! Measures the group of this machine's corosync: `bench [MESSAGES [GROUP]]`, best with `--release`.
//!
//! First the round trip (send one, wait for its delivery, send the next), then the rate (as fast as the session
//! takes them), with messages of 100 bytes.
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use corosync_rs::{Event, Member, Session};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let messages: u64 = arguments.next().map_or(Ok(10_000), |count| count.parse())?;
    let group = arguments.next().unwrap_or_else(|| "corosync-rs-bench".to_owned());

    let (sender, events) = mpsc::sync_channel(256);
    let session = Session::spawn(group.parse()?, move |event| drop(sender.send(event)));
    let me = loop {
        match events.recv()? {
            Event::Joined { me, members } => {
                println!("{me} is one of {} members", members.len());
                break me;
            }
            other @ (Event::Down { .. } | Event::Configuration { .. } | Event::Delivered { .. }) => {
                println!("{other:?}");
            }
        }
    };
    round_trips(&session, &events, me, messages)?;
    rate(&session, &events, me, messages * 10)?;
    println!("throttled {}, lost {}", session.throttled_total(), session.lost_total());
    drop(events);
    session.leave(Duration::from_secs(2));
    Ok(())
}

fn round_trips(
    session: &Session,
    events: &Receiver<Event>,
    me: Member,
    messages: u64,
) -> Result<(), Box<dyn Error>> {
    let mut micros = Vec::new();
    for number in 0..messages {
        let start = Instant::now();
        session.multicast(payload(number))?;
        wait_for(events, me, number)?;
        micros.push(start.elapsed().as_micros());
    }
    micros.sort_unstable();
    let at = |share: usize| micros[(micros.len() - 1) * share / 1_000];
    println!(
        "round trip of {messages}: p50 {} us, p90 {} us, p99 {} us, max {} us",
        at(500),
        at(900),
        at(990),
        at(1_000)
    );
    Ok(())
}

fn rate(
    session: &Session,
    events: &Receiver<Event>,
    me: Member,
    messages: u64,
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let mut delivered = 0;
    for number in 0..messages {
        let mut next = payload(number);
        while let Err(full) = session.multicast(next) {
            next = full.0;
            wait_for(events, me, delivered)?;
            delivered += 1;
        }
    }
    for number in delivered..messages {
        wait_for(events, me, number)?;
    }
    println!("{messages} at full speed: {:.0} a second", messages as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

/// Waits for the own message `number`; anything else of our own in its place is a loss.
fn wait_for(events: &Receiver<Event>, me: Member, number: u64) -> Result<(), Box<dyn Error>> {
    loop {
        match events.recv()? {
            Event::Delivered { from, payload: found } if from == me => {
                let found = found.first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
                return if found == Some(number) {
                    Ok(())
                } else {
                    Err(format!("{found:?}, not {number}").into())
                };
            }
            Event::Down { error, .. } => return Err(error.into()),
            Event::Delivered { .. } | Event::Configuration { .. } | Event::Joined { .. } => {}
        }
    }
}

fn payload(number: u64) -> Vec<u8> {
    let mut payload = number.to_be_bytes().to_vec();
    payload.resize(100, 0);
    payload
}

//! From the link being up to the last of many states.

use crate::meter::Passed;
use crate::site::{Seen, change};
use crate::world::World;
use crate::{Failure, Way};
use serde::Serialize;
use std::time::{Duration, Instant};

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    way: Way,
    /// How many states
    #[arg(long, default_value_t = 100_000)]
    states: usize,
}

#[derive(Serialize)]
pub(crate) struct Measured {
    /// From the link being up at both ends.
    first_s: f64,
    last_s: f64,
    /// What the relay carried meanwhile, from the site that has states to the other one, and back.
    out: Passed,
    back: Passed,
    /// Bytes of frames from the site that has states.
    frame_bytes: u64,
    lost_packets: u64,
}

pub(crate) fn measure(options: &Options) -> Result<Measured, Failure> {
    let known = (0..options.states).map(|number| change(number, 0)).collect();
    let world = World::start(&options.way, known)?;
    // Nothing but handshakes has passed: the first states need further round trips.
    let before = world.passed()?;
    let (first, last) = arrival(&world, options.states)?;
    let (after, looked) = (world.passed()?, world.west.look()?);
    let since = |at: Instant| at.saturating_duration_since(world.linked).as_secs_f64();
    Ok(Measured {
        first_s: since(first),
        last_s: since(last),
        out: after[0].since(before[0]),
        back: after[1].since(before[1]),
        frame_bytes: looked.sent_bytes,
        lost_packets: looked.lost_packets,
    })
}

/// When the first and the last of so many states were there.
fn arrival(world: &World, states: usize) -> Result<(Instant, Instant), Failure> {
    let deadline = Instant::now() + PATIENCE;
    let (mut first, mut told) = (None, 0);
    loop {
        let seen = world.east.seen.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        let seen = seen.map_err(|_| format!("{} of {states} states have not arrived", states - told))?;
        if let Seen::Told(_, at) = seen {
            told += 1;
            let first = *first.get_or_insert(at);
            if told == states {
                return Ok((first, at));
            }
        }
    }
}

//! From a change at one site to its arrival at the other.

use crate::meter::{Passed, Spread};
use crate::probe::{probe, sleep_until};
use crate::site::{Order, Seen, change, number};
use crate::world::World;
use crate::{Failure, Way};
use serde::Serialize;
use std::time::{Duration, Instant};

/// When the sites have been linked for so long, they have told each other all that there was.
const SETTLED: Duration = Duration::from_secs(2);
/// How long after the last change its arrival is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    way: Way,
    /// Changes a second
    #[arg(long, default_value_t = 100.0)]
    rate: f64,
    /// For how long
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Devices that change in turn
    #[arg(long, default_value_t = 1_000)]
    devices: usize,
}

#[derive(Serialize)]
pub(crate) struct Measured {
    /// From the intended time of a change to when the other site's server is told.
    lag: Spread,
    /// Bare datagrams by the same relay, at the same time.
    probe: Spread,
    /// What the relay carried, from the site that says changes to the other one, and back.
    out: Passed,
    back: Passed,
    /// Bytes of frames from the site that says changes, signs of life included.
    frame_bytes: u64,
    lost_packets: u64,
}

pub(crate) fn measure(options: &Options) -> Result<Measured, Failure> {
    let world = World::start(&options.way, Vec::new())?;
    std::thread::sleep(SETTLED);
    let (before, looked) = (world.passed()?, world.west.look()?);
    let interval = Duration::from_secs_f64(1.0 / options.rate);
    let count = (options.rate * options.seconds).round() as usize;
    let begun = Instant::now() + interval;
    let at = |place: usize| begun + interval.mul_f64(place as f64);
    let (lag, probe) = std::thread::scope(|scope| {
        let (orders, devices) = (world.west.orders.clone(), options.devices);
        scope.spawn(move || {
            (0..count).try_for_each(|place| {
                sleep_until(at(place));
                orders.send(Order::Say(change(place % devices, place / devices)))
            })
        });
        let (to, heard) = &world.probe;
        // Half-way between the changes.
        let probing =
            scope.spawn(move || probe(*to, heard, (0..count).map(|place| at(place) + interval / 2)));
        let lag = lag(&world, count, devices, at)?;
        Ok::<_, Failure>((lag, probing.join().map_err(|_| "the probe failed")??))
    })?;
    let (after, looked_after) = (world.passed()?, world.west.look()?);
    Ok(Measured {
        lag: Spread::of(lag),
        probe: Spread::of(probe),
        out: after[0].since(before[0]),
        back: after[1].since(before[1]),
        frame_bytes: looked_after.sent_bytes - looked.sent_bytes,
        lost_packets: looked_after.lost_packets - looked.lost_packets,
    })
}

/// How late each change arrives. None may be missing: between two of one device is longer than any takes.
fn lag(
    world: &World,
    count: usize,
    devices: usize,
    at: impl Fn(usize) -> Instant,
) -> Result<Vec<Duration>, Failure> {
    let deadline = at(count) + PATIENCE;
    let mut passes = vec![0; devices];
    let mut lag = Vec::with_capacity(count);
    while lag.len() < count {
        let patience = deadline.saturating_duration_since(Instant::now());
        let seen = world.east.seen.recv_timeout(patience);
        let seen = seen.map_err(|_| format!("{} of {count} changes have not arrived", count - lag.len()))?;
        if let Seen::Told(device, told) = seen
            && let Some(number) = number(&device)
        {
            let pass = passes.get_mut(number).ok_or("a device that did not speak")?;
            lag.push(told.saturating_duration_since(at(*pass * devices + number)));
            *pass += 1;
        }
    }
    Ok(lag)
}

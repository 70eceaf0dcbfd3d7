//! A simulator of one site or several: the real core ([`presence::Node`]) between model Asterisk servers, on a model group, through the real codec.
//!
//! Everything that happens follows from a seed: the site's size and pace, what its people do, and what goes wrong. For a while faults are
//! injected, then all is cured, and everybody has to show the right thing, and keep quiet. [`run`] makes one run; the same seed makes the same
//! run again. [`run_sites`] makes one with several sites, linked in some graph; what is different there is in `wide.rs` (what a seed chooses),
//! `wan.rs` (what a link is) and `world/links.rs` (how it fares).
//!
//! [`Scale`] is something else: no faults and nothing drawn, but as many sites as there may be, and what they cost.
//!
//! Start reading at `options.rs` (what a seed chooses), then `world/mod.rs` (how time passes), then one checker in `checkers/`.
#![allow(clippy::wildcard_enum_match_arm, reason = "a checker looks at those few effects that it is about")]

mod asterisk;
mod bus;
mod checkers;
mod faults;
mod journal;
mod model;
mod names;
mod options;
mod random;
mod report;
mod saboteur;
mod scale;
mod schedule;
mod server;
mod shell;
mod sight;
mod wan;
mod wide;
mod world;

pub use faults::FaultKind;
pub use report::{Checker, Failure, Mark, Report, Stats};
pub use saboteur::Plant;
pub use scale::{Scale, Size, Traffic};
pub use wide::Graph;

use options::Options;
use random::Random;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use world::World;

/// Makes the run of a seed, with a planted fault if there is to be one. `reader` gets one line for each event.
pub fn run(seed: u64, plant: Option<Plant>, reader: Option<&mut dyn FnMut(&str)>) -> Report {
    let mut random = Random::new(seed);
    let options = Options::draw(&mut random);
    carry_out(seed, random, options, plant, reader)
}

/// Makes the run of a seed with several sites.
pub fn run_sites(seed: u64, plant: Option<Plant>, reader: Option<&mut dyn FnMut(&str)>) -> Report {
    let mut random = Random::new(seed);
    let options = Options::draw_wide(&mut random);
    carry_out(seed, random, options, plant, reader)
}

fn carry_out(
    seed: u64,
    random: Random,
    options: Options,
    plant: Option<Plant>,
    reader: Option<&mut dyn FnMut(&str)>,
) -> Report {
    let text = options.to_string();
    let outcome = catch_unwind(AssertUnwindSafe(move || {
        let mut world = World::new(options, random, plant, reader);
        world.run();
        (world.failure.take(), std::mem::take(&mut world.stats))
    }));
    let (failure, stats) = outcome.unwrap_or_else(|panic| {
        let text = panic_text(panic.as_ref());
        let failure = Failure { checker: Checker::Panic, at: Duration::ZERO, text };
        (Some(failure), Stats::default())
    });
    Report { seed, options: text, failure, stats }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words").to_owned()
}

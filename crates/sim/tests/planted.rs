//! The checkers can see: each planted fault is caught, by the promise that it breaks.

use sim::{Checker, Plant, Report, run, run_sites};

/// A planted fault shows in one of so many runs.
const RUNS: u64 = 400;

#[test]
fn an_echo_is_caught() {
    assert_caught(Plant::Echo, Checker::Echo);
}

#[test]
fn a_lost_retry_is_caught() {
    assert_caught(Plant::LostRetry, Checker::LastWord);
}

#[test]
fn a_stale_overwrite_is_caught() {
    assert_caught(Plant::StaleOverwrite, Checker::FalseWord);
}

#[test]
fn a_missed_withdrawal_is_caught() {
    assert_caught(Plant::MissedWithdrawal, Checker::GhostLamp);
}

#[test]
fn an_intermediate_aggregate_is_caught() {
    assert_caught(Plant::IntermediateAggregate, Checker::Intermediate);
}

#[test]
fn a_lost_site_that_stays_lit_is_caught() {
    assert_caught_by(run_sites, Plant::EndlessHold, Checker::LostSite);
}

#[test]
fn a_link_that_blinks_and_changes_lamps_is_caught() {
    assert_caught_by(run_sites, Plant::HastyLoss, Checker::Blink);
}

#[test]
fn a_site_that_returns_with_what_it_had_said_before_is_caught() {
    assert_caught_by(run_sites, Plant::StaleReturn, Checker::SiteReturn);
}

fn assert_caught(plant: Plant, by: Checker) {
    assert_caught_by(run, plant, by);
}

/// Some run breaks this promise with the fault, and keeps every promise without it.
fn assert_caught_by(run: Run, plant: Plant, by: Checker) {
    let broken =
        |seed: &u64| run(*seed, Some(plant), None).failure.is_some_and(|failure| failure.checker == by);
    let seed = (0..RUNS).find(broken).unwrap_or_else(|| panic!("{RUNS} runs have not seen {plant:?}"));
    assert_eq!(
        run(seed, None, None).failure,
        None,
        "the planted fault is all that is wrong with seed {seed}"
    );
}

type Run = fn(u64, Option<Plant>, Option<&mut dyn FnMut(&str)>) -> Report;

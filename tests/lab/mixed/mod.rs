//! What stock servers of two versions do with words that nodes may say, without any node; told in docs/STOCK.md.

mod aggregates_are_as_recorded;
mod custom_events_are_ignored;
mod dead_eid_lets_go;
mod plain_join_is_answered;
mod second_process_takes_little;
mod speaker;
mod unknown_elements_are_skipped;

use crate::scenarios::{Scenario, scenario};

/// All of them, in the order in which they run.
pub(crate) const ALL: &[Scenario] = &[
    scenario("unknown_elements_are_skipped", |stage| Box::pin(unknown_elements_are_skipped::run(stage))),
    scenario("custom_events_are_ignored", |stage| Box::pin(custom_events_are_ignored::run(stage))),
    scenario("a_dead_eid_lets_go_of_its_lamps", |stage| Box::pin(dead_eid_lets_go::run(stage))),
    scenario("a_plain_join_is_answered_by_all", |stage| Box::pin(plain_join_is_answered::run(stage))),
    scenario("a_second_process_takes_little_with_it", |stage| {
        Box::pin(second_process_takes_little::run(stage))
    }),
    scenario("aggregates_are_as_recorded", |stage| Box::pin(aggregates_are_as_recorded::run(stage))),
];

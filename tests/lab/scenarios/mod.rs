//! The scenarios: what a user sees, each told in about twenty lines.

mod aggregates_are_right;
mod bad_input_is_named;
mod call_lights_the_lamp;
mod canary_names_the_cut_hop;
mod cloned_server;
mod cold_start;
pub(crate) mod dashboards_have_data;
mod equal_eid_is_refused;
mod flapping_device;
mod frozen;
mod ghost_lamp_fires_the_alert;
mod intruder_leaves;
mod killed_and_restarted;
mod killed_node;
mod killed_node_comes_back;
mod killed_server_leaves_no_ghost;
mod lamp_crosses;
mod lost_corosync;
mod malformed_events;
mod message_waiting_crosses;
mod metrics_are_clean;
mod missing_source_is_named;
mod nothing_echoes;
mod page_shows_the_lab;
mod partition_heals;
mod publication_expires;
mod restarted_server_has_the_right_lamps;
mod stopped_node_withdraws;
mod stranger_is_refused;
mod stuttering_ring;

pub(crate) use message_waiting_crosses::keep as keep_messages;

use std::pin::Pin;

use anyhow::Result;

use crate::stage::Stage;

type Story = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(Stage) -> Story,
    pub(crate) stock: Stock,
    /// Parts of the lines of WARN and ERROR that the nodes are to log meanwhile.
    pub(crate) expected: &'static [&'static str],
}

/// What becomes of a scenario with `SUBJECT=stock`, on stock servers alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stock {
    /// It is about nodes, or about what stock servers do not have.
    NotAsked,
    Passes,
    /// They fail, and the complaint has these words.
    Fails(&'static str),
}

pub(crate) const fn scenario(name: &'static str, run: fn(Stage) -> Story) -> Scenario {
    Scenario { name, run, stock: Stock::NotAsked, expected: &[] }
}

impl Scenario {
    const fn also_stock(self) -> Self {
        Self { stock: Stock::Passes, ..self }
    }

    const fn stock_fails(self, complaint: &'static str) -> Self {
        Self { stock: Stock::Fails(complaint), ..self }
    }

    pub(crate) const fn expecting(self, expected: &'static [&'static str]) -> Self {
        Self { expected, ..self }
    }
}

/// All scenarios, in the order in which they run: the simple ones first.
pub(crate) const ALL: &[Scenario] = &[
    scenario("a_lamp_crosses_each_directed_pair_of_servers", |stage| Box::pin(lamp_crosses::run(stage)))
        .also_stock(),
    scenario("a_call_lights_the_lamp_everywhere", |stage| Box::pin(call_lights_the_lamp::run(stage)))
        .also_stock(),
    scenario("message_waiting_crosses_both_ways", |stage| Box::pin(message_waiting_crosses::run(stage))),
    scenario("nothing_echoes", |stage| Box::pin(nothing_echoes::run(stage))).also_stock(),
    scenario("aggregates_are_right", |stage| Box::pin(aggregates_are_right::run(stage))).also_stock(),
    scenario("an_equal_eid_is_refused", |stage| Box::pin(equal_eid_is_refused::run(stage)))
        .expecting(&["two servers have the same EID"]),
    scenario("a_stranger_is_refused", |stage| Box::pin(stranger_is_refused::run(stage))),
    scenario("restarted_pbx2_has_the_right_lamps", |stage| {
        Box::pin(restarted_server_has_the_right_lamps::run(stage, "pbx2"))
    })
    .also_stock(),
    scenario("restarted_pbx3_has_the_right_lamps", |stage| {
        Box::pin(restarted_server_has_the_right_lamps::run(stage, "pbx3"))
    }),
    scenario("killed_pbx1_leaves_no_lamp_lit", |stage| {
        Box::pin(killed_server_leaves_no_ghost::run(stage, "pbx1"))
    })
    .stock_fails("as out and shows InUse"),
    scenario("killed_pbx3_leaves_no_lamp_lit", |stage| {
        Box::pin(killed_server_leaves_no_ghost::run(stage, "pbx3"))
    }),
    scenario("killed_pbx1_leaves_no_message_lamp_lit", |stage| {
        Box::pin(message_waiting_crosses::killed(stage))
    })
    .stock_fails("is not told of 0 new messages"),
    scenario("killed_node1_leaves_no_lamp_lit", |stage| Box::pin(killed_node::run(stage))),
    scenario("killed_and_restarted_pbx1_is_right_at_once", |stage| {
        Box::pin(killed_and_restarted::run(stage))
    })
    .stock_fails("as out and shows InUse"),
    scenario("pbx1_without_its_corosync_leaves_no_lamp_lit", |stage| {
        Box::pin(lost_corosync::of_a_server(stage))
    })
    .stock_fails("as out and shows InUse"),
    scenario("node1_without_its_corosync_goes_on", |stage| Box::pin(lost_corosync::of_a_node(stage)))
        .expecting(&["not in the group", "out of the group"]),
    scenario("a_corosync_that_refuses_node1_is_named", |stage| {
        Box::pin(lost_corosync::that_refuses_a_node(stage))
    })
    .expecting(&["not in the group", "out of the group"]),
    scenario("after_a_partition_every_lamp_is_right", |stage| Box::pin(partition_heals::run(stage)))
        .stock_fails("as lit and shows Idle"),
    scenario("a_second_partition_leaves_no_lamp_lit", |stage| Box::pin(partition_heals::second(stage)))
        .stock_fails("as out and shows InUse"),
    scenario("a_server_that_dies_beyond_a_partition_leaves_no_lamp_lit", |stage| {
        Box::pin(partition_heals::with_a_death(stage))
    })
    .stock_fails("as out and shows InUse"),
    scenario("a_frozen_corosync_of_pbx1_loses_no_change", |stage| {
        Box::pin(frozen::corosync(stage, "pbx1", "pbx1"))
    })
    .stock_fails("should show"),
    scenario("a_frozen_corosync_of_node1_loses_no_change", |stage| {
        Box::pin(frozen::corosync(stage, "node1", "pbx3"))
    }),
    scenario("a_corosync_of_node1_that_stands_still_for_a_minute_is_told", |stage| {
        Box::pin(frozen::corosync_for_long(stage))
    }),
    scenario("a_frozen_pbx1_is_right_when_it_goes_on", |stage| Box::pin(frozen::server(stage))).also_stock(),
    scenario("a_silent_pbx3_leaves_no_lamp_lit", |stage| Box::pin(frozen::served(stage))),
    scenario("a_publication_that_expires_leaves_no_lamp_lit", |stage| {
        Box::pin(publication_expires::run(stage))
    }),
    scenario("a_frozen_node1_changes_no_lamp", |stage| Box::pin(frozen::node(stage))),
    scenario("a_second_process_beside_pbx1_takes_no_lamp_away", |stage| {
        Box::pin(intruder_leaves::run(stage))
    })
    .stock_fails("shows hint"),
    scenario("a_clone_of_pbx1_is_noticed_and_changes_no_lamp", |stage| Box::pin(cloned_server::run(stage)))
        .expecting(&["two servers have the same EID"])
        .stock_fails("somebody warns"),
    scenario("malformed_events_hurt_nobody", |stage| Box::pin(malformed_events::run(stage)))
        .stock_fails("died of it"),
    scenario("ten_seconds_of_a_stuttering_ring_lose_no_last_word", |stage| {
        Box::pin(stuttering_ring::run(stage))
    })
    .stock_fails("should show"),
    // A node may see its corosync die an instant before it does itself.
    scenario("a_cold_start_of_everything_is_right", |stage| Box::pin(cold_start::run(stage)))
        .expecting(&["not in the group", "out of the group"])
        .also_stock(),
    scenario("a_device_that_flaps_a_thousand_times_ends_right", |stage| {
        Box::pin(flapping_device::run(stage))
    })
    .also_stock(),
    scenario("killed_node1_comes_back_and_pbx3_is_right_again", |stage| {
        Box::pin(killed_node_comes_back::run(stage))
    }),
    scenario("stopped_node1_withdraws_and_returns", |stage| Box::pin(stopped_node_withdraws::run(stage))),
    scenario("every_panel_of_a_sites_dashboards_has_data", |stage| {
        Box::pin(dashboards_have_data::run(stage))
    }),
    scenario("metrics_are_clean_and_exemplars_arrive", |stage| Box::pin(metrics_are_clean::run(stage))),
    scenario("the_page_shows_the_lab", |stage| Box::pin(page_shows_the_lab::run(stage))),
    scenario("a_missing_source_is_named_and_hides_no_other", |stage| {
        Box::pin(missing_source_is_named::run(stage))
    }),
    scenario("a_canary_names_the_bus_when_it_is_cut", |stage| Box::pin(canary_names_the_cut_hop::bus(stage))),
    scenario("a_canary_names_the_publish_that_is_cut", |stage| {
        Box::pin(canary_names_the_cut_hop::publish(stage))
    })
    .expecting(&["server refuses a PUBLISH for good"]),
    scenario("bad_input_is_named_on_the_page_and_in_readyz", |stage| {
        Box::pin(bad_input_is_named::run(stage))
    }),
    scenario("a_ghost_lamp_fires_the_alert_until_a_node_puts_it_out", |stage| {
        Box::pin(ghost_lamp_fires_the_alert::run(stage))
    }),
];

//! Two sites, each with its own corosync ring, and between them a relay that does what the Internet does; told in docs/LINKS.md.

mod between_the_sites;
mod call_at_the_other_site;
mod dialer;
mod false_peer;
mod lost_site;
mod message_waiting;
mod node_in_a_storm;
mod raw_peer;
mod strangers;
mod watched;

use std::time::Duration;

use anyhow::Result;
use lab::{Lab, Pbx, Site};
use serde_json::{Value, json};

use crate::scenarios::{Scenario, dashboards_have_data, scenario};
use crate::stage::{Stage, eventually};

/// As the nodes of the lab are configured: who is silent for so long is gone.
const HOLD: Duration = Duration::from_secs(15);

/// All of them, in the order in which they run.
pub(crate) const ALL: &[Scenario] = &[
    scenario("a_lamp_crosses_between_the_sites", |stage| Box::pin(between_the_sites::run(stage))),
    scenario("a_lamp_crosses_a_bad_way", |stage| Box::pin(between_the_sites::on_a_bad_way(stage))),
    scenario("a_call_lights_the_lamp_at_the_other_site", |stage| {
        Box::pin(call_at_the_other_site::run(stage))
    }),
    scenario("message_waiting_crosses_between_the_sites", |stage| Box::pin(message_waiting::run(stage))),
    scenario("a_blink_of_the_way_changes_no_lamp", |stage| Box::pin(lost_site::blink(stage))),
    scenario("a_new_port_behind_nat_changes_no_lamp", |stage| Box::pin(lost_site::rebind(stage))),
    scenario("a_site_that_is_cut_off_leaves_no_lamp_lit", |stage| Box::pin(lost_site::cut(stage)))
        .expecting(DOWN),
    scenario("a_node_that_dies_in_a_storm_loses_no_last_word", |stage| Box::pin(node_in_a_storm::run(stage)))
        .expecting(DOWN),
    scenario("a_site_that_is_stopped_and_started_is_right", |stage| Box::pin(lost_site::stopped(stage)))
        .expecting(DOWN),
    scenario("strangers_at_the_door_of_the_links_disturb_nobody", |stage| Box::pin(strangers::run(stage)))
        .expecting(&["a stranger was not let in"]),
    scenario("a_peer_that_says_what_it_may_not_is_not_believed", |stage| Box::pin(false_peer::run(stage)))
        .expecting(&[
            "link is down",
            "cannot reach the peer",
            "out of reach",
            "does not let in",
            "not let in",
        ]),
    scenario("a_peer_that_says_what_cannot_be_decoded_ends_its_own_link", |stage| {
        Box::pin(raw_peer::run(stage))
    })
    .expecting(DOWN),
    scenario("every_panel_of_the_dashboard_of_links_has_data", |stage| {
        Box::pin(dashboards_have_data::of_links(stage))
    }),
    scenario("canaries_name_the_link_that_is_cut", |stage| Box::pin(watched::cut(stage))).expecting(DOWN),
];

/// What nodes say of a link that goes, and of the site behind it.
const DOWN: &[&str] =
    &["link is down", "cannot reach the peer", "out of reach", "not in the group", "out of the group"];

/// A way without loss, and as long as across a country.
pub(crate) fn calm() -> Value {
    json!({"delay_ms": 20.0, "jitter_ms": 2.0, "loss_percent": 0.0, "reorder_percent": 0.0,
           "duplicate_percent": 0.0, "bandwidth_kbit": 0.0, "cut": false})
}

/// Waits until every link of every node is up.
pub(crate) async fn linked(lab: &Lab, timeout: Duration) -> Result<()> {
    eventually("every link between the sites is up", timeout, || async {
        for node in &lab.nodes {
            let links = lab.node(node)?.links().await.unwrap_or_default();
            if links.is_empty() || links.iter().any(|link| !link.up) {
                return Ok(false);
            }
        }
        Ok(true)
    })
    .await
}

/// The servers of a site.
fn at(stage: &Stage, site: Site) -> Vec<&Pbx> {
    stage.pbxes.iter().filter(|pbx| pbx.spec.site == site).collect()
}

//! No ghost lamp: what only a departed server lit is out within a second of the change of membership that told of it, everywhere.
//!
//! The second begins anew whenever something else happens (another change of membership, the end of a fault). Nodes that are stopped cost
//! half a second each, because the next one waits for them; corosync swallowing a node's message costs until it is repeated.

use crate::names::{Topic, Value, Word};
use crate::report::{Checker, Mark};
use crate::server::Side;
use crate::world::World;
use presence::{DeviceState, ServerId};
use std::time::Duration;

/// The promise.
pub(super) const DEADLINE: Duration = Duration::from_secs(1);
/// What the simulation itself takes, and looks late.
const SLACK: Duration = Duration::from_millis(200);
/// What each node that does not do its part costs.
const RANK: Duration = Duration::from_millis(500);
/// After so long a node repeats what corosync has swallowed.
const REPEAT: Duration = Duration::from_secs(10);
/// For so long a node that is out of the group keeps what it knows.
const ABSENCE: Duration = Duration::from_secs(5);
/// A server without cluster module that ended without a word is missed after six seconds, looked at every two.
const MISSED: Duration = Duration::from_secs(9);
/// A server that did not answer is tried again after sixteen seconds at most, and each attempt takes eight.
const RETRY: Duration = Duration::from_secs(24);
/// More words than these that wait for a listener take their time, one request after the other.
const CROWD: usize = 16;
/// A server that restarted quickly is expected to say again what it stands for; three seconds after the last of it the rest goes.
const RESTATING: Duration = Duration::from_secs(5);

pub(super) fn judge(world: &mut World<'_>) {
    for listener in 0..world.servers.len() {
        if is_crowded(world, listener) {
            world.checkers.crowded.insert(listener, world.now);
        }
        let Some(patience) = patience(world, listener) else { continue };
        settle(world, listener, patience);
        if let Some((word, text)) = find(world, listener, patience) {
            let name = &world.servers[listener].name;
            let text = format!("{name} shows {word}, and {text}");
            return world.fail(Checker::GhostLamp, text);
        }
    }
}

/// Whether a listener has so much to be told that the last of it comes late.
fn is_crowded(world: &World<'_>, listener: usize) -> bool {
    let Some(plain) = world.servers[listener].plain() else { return false };
    let core = world.nodes[plain.node].core.as_ref();
    core.is_some_and(|core| core.server_queue(ServerId(plain.slot)) > CROWD)
}

impl World<'_> {
    /// Whether a listener had so much to be told, a moment ago, that what it hears may be late.
    pub(super) fn is_crowded_lately(&self, listener: usize) -> bool {
        self.checkers.crowded.get(&listener).is_some_and(|at| self.now < *at + DEADLINE)
    }
}

/// How long the lamps of a listener may be wrong; `None` while nobody can say.
fn patience(world: &World<'_>, listener: usize) -> Option<Duration> {
    // Its node may be out of the group, and keep what it knows.
    let absence = if world.servers[listener].plain().is_some() { ABSENCE } else { Duration::ZERO };
    Some(pace(world, listener)? + absence)
}

/// How long it takes until a listener is told; `None` while nobody can say.
pub(super) fn pace(world: &World<'_>, listener: usize) -> Option<Duration> {
    let server = &world.servers[listener];
    if !server.is_well() || world.is_stormy() || world.bus.is_forming() {
        return None;
    }
    if world.is_crowded_lately(listener) {
        return None;
    }
    let beside = match &server.side {
        Side::Stock(stock) => {
            world.group_of(stock.member)?;
            stock.module.as_ref()?;
            world.bus.is_well(stock.member.nodeid).then_some(())?;
            world.nodes_beside(listener)
        }
        Side::Plain(plain) => {
            let retried = world.sight.unseen_at(listener).is_some_and(|at| world.now < at + RETRY);
            let clear = !plain.cut && plain.loss == 0.0 && !plain.rejecting && !retried;
            let node = &world.nodes[plain.node];
            if !clear
                || !node.is_well()
                || !world.hears(plain.node, plain.slot)
                || !world.is_joined(plain.node)
            {
                return None;
            }
            [plain.node].into()
        }
    };
    if !beside.iter().any(|node| is_able(world, *node)) {
        return None;
    }
    let mut patience = DEADLINE + SLACK;
    patience += RANK * u32::try_from(beside.iter().filter(|node| !is_able(world, **node)).count()).ok()?;
    // Those on their way out included: what they take back counts until it is seen to be lost.
    let running = world.nodes.iter().filter(|node| node.core.is_some());
    let swallowed =
        running.filter(|node| node.swallowed_at.is_some_and(|at| world.now < at + REPEAT + patience)).count();
    Some(patience + REPEAT * u32::try_from(swallowed).ok()?)
}

/// Whether a node does its part.
fn is_able(world: &World<'_>, node: usize) -> bool {
    let shell = &world.nodes[node];
    shell.is_well() && world.bus.is_well(shell.member.nodeid)
}

/// Departures that were long enough ago have been dealt with.
fn settle(world: &mut World<'_>, listener: usize, patience: Duration) {
    for server in 0..world.servers.len() {
        let Some(absence) = world.sight.absence(listener, server) else { continue };
        let told = absence.is_told(|node| is_able(world, node));
        let Some(more) = far(world, listener, server) else { continue };
        let patience = patience + more;
        if !absence.settled && told && is_over(world, absence.since, patience) {
            world.sight.settle(listener, server);
            world.stats.mark(Mark::GhostJudged);
        }
    }
}

fn is_over(world: &World<'_>, since: Duration, patience: Duration) -> bool {
    world.now > since.max(world.sight.disturbed_at) + patience
}

/// A lamp that nobody who is there has lit.
fn find(world: &World<'_>, listener: usize, patience: Duration) -> Option<(Word, String)> {
    let lamps = world.servers[listener].asterisk.as_ref()?.lamps();
    // Who wrote last of a mailbox of several writers is not for a lamp to say.
    let is_one = |topic: Topic| matches!(topic, Topic::Device(_)) || world.model.speakers(topic).count() == 1;
    let lit = lamps.filter(|word| word.topic.is_cachable() && word.value.is_lit() && is_one(word.topic));
    let ghost = lit.into_iter().find(|word| {
        !world
            .model
            .speakers(word.topic)
            .any(|server| justifies(world, listener, server, word.topic, patience))
    })?;
    let speakers: Vec<String> = world
        .model
        .speakers(ghost.topic)
        .map(|server| format!("{}: {}", world.servers[server].name, world.last_words(server, ghost.topic)))
        .collect();
    Some((ghost, speakers.join("; ")))
}

/// Whether nodes that knew a server knew of this topic when it went. They do not if its own node had begun anew and not heard of it
/// again, or if a stock server's word was lost and could be said again only to others.
pub(super) fn is_known(world: &World<'_>, server: usize, topic: Topic, gone: Duration) -> bool {
    match &world.servers[server].side {
        Side::Plain(plain) => !plain.untold.contains(&topic),
        Side::Stock(stock) => stock.lost_until.get(&topic).is_none_or(|until| *until < gone),
    }
}

/// Whether a stock server takes the last word for no news: it has forgotten what it was told before a split, and UNKNOWN is what it
/// has of a device that nobody speaks of. Its hint stays as it was.
pub(super) fn is_no_news(world: &World<'_>, listener: usize, server: usize, topic: Topic) -> bool {
    let said = world.model.history(server, topic).iter().rev().find_map(|said| said.value);
    matches!(world.servers[listener].side, Side::Stock(_)) && said == Some(Value::State(DeviceState::Unknown))
}

/// How much longer a lamp may be wrong about a server elsewhere: a site out of reach is waited for, and so is a group that a node there has
/// lost. `None` while nobody can say: what is under way is late, or a node between the two is stopped.
fn far(world: &World<'_>, listener: usize, server: usize) -> Option<Duration> {
    // The parts of a split group hear of each other over links.
    let site = world.site_of(server);
    let mates = (0..world.nodes.len()).filter(|node| world.wan.site_of_node(*node).number == site);
    let near =
        !world.is_far(listener, server) && (world.wan.sites == 1 || world.are_united(&mates.collect()));
    if near {
        return Some(Duration::ZERO);
    }
    let stopped =
        world.nodes.iter().any(|node| node.core.is_some() && (!node.is_well() || node.stopping.is_some()));
    (!stopped && world.are_links_clear()).then_some(ABSENCE + world.wan.hold + DEADLINE)
}

/// Whether a server may be why a lamp is lit.
fn justifies(world: &World<'_>, listener: usize, server: usize, topic: Topic, patience: Duration) -> bool {
    let ever =
        world.model.history(server, topic).iter().any(|said| said.value.is_some_and(|value| value.is_lit()));
    if !ever {
        return false;
    }
    if server == listener {
        return world.model.is_lit_since(server, topic, |_| false);
    }
    let patience = match far(world, listener, server) {
        Some(more) => patience + more,
        None => return true,
    };
    let ended_lately = |ended: Duration| !is_over(world, ended, patience + RESTATING);
    let rejected =
        world.servers[listener].plain().is_some_and(|plain| plain.rejected.contains(&(server, topic)));
    if is_no_news(world, listener, server, topic) {
        return true;
    }
    if rejected || world.sight.is_unwitnessed(listener, server) || world.servers[server].has_lost(topic) {
        return true;
    }
    // To the group a stopped node is there, and so are its servers: it alone can take back what they no longer say.
    let is_in_good_hands = || world.servers[server].plain().is_none_or(|plain| is_able(world, plain.node));
    match world.sight.absence(listener, server) {
        None if !is_in_good_hands() => true,
        None if world.servers[server].asterisk.is_none() => {
            let history = world.model.history(server, topic);
            history.last().is_some_and(|said| !is_over(world, said.at, patience + MISSED))
        }
        None => {
            let started = world.servers[server].started_at;
            !is_known(world, server, topic, started)
                || world.model.is_lit_since(server, topic, ended_lately)
                || ended_lately(started)
                || world.servers[server].plain().is_some_and(|plain| {
                    // On a bad way it says slowly what it still stands for.
                    plain.cut || plain.loss > 0.0 || ended_lately(plain.told_first_at)
                })
                || world.sight.unseen_at(server).is_some_and(ended_lately)
        }
        // Those who could tell may all be stopped, while others who came later go on.
        Some(absence) => {
            !is_known(world, server, topic, absence.since)
                || !absence.is_told(|node| is_able(world, node))
                || !is_over(world, absence.since, patience)
        }
    }
}

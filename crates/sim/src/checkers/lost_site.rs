//! A lost site goes out: once there has been no way to a site for the hold time, every lamp elsewhere that only its servers lit is out within a
//! second, whatever else happened meanwhile.
//!
//! A way is any chain of links that let frames through, and of nodes that run; nodes of one site count as connected. When another node is lost or
//! found, or a site's group is split, the time begins anew: what a node knew of others nobody else does, and what it knows it tells. What the run's own pace explains
//! is allowed for: frames that travel from site to site, and what a listener's own side takes (`ghost_lamp.rs`).

use super::ghost_lamp::{DEADLINE, is_known, is_no_news, pace};
use crate::names::{Topic, Word};
use crate::report::{Checker, Mark};
use crate::wan::Line;
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Sites to which there is no way, since when: from a site, to a site.
pub(super) type Lost = BTreeMap<(usize, usize), Duration>;

pub(super) fn judge(world: &mut World<'_>) {
    if world.wan.sites < 2 {
        return;
    }
    let back = look(world);
    for (from, to, since) in back {
        world.begin_site_return(from, to, since);
    }
    for listener in 0..world.servers.len() {
        let Some(allowed) = allowed(world, listener) else { continue };
        if let Some(text) = find(world, listener, allowed) {
            return world.fail(Checker::LostSite, text);
        }
    }
}

/// Looks to which sites there is a way. Returns those that are back, with the time since when they had been lost.
fn look(world: &mut World<'_>) -> Vec<(usize, usize, Duration)> {
    let mut back = Vec::new();
    for from in 0..world.wan.sites {
        let nodes = world.nodes_with_a_way(from);
        if nodes.is_empty() {
            world.checkers.lost.retain(|(site, _), _| *site != from);
            world.checkers.lost_first.retain(|(site, _), _| *site != from);
            continue;
        }
        let before = world.checkers.reached_nodes.insert(from, nodes.clone()).unwrap_or_default();
        if before != nodes || !world.are_united(&nodes) {
            // Whoever knew that there is no way by a node may have been the node itself, and one that is back tells what it knows.
            world
                .checkers
                .lost
                .iter_mut()
                .filter(|((site, _), _)| *site == from)
                .for_each(|(_, at)| *at = world.now);
        }
        let last = last_heard(world, &nodes);
        let kept = world.checkers.lost.iter_mut().filter(|((site, _), _)| *site == from);
        kept.for_each(|(_, since)| *since = last.max(*since));
        let reached: BTreeSet<usize> =
            nodes.iter().map(|node| world.wan.site_of_node(*node).number).collect();
        for to in (0..world.wan.sites).filter(|to| *to != from) {
            if !reached.contains(&to) {
                world.checkers.lost.entry((from, to)).or_insert(world.now);
                world.checkers.lost_first.entry((from, to)).or_insert(world.now);
            } else {
                world.checkers.lost.remove(&(from, to));
                back.extend(world.checkers.lost_first.remove(&(from, to)).map(|since| (from, to, since)));
            }
        }
    }
    back
}

/// When these nodes last heard anything of others. What a cut held up may come when there is no way any more.
fn last_heard(world: &World<'_>, nodes: &BTreeSet<usize>) -> Duration {
    let lines = world.wan.lines.iter();
    let outwards = lines.flat_map(|line| [(&line.ends[0], &line.ends[1]), (&line.ends[1], &line.ends[0])]);
    let heard = outwards.filter(|(this, far)| nodes.contains(&this.node) && !nodes.contains(&far.node));
    heard.map(|(this, _)| this.heard_at).max().unwrap_or_default()
}

/// How long after the hold time the lamps of a listener may still be lit; `None` while nobody can say.
fn allowed(world: &World<'_>, listener: usize) -> Option<Duration> {
    let site = world.site_of(listener);
    let is_lost = |other: usize| world.checkers.lost.contains_key(&(site, other));
    let node_site = |node: usize| world.wan.site_of_node(node).number;
    let well = |node: usize| world.nodes[node].is_well() && world.nodes[node].stopping.is_none();
    let there =
        (0..world.nodes.len()).filter(|node| world.nodes[*node].core.is_some() && !is_lost(node_site(*node)));
    let mut others = there.into_iter();
    let near = |line: usize| world.wan.lines[line].ends.iter().all(|end| !is_lost(node_site(end.node)));
    if !others.all(well) || !world.are_lines_clear(near) {
        return None;
    }
    let hops = u32::try_from(world.wan.sites).ok()?;
    Some(pace(world, listener)? + 3 * hops * world.options.wide.delay.end)
}

/// A lamp that only servers of lost sites have lit.
fn find(world: &mut World<'_>, listener: usize, allowed: Duration) -> Option<String> {
    let site = world.site_of(listener);
    let lit: Vec<Word> = world.servers[listener].asterisk.as_ref()?.lamps().collect();
    let lit = lit.into_iter().filter(|word| matches!(word.topic, Topic::Device(_)) && word.value.is_lit());
    for word in lit {
        let speakers: Vec<usize> = world.model.speakers(word.topic).collect();
        let times: Option<Vec<Duration>> = speakers
            .iter()
            .map(|server| world.checkers.lost.get(&(site, world.site_of(*server))).copied())
            .collect();
        let Some(since) = times.and_then(|times| times.into_iter().max()) else { continue };
        let over = world.now > (since + world.wan.hold).max(world.sight.disturbed_at) + allowed;
        if over && !speakers.iter().any(|server| is_excused(world, listener, *server, word.topic)) {
            let name = &world.servers[listener].name;
            let since = since.as_secs_f64();
            return Some(format!("{name} still shows {word} of a site that is lost since {since:.3} s"));
        }
    }
    let hold = world.wan.hold + DEADLINE;
    if world
        .checkers
        .lost
        .iter()
        .any(|((from, _), since)| *from == site && world.now > *since + hold + allowed)
    {
        world.stats.mark(Mark::LostSiteJudged);
    }
    None
}

/// Whether a listener cannot know that what a server said is over.
fn is_excused(world: &World<'_>, listener: usize, server: usize, topic: Topic) -> bool {
    let rejected =
        world.servers[listener].plain().is_some_and(|plain| plain.rejected.contains(&(server, topic)));
    let told = world.sight.absence(listener, server).is_some_and(|absence| {
        absence.is_told(|node| world.nodes[node].is_well()) && is_known(world, server, topic, absence.since)
    });
    !told
        || rejected
        || world.sight.is_unwitnessed(listener, server)
        || world.servers[server].has_lost(topic)
        || is_no_news(world, listener, server, topic)
}

impl World<'_> {
    /// Whether those of these nodes that are of one site are in one group.
    pub(super) fn are_united(&self, nodes: &BTreeSet<usize>) -> bool {
        let site = |node: usize| self.wan.site_of_node(node).number;
        let mates = |one: usize| nodes.range(one + 1..).filter(move |other| site(**other) == site(one));
        nodes.iter().all(|one| mates(*one).all(|other| self.are_mates(*one, *other)))
    }

    /// The nodes to which there is a way from a site.
    fn nodes_with_a_way(&self, from: usize) -> BTreeSet<usize> {
        let runs = |node: &usize| self.nodes[*node].is_well();
        let site = |node: usize| self.wan.site_of_node(node).number;
        let linked = |one: usize, other: usize| {
            let ends = |line: &Line| line.ends.iter().map(|end| end.node).collect::<BTreeSet<_>>();
            self.wan.lines.iter().any(|line| !line.cut && ends(line) == BTreeSet::from([one, other]))
        };
        let all: Vec<usize> = (0..self.nodes.len()).filter(runs).collect();
        let mut reached: BTreeSet<usize> = all.iter().copied().filter(|node| site(*node) == from).collect();
        let mut open: Vec<usize> = reached.iter().copied().collect();
        while let Some(node) = open.pop() {
            let next = |other: &usize| site(*other) == site(node) || linked(node, *other);
            open.extend(all.iter().copied().filter(next).filter(|other| reached.insert(*other)));
        }
        reached
    }
}

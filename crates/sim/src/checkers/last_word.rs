//! No lost last word: when all faults are over, every node's table and every lamp say what the servers that are there said last.
//!
//! Where several servers speak of one mailbox, less can be demanded. An Asterisk has one value for it, whoever said it, and forgets its own
//! word when another speaks; of two that spoke on two sides of a split, or at once, none was the last. So nodes that know of the same
//! writers have to agree on the word of one that is there, and servers that only listen to their node show it. The writers are not held
//! to it: what they hear may cross what they say. Nor are stock servers, of which each takes its own word for the earlier one when
//! two of them dump. When every node that had heard a word is gone which its server has forgotten, nobody can say it again
//! ([`Mark::Overwritten`]).

use crate::asterisk::{Asterisk, Flavour, join};
use crate::names::{Topic, Value, Word};
use crate::report::Mark;
use crate::server::Side;
use crate::world::World;
use presence::{Change, DeviceState, Eid, ServerId};
use std::collections::BTreeMap;

/// Whether everybody knows and shows the right thing. Returns what was excused.
///
/// # Errors
/// The first thing that is wrong.
pub(crate) fn judge(world: &World<'_>) -> Result<Vec<Mark>, String> {
    let mut excused = Vec::new();
    for node in 0..world.nodes.len() {
        judge_standing(world, node)?;
        judge_table(world, node, &mut excused)?;
    }
    judge_mailboxes(world)?;
    for listener in 0..world.servers.len() {
        judge_lamps(world, listener, &mut excused)?;
    }
    Ok(excused)
}

/// Whether a node is in the group, with nothing left to say.
fn judge_standing(world: &World<'_>, node: usize) -> Result<(), String> {
    let shell = &world.nodes[node];
    let Some(core) = &shell.core else { return Ok(()) };
    let name = &shell.name;
    let group = world.group_of(shell.member).ok_or_else(|| format!("{name} is out of the group"))?;
    let members: Vec<_> = core.membership().members().map(|(member, _)| member).collect();
    if members != group.iter().copied().collect::<Vec<_>>() {
        return Err(format!("{name} takes {members:?} for the members, which are {group:?}"));
    }
    if !core.synced() {
        return Err(format!("{name} is not synced"));
    }
    if core.group_queue() > 0 {
        return Err(format!("{name} has {} words for the group waiting", core.group_queue()));
    }
    for (slot, link) in shell.links.iter().enumerate() {
        let server = &world.servers[link.server];
        let waiting = core.server_queue(ServerId(slot));
        if server.asterisk.is_some() && (waiting > 0 || link.flight.is_some()) {
            return Err(format!("{name} has {waiting} words for {} waiting", server.name));
        }
        let (eid, alive) = core.server_status(ServerId(slot));
        if server.asterisk.is_some() && (!alive || eid.is_some_and(|eid| eid != server.eid)) {
            return Err(format!("{name} does not take {} for alive", server.name));
        }
    }
    Ok(())
}

/// What a node has to have in its table of a server's topic; `None` when whatever it has is excused.
fn expected(world: &World<'_>, seen: bool, server: usize, topic: Topic) -> Option<Option<Value>> {
    let lost = world.servers[server].stock().is_some_and(|stock| stock.lost.contains(&topic));
    if seen && lost {
        return None;
    }
    Some(world.model.current(server, topic).filter(|_| seen))
}

fn judge_table(world: &World<'_>, node: usize, excused: &mut Vec<Mark>) -> Result<(), String> {
    let shell = &world.nodes[node];
    let Some(core) = &shell.core else { return Ok(()) };
    for topic in world.model.topics() {
        let mut said = Vec::new();
        let mut sure = true;
        if matches!(topic, Topic::Mailbox(_)) && world.model.speakers(topic).count() > 1 {
            // A server forgets its own word when another speaks of the same mailbox, and does not say it again.
            continue;
        }
        for server in world.model.speakers(topic) {
            let has = in_table(core, topic, world.servers[server].eid);
            let Some(right) = expected(world, world.node_sees(node, server), server, topic) else {
                excused.push(Mark::StockLost);
                sure = false;
                continue;
            };
            if has != right && has.or(right) != Some(Value::State(DeviceState::Unknown)) {
                return Err(differs(world, &shell.name, topic, server, has, right));
            }
            said.extend(has.and_then(state));
        }
        let word = Word { topic, value: Value::State(DeviceState::Unknown) };
        if let (Topic::Device(_), Change::DeviceState { device, .. }, true) = (topic, word.change(), sure) {
            let aggregate = core.states().aggregate_of(&device);
            let right = (!said.is_empty()).then(|| join(said.into_iter()));
            if aggregate != right {
                return Err(format!("{} makes {aggregate:?} of {topic}, which is {right:?}", shell.name));
            }
        }
    }
    Ok(())
}

fn state(value: Value) -> Option<DeviceState> {
    match value {
        Value::State(state) => Some(state),
        Value::Counts(_) => None,
    }
}

pub(super) fn in_table(core: &presence::Node, topic: Topic, eid: Eid) -> Option<Value> {
    let value = Value::withdrawn(topic);
    match (Word { topic, value }).change() {
        Change::DeviceState { device, .. } => {
            let mut states = core.states().of_device(&device);
            states.find(|(whose, _)| *whose == eid).map(|(_, state)| Value::State(state))
        }
        Change::Mwi { mailbox, .. } => {
            let mut counts = core.states().of_mailbox(&mailbox);
            counts.find(|(whose, _)| *whose == eid).map(|(_, counts)| Value::Counts(counts))
        }
    }
}

fn differs(
    world: &World<'_>,
    name: &str,
    topic: Topic,
    server: usize,
    has: Option<Value>,
    right: Option<Value>,
) -> String {
    let text = |value: Option<Value>| value.map_or("nothing".to_owned(), |value| value.to_string());
    let whose = &world.servers[server].name;
    let history = world.last_words(server, topic);
    format!("{name} has {} of {whose}'s {topic}, not {}; said: {history}", text(has), text(right))
}

/// Where several servers speak of a mailbox, nodes that know of the same ones agree on who was the last. A server whose word was not
/// the last has forgotten it, and cannot say it again to a node that has not heard it.
fn judge_mailboxes(world: &World<'_>) -> Result<(), String> {
    for topic in world.model.topics().into_iter().filter(|topic| matches!(topic, Topic::Mailbox(_))) {
        let mut known: BTreeMap<Vec<Eid>, BTreeMap<Option<Value>, &str>> = BTreeMap::new();
        for shell in &world.nodes {
            if let Some(core) = &shell.core {
                let values = known.entry(writers(core, topic)).or_default();
                values.insert(effective(core, topic), &shell.name);
            }
        }
        if let Some(values) = known.values().find(|values| values.len() > 1) {
            return Err(format!("the nodes do not agree on mailbox {topic}: {values:?}"));
        }
    }
    Ok(())
}

/// Who has said something of a mailbox, as a node has it.
fn writers(core: &presence::Node, topic: Topic) -> Vec<Eid> {
    let word = Word { topic, value: Value::withdrawn(topic) };
    let Change::Mwi { mailbox, .. } = word.change() else { return Vec::new() };
    let mut writers: Vec<Eid> = core.states().of_mailbox(&mailbox).map(|(eid, _)| eid).collect();
    writers.sort_unstable();
    writers
}

/// The value that a node takes for a mailbox's.
fn effective(core: &presence::Node, topic: Topic) -> Option<Value> {
    let word = Word { topic, value: Value::withdrawn(topic) };
    let Change::Mwi { mailbox, .. } = word.change() else { return None };
    core.states().of_mailbox(&mailbox).last().map(|(_, counts)| Value::Counts(counts))
}

fn judge_lamps(world: &World<'_>, listener: usize, excused: &mut Vec<Mark>) -> Result<(), String> {
    let server = &world.servers[listener];
    let Some(asterisk) = &server.asterisk else { return Ok(()) };
    let node = match &server.side {
        Side::Stock(stock) => {
            world.group_of(stock.member).ok_or_else(|| format!("{} is out of the group", server.name))?;
            None
        }
        Side::Plain(plain) => Some(plain.node),
    };
    if node.is_some_and(|node| world.nodes[node].core.is_none()) {
        return Ok(());
    }
    if !is_known(world, listener) {
        excused.push(Mark::NamelessServer);
        return Ok(());
    }
    for topic in world.model.topics() {
        match topic {
            Topic::Device(_) => judge_device(world, listener, asterisk, topic, excused)?,
            Topic::Mailbox(_) => judge_mailbox(world, listener, asterisk, topic, excused)?,
            Topic::Ephemeral(_) => {}
        }
    }
    Ok(())
}

/// Whether a listener's node knows its EID: else it is told nothing, or it might be told its own.
fn is_known(world: &World<'_>, listener: usize) -> bool {
    let Some(plain) = world.servers[listener].plain() else { return true };
    let core = world.nodes[plain.node].core.as_ref();
    core.is_some_and(|core| core.server_status(ServerId(plain.slot)).0.is_some())
}

fn judge_device(
    world: &World<'_>,
    listener: usize,
    asterisk: &Asterisk,
    topic: Topic,
    excused: &mut Vec<Mark>,
) -> Result<(), String> {
    let name = &world.servers[listener].name;
    let mut said = Vec::new();
    let mut sure = true;
    for server in world.model.speakers(topic) {
        let right = match excuse(world, listener, server, topic) {
            Ok(right) => right,
            Err(mark) => {
                excused.push(mark);
                sure = false;
                continue;
            }
        };
        let has = asterisk.heard(topic, world.servers[server].eid).map(Value::State);
        let nobody = Value::State(DeviceState::Unavailable);
        if has.map_or(nobody, Value::shown) != right.map_or(nobody, Value::shown) {
            return Err(differs(world, name, topic, server, has, right));
        }
        // From 22.7 an absent state counts as UNKNOWN: where it was cleared, saying UNKNOWN moves no lamp.
        let unheard = has.is_none() && right == Some(Value::State(DeviceState::Unknown));
        sure &= !(unheard && world.servers[listener].flavour == Flavour::TwentyTwo);
        said.extend(right.and_then(state));
    }
    let right = Value::State(join(said.into_iter())).shown();
    let lamp = asterisk.lamp(topic).unwrap_or(Value::State(DeviceState::Unknown)).shown();
    if sure && lamp != right {
        let who: Vec<String> =
            world.model.speakers(topic).map(|server| world.last_words(server, topic)).collect();
        return Err(format!("{name}'s lamp of {topic} shows {lamp}, not {right}; said: {}", who.join("; ")));
    }
    Ok(())
}

/// What a listener has to know of a server's topic.
///
/// # Errors
/// Why it cannot know.
fn excuse(world: &World<'_>, listener: usize, server: usize, topic: Topic) -> Result<Option<Value>, Mark> {
    let seen = server == listener || world.sees(listener, server);
    let right = expected(world, seen, server, topic).ok_or(Mark::StockLost)?;
    let rejected =
        world.servers[listener].plain().is_some_and(|plain| plain.rejected.contains(&(server, topic)));
    if rejected {
        return Err(Mark::Rejected);
    }
    let untold = world.servers[server].plain().is_some_and(|plain| plain.untold.contains(&topic));
    if right.is_none() && (untold || world.sight.is_unwitnessed(listener, server)) {
        return Err(Mark::Unwitnessed);
    }
    if right.is_none() && world.servers[server].has_lost(topic) {
        return Err(Mark::StockLost);
    }
    Ok(right)
}

fn judge_mailbox(
    world: &World<'_>,
    listener: usize,
    asterisk: &Asterisk,
    topic: Topic,
    excused: &mut Vec<Mark>,
) -> Result<(), String> {
    let speakers: Vec<usize> = world.model.speakers(topic).collect();
    let mut rights = Vec::new();
    for server in &speakers {
        match excuse(world, listener, *server, topic) {
            Ok(right) => rights.push(right),
            Err(mark) => {
                excused.push(mark);
                return Ok(());
            }
        }
    }
    let nothing = Value::withdrawn(topic);
    let shows = asterisk.lamp(topic).unwrap_or(nothing);
    let right = match (speakers.as_slice(), &world.servers[listener].side) {
        // Who wrote last among several is told by the order of the group, which stock servers do not heed for their own words.
        ([_, _, ..], Side::Stock(_)) => return Ok(()),
        ([_, _, ..], Side::Plain(_)) if speakers.contains(&listener) => return Ok(()),
        ([_, _, ..], Side::Plain(plain)) => {
            let word = world.nodes[plain.node].core.as_ref().and_then(|core| effective(core, topic));
            // The words of two that spoke at once may have overwritten each other.
            let stands = |server: &usize| {
                let the = &world.servers[*server];
                the.plain().is_some() && the.asterisk.as_ref().is_some_and(|it| it.stands_for(topic))
            };
            let forgotten = |(server, right): (&usize, &Option<Value>)| right.is_some() && !stands(server);
            if word.is_none() && speakers.iter().zip(&rights).any(forgotten) {
                excused.push(Mark::Overwritten);
                return Ok(());
            }
            word.unwrap_or(nothing)
        }
        ([server], _) if *server == listener => return Ok(()),
        _ => rights.first().copied().flatten().unwrap_or(nothing),
    };
    if shows != right {
        let name = &world.servers[listener].name;
        let who: Vec<String> = speakers.iter().map(|server| world.last_words(*server, topic)).collect();
        return Err(format!("{name} shows {shows} for {topic}, not {right}; said: {}", who.join("; ")));
    }
    Ok(())
}

//! A site that returns shows its last states directly: no lamp of a listener elsewhere goes over a state that was before.

use super::last_word::in_table;
use crate::names::{Topic, Value};
use crate::report::{Checker, Mark};
use crate::world::World;
use presence::DeviceState;
use std::collections::BTreeMap;
use std::time::Duration;

/// A site to which there is a way again.
pub(super) struct SiteReturn {
    site: usize,
    since: Duration,
    /// What each lamp may show, by listener, as far as nobody says anything else.
    rights: BTreeMap<(usize, Topic), Vec<Value>>,
}

/// What was lit has been taken back by then.
const CALM: Duration = Duration::from_secs(2);
/// All has been told by then.
const AFTERMATH: Duration = Duration::from_secs(10);

impl SiteReturn {
    /// Something is said of a topic.
    pub(super) fn release(&mut self, topic: Topic) {
        self.rights.retain(|(_, about), _| *about != topic);
    }
}

impl World<'_> {
    /// There is a way again from one site to another, to which there was none since then.
    pub(super) fn begin_site_return(&mut self, from: usize, site: usize, lost_since: Duration) {
        let withdrawn = self.now > lost_since + self.wan.hold + CALM;
        let calm = (self.options.is_calm() || self.phase.is_healed()) && !self.is_stormy();
        let thawed = self.checkers.thawed_at > Duration::ZERO && self.now < self.checkers.thawed_at + CALM;
        if !withdrawn || !calm || thawed {
            return;
        }
        let mut rights = BTreeMap::new();
        for listener in (0..self.servers.len()).filter(|listener| self.site_of(*listener) == from) {
            for topic in self.model.topics() {
                if let Some(values) = self.last_states_of(from, site, topic)
                    && self.is_out(listener, topic)
                {
                    rights.insert((listener, topic), values);
                }
            }
        }
        self.checkers.site_returns.push(SiteReturn { site, since: self.now, rights });
    }

    /// Whether a lamp shows nothing of anybody.
    fn is_out(&self, listener: usize, topic: Topic) -> bool {
        let asterisk = self.servers[listener].asterisk.as_ref();
        let nobody = Value::State(DeviceState::Unavailable);
        asterisk.is_some_and(|asterisk| asterisk.lamp(topic).is_some_and(|lamp| lamp.shown() == nobody))
    }

    /// The last state of a device of which one server of a site alone speaks. Until it has told its nodes all that it says, it is any of what it has
    /// said since it began, or what they know of its life before; and a third site, from which it was not away for so long, may still show what it
    /// said before.
    fn last_states_of(&self, from: usize, site: usize, topic: Topic) -> Option<Vec<Value>> {
        let mut speakers = self.model.speakers(topic);
        let (Topic::Device(_), Some(server), None) = (topic, speakers.next(), speakers.next()) else {
            return None;
        };
        if self.site_of(server) != site || self.servers[server].has_lost(topic) {
            return None;
        }
        let current = self.model.current(server, topic);
        let eid = self.servers[server].eid;
        let known = |node: &usize| in_table(self.nodes[*node].core.as_ref()?, topic, eid);
        let near: Vec<usize> =
            (0..self.nodes.len()).filter(|node| self.node_sees_near(*node, server)).collect();
        let told = !near.is_empty()
            && !self.servers[server].has_backlog()
            && near.iter().all(|node| known(node) == current);
        let newest_first = self.model.history(server, topic).iter().rev().map_while(|said| said.value);
        let mut values: Vec<Value> =
            newest_first.take(if told { 1 } else { usize::MAX }).map(Value::shown).collect();
        values.push(Value::State(DeviceState::Unavailable));
        let third =
            (0..self.nodes.len()).filter(|node| ![from, site].contains(&self.wan.site_of_node(*node).number));
        values.extend(third.chain(near).filter_map(|node| known(&node)).map(Value::shown));
        Some(values)
    }

    /// A lamp has changed.
    pub(crate) fn judge_return_of_site(&mut self, listener: usize, topic: Topic, after: Option<Value>) {
        let after = after.map(Value::shown);
        let broken = self.checkers.site_returns.iter().find_map(|back| {
            let rights = back.rights.get(&(listener, topic))?;
            (!after.is_some_and(|after| rights.contains(&after))).then_some((back.site, rights[0]))
        });
        if let Some((site, right)) = broken {
            let name = &self.servers[listener].name;
            let after = after.map_or("-".to_owned(), |value| value.to_string());
            let text = format!(
                "{name}'s lamp of {topic} goes to {after} on its way to {right} as site {site} returns"
            );
            self.fail(Checker::SiteReturn, text);
        }
    }
}

/// Ends what has come to its end.
pub(super) fn end(world: &mut World<'_>) {
    let mut returns = std::mem::take(&mut world.checkers.site_returns);
    returns.retain(|back| {
        let over = world.now >= back.since + AFTERMATH;
        if over && !back.rights.is_empty() {
            world.stats.mark(Mark::SiteReturnJudged);
        }
        !over
    });
    world.checkers.site_returns = returns;
}

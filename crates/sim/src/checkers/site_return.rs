//! A site that returns shows its last states directly: no lamp of a listener elsewhere goes over a state that was before.

use super::held::Held;
use super::last_word::in_table;
use crate::names::{Topic, Value};
use crate::report::Mark;
use crate::world::World;
use presence::DeviceState;
use std::time::Duration;

/// A site to which there is a way again.
pub(super) struct SiteReturn {
    pub(super) site: usize,
    since: Duration,
    /// What each lamp elsewhere may show.
    pub(super) lamps: Held,
}

/// What was lit has been taken back by then.
const CALM: Duration = Duration::from_secs(2);
/// All has been told by then.
const AFTERMATH: Duration = Duration::from_secs(10);

impl World<'_> {
    /// There is a way again from one site to another, to which there was none since then.
    pub(super) fn begin_site_return(&mut self, from: usize, site: usize, lost_since: Duration) {
        let withdrawn = self.now > lost_since + self.wan.hold + CALM;
        let calm = (self.options.is_calm() || self.phase.is_healed()) && !self.is_stormy();
        let thawed = self.checkers.thawed_at > Duration::ZERO && self.now < self.checkers.thawed_at + CALM;
        if !withdrawn || !calm || thawed {
            return;
        }
        let lamps = Held::of(self, |listener, topic| {
            let concerned = self.site_of(listener) == from && self.is_out(listener, topic);
            if concerned { self.last_states_of(from, site, topic) } else { None }
        });
        self.checkers.site_returns.push(SiteReturn { site, since: self.now, lamps });
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
}

/// Ends what has come to its end.
pub(super) fn end(world: &mut World<'_>) {
    let mut returns = std::mem::take(&mut world.checkers.site_returns);
    returns.retain(|back| {
        let over = world.now >= back.since + AFTERMATH;
        if over && !back.lamps.is_empty() {
            world.stats.mark(Mark::SiteReturnJudged);
        }
        !over
    });
    world.checkers.site_returns = returns;
}

//! No intermediate aggregate: while a node is out of the group and comes back, or is killed and starts again, no lamp changes of which nobody
//! has said anything.

use super::held::Held;
use crate::asterisk::join;
use crate::names::{Topic, Value};
use crate::report::Mark;
use crate::server::Side;
use crate::world::World;
use presence::DeviceState;
use std::time::Duration;

/// A node on its way back.
pub(super) struct Return {
    pub(super) node: usize,
    since: Duration,
    /// Since when it has been back.
    back_at: Option<Duration>,
    /// It is out of the group, but its process knows what it knew.
    remembers: bool,
    /// What the lamps show, as far as nothing else may change them.
    pub(super) lamps: Held,
}

/// How quiet it has to be before, so that everything shows what it should.
const CALM: Duration = Duration::from_secs(2);
/// A node that is out of the group for longer takes back what it knows from there.
const ABSENCE: Duration = Duration::from_millis(4800);
/// Whatever its return leads to has happened by then.
const AFTERMATH: Duration = Duration::from_secs(4);

impl World<'_> {
    /// A node is out of the group, or dead.
    pub(crate) fn begin_return(&mut self, node: usize, remembers: bool) {
        let noiseless = self.options.is_calm() || self.phase.is_healed();
        // Another that is out of the group, or on its way out, is about to take back what it knows.
        let stays = |other: usize| self.nodes[other].stopping.is_none() && self.is_joined(other);
        let complete = (0..self.nodes.len())
            .all(|other| other == node || self.nodes[other].core.is_none() || stays(other));
        let calm = noiseless && complete && !self.is_stormy() && self.sight.quiet_before(self.now) >= CALM;
        if !calm || !self.checkers.returns.is_empty() {
            return;
        }
        let steady = |listener, topic| Some(vec![self.steady(node, remembers, listener, topic)?]);
        let lamps = Held::of(self, steady);
        self.checkers.returns.push(Return { node, since: self.now, back_at: None, remembers, lamps });
    }

    /// What a lamp shows, if it is right, and nothing but the node's absence itself could change it.
    fn steady(&self, node: usize, remembers: bool, listener: usize, topic: Topic) -> Option<Value> {
        let touched = self.checkers.touched.get(&topic).is_some_and(|at| self.now < *at + CALM);
        if touched || !matches!(topic, Topic::Device(_)) {
            return None;
        }
        let own = |server: usize| self.servers[server].plain().is_some_and(|plain| plain.node == node);
        // To all others the node's servers are gone with it, and to a node that starts anew its own are not there yet.
        let others = !own(listener) || !remembers;
        let mut said = Vec::new();
        for server in self.model.speakers(topic) {
            let lost = self.servers[server].stock().is_some_and(|stock| stock.lost.contains(&topic));
            if self.is_far(listener, server)
                || lost
                || self.servers[server].is_missed()
                || (others && own(server))
                || self.sight.is_unwitnessed(listener, server)
            {
                return None;
            }
            if let Some(Value::State(state)) = self.model.current(server, topic) {
                said.push(state);
            }
        }
        let right = Value::State(join(said.into_iter())).shown();
        let lamp = self.servers[listener].asterisk.as_ref()?.lamp(topic);
        let shown = lamp.unwrap_or(Value::State(DeviceState::Unknown)).shown();
        (shown == right).then_some(shown)
    }
}

/// Ends what has come to its end.
pub(super) fn end(world: &mut World<'_>) {
    let mut returns = std::mem::take(&mut world.checkers.returns);
    returns.retain_mut(|back| {
        let synced = world.nodes[back.node].core.as_ref().is_some_and(|core| core.synced());
        if !synced {
            back.back_at = None;
            return !back.remembers || world.now < back.since + ABSENCE;
        }
        let back_at = *back.back_at.get_or_insert(world.now);
        if world.now >= back_at + AFTERMATH && !back.lamps.is_empty() {
            world.stats.mark(Mark::ReturnJudged);
        }
        world.now < back_at + AFTERMATH
    });
    world.checkers.returns = returns;
}

impl World<'_> {
    /// Whether a server's node hears it.
    pub(crate) fn hears(&self, node: usize, slot: usize) -> bool {
        let server = self.nodes[node].links[slot].server;
        self.nodes[node].links[slot].standing == crate::shell::Standing::Alive
            && matches!(self.servers[server].side, Side::Plain(_))
    }
}

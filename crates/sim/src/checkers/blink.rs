//! A link that merely blinks changes no lamp.

use super::held::Held;
use crate::names::{Topic, Value};
use crate::report::Mark;
use crate::world::{Cure, World};
use presence::DeviceState;
use std::time::Duration;

/// A link is gone for less than the hold time.
pub(super) struct Blink {
    pub(super) line: usize,
    until: Duration,
    /// What the lamps of servers elsewhere show.
    pub(super) lamps: Held,
}

/// How quiet it has to be before, so that everything shows what it should.
const CALM: Duration = Duration::from_secs(2);
/// Whatever the link's return leads to has happened by then.
const AFTERMATH: Duration = Duration::from_secs(4);
/// An end may have been silent for this part of the hold time before, and takes its time to connect again.
const SILENT: u32 = 5;
const DIALLING: Duration = Duration::from_millis(1600);

impl World<'_> {
    /// Nothing gets through on a link for this time, or its connection has broken and is made again.
    pub(crate) fn begin_blink(&mut self, line: usize, lasts: Duration) {
        let hold = self.wan.hold;
        let back_after = lasts + DIALLING + 6 * self.options.wide.delay.end;
        let calm = self.options.is_calm() || self.phase.is_healed();
        // A cut that nobody has noticed yet is none of the link's.
        let quiet = !self.is_stormy() && !self.bus.is_forming() && self.sight.quiet_before(self.now) >= CALM;
        let others_clear = self.are_lines_clear(|other| other != line) && !self.wan.lines[line].slow;
        let all_well = self.nodes.iter().all(|node| node.core.is_none() || node.is_well());
        let given_up = self.checkers.lost.values().all(|since| self.now > *since + hold + CALM);
        let stands = calm && quiet && others_clear && all_well && given_up;
        if back_after + hold / SILENT >= hold || !stands {
            return;
        }
        let lamps = Held::of(self, |listener, topic| Some(vec![self.far_and_steady(listener, topic)?]));
        let until = self.now + back_after + AFTERMATH;
        self.checkers.blinks.push(Blink { line, until, lamps });
    }

    /// What a lamp shows of a device of which one server elsewhere alone speaks, if it is right.
    fn far_and_steady(&self, listener: usize, topic: Topic) -> Option<Value> {
        let mut speakers = self.model.speakers(topic);
        let (Topic::Device(_), Some(server), None) = (topic, speakers.next(), speakers.next()) else {
            return None;
        };
        let touched = self.checkers.touched.get(&topic).is_some_and(|at| self.now < *at + CALM);
        let the = &self.servers[server];
        // Its node may be out of the group, and about to take back what it knows from there.
        let heard = (0..self.nodes.len()).any(|node| self.node_sees_near(node, server));
        if touched || !heard || !self.is_far(listener, server) || the.has_lost(topic) || the.is_missed() {
            return None;
        }
        let right = self.model.current(server, topic)?.shown();
        let lamp = self.servers[listener].asterisk.as_ref()?.lamp(topic);
        let shown = lamp.unwrap_or(Value::State(DeviceState::Unknown)).shown();
        (shown == right).then_some(shown)
    }

    /// Something is cured; tells of which blinks and returns of sites nothing is demanded any more.
    pub(crate) fn cured(&mut self, cure: Cure) {
        let Cure::Line { line, .. } = cure else {
            // A corosync that finds the others is a part of its site's return.
            return if cure != Cure::Reach {
                self.checkers.interrupt_links()
            };
        };
        self.checkers.blinks.retain(|blink| blink.line == line);
        self.checkers.site_returns.clear();
    }
}

/// Ends what has come to its end.
pub(super) fn end(world: &mut World<'_>) {
    let mut blinks = std::mem::take(&mut world.checkers.blinks);
    blinks.retain(|blink| {
        let over = world.now >= blink.until;
        if over && !blink.lamps.is_empty() {
            world.stats.mark(Mark::BlinkJudged);
        }
        !over
    });
    world.checkers.blinks = blinks;
}

//! What people do: calls come and go, messages are left and heard.

use super::{Event, World};
use crate::names::{Topic, Value, Word};
use presence::{DeviceState, MessageCounts};
use std::time::Duration;

/// What a device does in everyday life, and what it can be besides.
const EVERYDAY: [DeviceState; 6] = [
    DeviceState::NotInUse,
    DeviceState::Ringing,
    DeviceState::InUse,
    DeviceState::Busy,
    DeviceState::OnHold,
    DeviceState::RingInUse,
];
const ODD: [DeviceState; 3] = [DeviceState::Unknown, DeviceState::Invalid, DeviceState::Unavailable];

/// A word repeats none of as many before it, so that an old one is known when it comes back.
const DISTINCT: usize = 3;

impl World<'_> {
    /// Something changes at some server.
    pub(super) fn work(&mut self) {
        if !self.is_working() {
            return;
        }
        let pause = self.random.chance(self.options.pausing);
        let gap = if pause { Duration::from_secs(5) } else { self.options.change_gap };
        let gap = self.random.gap(gap);
        self.plan(gap, Event::Change);
        let well = (0..self.servers.len()).filter(|server| self.servers[*server].is_well());
        let well: Vec<usize> = well.collect();
        let Some(server) = self.random.pick_any(well) else { return };
        let topic = self.random.pick(&self.servers[server].topics);
        if self.random.chance(self.options.flapping) {
            let life = self.servers[server].life;
            let left = self.random.number(20..300);
            return self.flap(server, life, topic, left);
        }
        self.change(server, topic);
    }

    /// The same device changes again and again.
    pub(super) fn flap(&mut self, server: usize, life: u32, topic: Topic, left: usize) {
        if self.servers[server].life != life || !self.is_working() {
            return;
        }
        if left > 0 {
            let gap = self.random.gap(Duration::from_millis(1));
            self.plan(gap, Event::Flap { server, life, topic, left: left - 1 });
        }
        if self.servers[server].is_well() {
            self.change(server, topic);
        }
    }

    fn change(&mut self, server: usize, topic: Topic) {
        let value = match topic {
            Topic::Device(_) => self.new_state(server, topic),
            Topic::Ephemeral(_) => Value::State(self.random.pick(&EVERYDAY)),
            Topic::Mailbox(_) => self.new_counts(),
        };
        self.change_at(server, Word { topic, value });
    }

    fn new_state(&mut self, server: usize, topic: Topic) -> Value {
        let odd = self.random.chance(self.options.odd_states);
        let pool: &[DeviceState] = if odd { &ODD } else { &EVERYDAY };
        let history = self.model.history(server, topic).iter().rev();
        let before: Vec<Value> = history.filter_map(|said| said.value).take(DISTINCT).collect();
        let fresh = pool.iter().map(|state| Value::State(*state)).filter(|value| !before.contains(value));
        let fresh: Vec<Value> = fresh.collect();
        self.random.pick_any(fresh).unwrap_or(Value::State(pool[0]))
    }

    /// Counts that nobody has said before.
    pub(super) fn new_counts(&mut self) -> Value {
        let number = u32::try_from(self.counted()).unwrap_or(u32::MAX);
        let lit = self.random.chance(0.6);
        Value::Counts(MessageCounts { new: if lit { number } else { 0 }, old: number })
    }
}

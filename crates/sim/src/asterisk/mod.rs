//! A model Asterisk: what it remembers, what it derives, and what its lamps show.
//!
//! Written from what real servers were seen to do, defects included, and from nothing of ours: the aggregate here is not the core's.

mod module;
mod reader;

pub(crate) use module::{Heard, Module, Speech};

use crate::names::{Topic, Value, Word};
use presence::{DeviceState, Eid};
use std::collections::BTreeMap;

/// How a server's version treats what it hears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flavour {
    /// Up to 22.6: a repeated state enters the cache again.
    Sixteen,
    /// From 22.7: a cachable state equal to the remembered one is dropped; an absent one counts as UNKNOWN.
    TwentyTwo,
}

/// One Asterisk's memory: gone when its process is.
pub(crate) struct Asterisk {
    pub(crate) eid: Eid,
    flavour: Flavour,
    /// Who says what of each device, the server itself among them.
    cache: BTreeMap<Topic, BTreeMap<Eid, DeviceState>>,
    aggregates: BTreeMap<Topic, DeviceState>,
    lamps: BTreeMap<Topic, DeviceState>,
    /// One value for each mailbox, and who said it: whoever was last.
    mailboxes: BTreeMap<Topic, (Value, Eid)>,
}

/// What a word did at an Asterisk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Effect {
    /// The word went on to whoever listens inside of this Asterisk.
    pub(crate) passed_on: bool,
    /// The aggregate became this.
    pub(crate) aggregate: Option<DeviceState>,
}

impl Asterisk {
    pub(crate) fn new(eid: Eid, flavour: Flavour) -> Self {
        Self {
            eid,
            flavour,
            cache: BTreeMap::new(),
            aggregates: BTreeMap::new(),
            lamps: BTreeMap::new(),
            mailboxes: BTreeMap::new(),
        }
    }

    /// Somebody says something, the server itself or another.
    pub(crate) fn enter(&mut self, eid: Eid, word: Word) -> Effect {
        let Word { topic, value } = word;
        match value {
            Value::Counts(_) => {
                self.mailboxes.insert(topic, (value, eid));
                Effect { passed_on: true, aggregate: None }
            }
            Value::State(state) if !topic.is_cachable() => {
                self.lamps.insert(topic, state);
                Effect { passed_on: true, aggregate: Some(state) }
            }
            Value::State(state) => self.enter_state(eid, topic, state),
        }
    }

    fn enter_state(&mut self, eid: Eid, topic: Topic, state: DeviceState) -> Effect {
        let known = self.cache.get(&topic).and_then(|states| states.get(&eid)).copied();
        if self.flavour == Flavour::TwentyTwo && known.unwrap_or(DeviceState::Unknown) == state {
            return Effect { passed_on: false, aggregate: None };
        }
        self.cache.entry(topic).or_default().insert(eid, state);
        Effect { passed_on: true, aggregate: self.aggregate_again(topic) }
    }

    /// Forgets what a server said of devices. Where it was the last to speak of one, the aggregate goes without a word, and
    /// the lamp keeps what it showed.
    pub(crate) fn clear(&mut self, eid: Eid) {
        let topics: Vec<Topic> = self.cache.keys().copied().collect();
        for topic in topics {
            let Some(states) = self.cache.get_mut(&topic) else { continue };
            if states.remove(&eid).is_none() {
                continue;
            }
            if states.is_empty() {
                self.cache.remove(&topic);
                self.aggregates.remove(&topic);
            } else {
                self.aggregate_again(topic);
            }
        }
    }

    fn aggregate_again(&mut self, topic: Topic) -> Option<DeviceState> {
        let state = join(self.cache.get(&topic)?.values().copied());
        if self.aggregates.insert(topic, state) == Some(state) {
            return None;
        }
        self.lamps.insert(topic, state);
        Some(state)
    }

    /// All that the server itself remembers of its own, as it says it when it dumps: not its word on a mailbox on which
    /// another has spoken since.
    pub(crate) fn own_words(&self) -> Vec<Word> {
        let mailboxes = self.mailboxes.iter().filter(|(_, (_, eid))| *eid == self.eid);
        let mailboxes = mailboxes.map(|(topic, (value, _))| Word { topic: *topic, value: *value });
        let devices = self.cache.iter().filter_map(|(topic, states)| {
            Some(Word { topic: *topic, value: Value::State(*states.get(&self.eid)?) })
        });
        mailboxes.chain(devices).collect()
    }

    /// Whether the server says something of its own of this topic when it dumps.
    pub(crate) fn stands_for(&self, topic: Topic) -> bool {
        match topic {
            Topic::Device(_) | Topic::Ephemeral(_) => {
                self.cache.get(&topic).is_some_and(|states| states.contains_key(&self.eid))
            }
            Topic::Mailbox(_) => self.mailboxes.get(&topic).is_some_and(|(_, eid)| *eid == self.eid),
        }
    }

    /// What the server remembers that another said of a device.
    pub(crate) fn heard(&self, topic: Topic, eid: Eid) -> Option<DeviceState> {
        self.cache.get(&topic)?.get(&eid).copied()
    }

    /// What a lamp shows, a mailbox's included; `None` when it was never lit nor put out.
    pub(crate) fn lamp(&self, topic: Topic) -> Option<Value> {
        match topic {
            Topic::Device(_) | Topic::Ephemeral(_) => {
                self.lamps.get(&topic).map(|state| Value::State(*state))
            }
            Topic::Mailbox(_) => self.mailboxes.get(&topic).map(|(value, _)| *value),
        }
    }

    /// Every lamp that shows something.
    pub(crate) fn lamps(&self) -> impl Iterator<Item = Word> {
        let devices =
            self.lamps.iter().map(|(topic, state)| Word { topic: *topic, value: Value::State(*state) });
        let mailboxes =
            self.mailboxes.iter().map(|(topic, (value, _))| Word { topic: *topic, value: *value });
        devices.chain(mailboxes)
    }
}

/// What all say together, by Asterisk's table: the highest in this order, and ringing beside any use is both at once.
pub(crate) fn join(states: impl Iterator<Item = DeviceState>) -> DeviceState {
    use DeviceState::{Busy, InUse, Invalid, NotInUse, OnHold, RingInUse, Ringing, Unavailable, Unknown};
    const LOW_TO_HIGH: [DeviceState; 9] =
        [Invalid, Unknown, Unavailable, NotInUse, OnHold, Ringing, InUse, Busy, RingInUse];
    let said: Vec<DeviceState> = states.collect();
    if said.contains(&Ringing) && [InUse, OnHold, Busy].iter().any(|used| said.contains(used)) {
        return RingInUse;
    }
    LOW_TO_HIGH.into_iter().rfind(|state| said.contains(state)).unwrap_or(Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::server_eid;
    use DeviceState::{InUse, NotInUse, OnHold, RingInUse, Ringing, Unknown};

    const TOPIC: Topic = Topic::Device(1);

    fn says(asterisk: &mut Asterisk, server: usize, state: DeviceState) -> Effect {
        asterisk.enter(server_eid(server), Word { topic: TOPIC, value: Value::State(state) })
    }

    #[test]
    fn a_lamp_keeps_its_last_value_when_the_only_entry_vanishes() {
        let mut asterisk = Asterisk::new(server_eid(0), Flavour::Sixteen);
        says(&mut asterisk, 1, InUse);
        asterisk.clear(server_eid(1));
        assert_eq!(asterisk.heard(TOPIC, server_eid(1)), None);
        assert_eq!(asterisk.lamp(TOPIC), Some(Value::State(InUse)));
    }

    #[test]
    fn a_lamp_follows_when_one_of_two_entries_vanishes() {
        let mut asterisk = Asterisk::new(server_eid(0), Flavour::TwentyTwo);
        says(&mut asterisk, 1, Ringing);
        assert_eq!(says(&mut asterisk, 2, OnHold).aggregate, Some(RingInUse));
        asterisk.clear(server_eid(1));
        assert_eq!(asterisk.lamp(TOPIC), Some(Value::State(OnHold)));
    }

    #[test]
    fn only_the_newer_versions_drop_what_they_know() {
        for (flavour, passed_on) in [(Flavour::Sixteen, true), (Flavour::TwentyTwo, false)] {
            let mut asterisk = Asterisk::new(server_eid(0), flavour);
            assert_eq!(says(&mut asterisk, 1, Unknown).passed_on, passed_on, "absent counts as UNKNOWN");
            assert!(says(&mut asterisk, 1, NotInUse).passed_on);
            assert_eq!(says(&mut asterisk, 1, NotInUse), Effect { passed_on, aggregate: None });
        }
    }

    #[test]
    fn the_join_is_the_busiest_with_ringing_kept_apart() {
        assert_eq!(join([].into_iter()), DeviceState::Invalid);
        assert_eq!(join([NotInUse, OnHold].into_iter()), OnHold);
        assert_eq!(join([Ringing, NotInUse].into_iter()), Ringing);
        assert_eq!(join([Ringing, OnHold].into_iter()), RingInUse);
        assert_eq!(join([RingInUse, DeviceState::Busy].into_iter()), RingInUse);
    }
}

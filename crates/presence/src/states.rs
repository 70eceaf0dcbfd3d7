//! What every server says: the table that everything else is derived from.

use crate::{Change, Device, DeviceState, Eid, Mailbox, MessageCounts, aggregate};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// The most subjects (devices and mailboxes together) that one server may speak of; a flood of invented names
/// ends here.
pub const SUBJECTS_PER_EID_MAX: usize = 200_000;

/// The most servers that are remembered.
pub const EIDS_MAX: usize = 1_024;

/// Each server's states, by EID. Every EID has one writer (its server), so a newer value simply replaces the
/// older one; nothing is ever voted on.
#[derive(Default)]
pub struct States {
    by_eid: BTreeMap<Eid, ServerStates>,
}

/// What one server says.
#[derive(Default)]
pub struct ServerStates {
    devices: BTreeMap<Device, DeviceState>,
    mailboxes: BTreeMap<Mailbox, MessageCounts>,
}

/// What a [`Change`] did to the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// It is news: others must hear of it.
    News,
    /// The table said so already.
    Known,
    /// The table is full; it was not entered.
    Full,
}

impl States {
    /// Enters a change. A state that is not cachable is news each time and never entered.
    pub(crate) fn enter(&mut self, eid: Eid, change: &Change) -> Effect {
        if let Change::DeviceState { cachable: false, .. } = change {
            return Effect::News;
        }
        if !self.by_eid.contains_key(&eid) && self.by_eid.len() >= EIDS_MAX {
            return Effect::Full;
        }
        let server = self.by_eid.entry(eid).or_default();
        let full = server.len() >= SUBJECTS_PER_EID_MAX;
        match change {
            Change::DeviceState { device, state, .. } => enter(&mut server.devices, device, *state, full),
            Change::Mwi { mailbox, counts } => enter(&mut server.mailboxes, mailbox, *counts, full),
        }
    }

    /// Forgets a server and returns what it had said.
    pub(crate) fn remove(&mut self, eid: Eid) -> ServerStates {
        self.by_eid.remove(&eid).unwrap_or_default()
    }

    /// The servers that have said something, in the order of their EIDs.
    pub fn eids(&self) -> impl Iterator<Item = Eid> {
        self.by_eid.keys().copied()
    }

    /// What one server says.
    #[must_use]
    pub fn of(&self, eid: Eid) -> Option<&ServerStates> {
        self.by_eid.get(&eid)
    }

    /// A device's state at each server that has one, in the order of their EIDs.
    pub fn of_device(&self, device: &Device) -> impl Iterator<Item = (Eid, DeviceState)> {
        self.by_eid.iter().filter_map(move |(eid, server)| Some((*eid, *server.devices.get(device)?)))
    }

    /// A mailbox's counts at each server that has some, in the order of their EIDs.
    pub fn of_mailbox(&self, mailbox: &Mailbox) -> impl Iterator<Item = (Eid, MessageCounts)> {
        self.by_eid.iter().filter_map(move |(eid, server)| Some((*eid, *server.mailboxes.get(mailbox)?)))
    }

    /// What all servers together say of a device; `None` when none has a state.
    #[must_use]
    pub fn aggregate_of(&self, device: &Device) -> Option<DeviceState> {
        let mut states = self.of_device(device).map(|(_, state)| state).peekable();
        states.peek()?;
        Some(aggregate(states))
    }

    /// Every device that some server has a state for, in order, each once.
    #[must_use]
    pub fn devices(&self) -> Vec<&Device> {
        distinct(self.by_eid.values().flat_map(|server| server.devices.keys()))
    }

    /// Every mailbox that some server has counts for, in order, each once.
    #[must_use]
    pub fn mailboxes(&self) -> Vec<&Mailbox> {
        distinct(self.by_eid.values().flat_map(|server| server.mailboxes.keys()))
    }
}

impl ServerStates {
    /// How many devices and mailboxes the server speaks of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.devices.len() + self.mailboxes.len()
    }

    /// Whether the server has said nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many devices the server speaks of.
    #[must_use]
    pub fn device_count(&self) -> usize {
        self.devices.len()
    }

    /// How many mailboxes the server speaks of.
    #[must_use]
    pub fn mailbox_count(&self) -> usize {
        self.mailboxes.len()
    }

    /// All that the server says, as changes that would say it again.
    pub(crate) fn changes(&self) -> impl Iterator<Item = Change> {
        let devices = self.devices.iter().map(|(device, state)| Change::DeviceState {
            device: device.clone(),
            state: *state,
            cachable: true,
        });
        let mailboxes = self
            .mailboxes
            .iter()
            .map(|(mailbox, counts)| Change::Mwi { mailbox: mailbox.clone(), counts: *counts });
        devices.chain(mailboxes)
    }
}

fn distinct<'a, N: Ord>(names: impl Iterator<Item = &'a N>) -> Vec<&'a N> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn enter<K: Clone + Ord, V: PartialEq>(values: &mut BTreeMap<K, V>, key: &K, value: V, full: bool) -> Effect {
    match values.get_mut(key) {
        Some(known) if *known == value => Effect::Known,
        Some(known) => {
            *known = value;
            Effect::News
        }
        None if full => Effect::Full,
        None => {
            values.insert(key.clone(), value);
            Effect::News
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Eid = Eid([0, 0, 0, 0, 0, 1]);
    const B: Eid = Eid([0, 0, 0, 0, 0, 2]);

    fn state(device: &str, state: DeviceState, cachable: bool) -> Change {
        Change::DeviceState { device: Device::new(device).unwrap(), state, cachable }
    }

    #[test]
    fn only_what_differs_is_news() {
        let mut states = States::default();
        let ringing = state("PJSIP/1", DeviceState::Ringing, true);
        assert_eq!(states.enter(A, &ringing), Effect::News);
        assert_eq!(states.enter(A, &ringing), Effect::Known);
        assert_eq!(states.enter(B, &ringing), Effect::News);
        assert_eq!(states.enter(A, &state("PJSIP/1", DeviceState::InUse, true)), Effect::News);
    }

    #[test]
    fn a_state_that_is_not_cachable_is_always_news_and_never_kept() {
        let mut states = States::default();
        let flash = state("Local/1@x", DeviceState::InUse, false);
        assert_eq!(states.enter(A, &flash), Effect::News);
        assert_eq!(states.enter(A, &flash), Effect::News);
        assert!(states.of(A).is_none());
    }

    #[test]
    fn the_aggregate_follows_the_servers_that_are_left() {
        let mut states = States::default();
        let device = Device::new("PJSIP/1").unwrap();
        states.enter(A, &state("PJSIP/1", DeviceState::InUse, true));
        states.enter(B, &state("PJSIP/1", DeviceState::NotInUse, true));
        assert_eq!(states.aggregate_of(&device), Some(DeviceState::InUse));
        assert_eq!(states.remove(A).len(), 1);
        assert_eq!(states.aggregate_of(&device), Some(DeviceState::NotInUse));
        states.remove(B);
        assert_eq!(states.aggregate_of(&device), None);
    }

    #[test]
    fn a_full_table_keeps_what_it_has() {
        let mut states = States::default();
        for number in 0..SUBJECTS_PER_EID_MAX {
            states.enter(A, &state(&std::format!("Custom:{number}"), DeviceState::InUse, true));
        }
        assert_eq!(states.enter(A, &state("Custom:more", DeviceState::InUse, true)), Effect::Full);
        assert_eq!(states.enter(A, &state("Custom:0", DeviceState::Busy, true)), Effect::News);
    }
}

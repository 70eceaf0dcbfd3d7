//! What every server says: the table that everything else is derived from.

use crate::mailboxes::Mailboxes;
use crate::{Change, Device, DeviceState, Eid, Mailbox, MessageCounts, Stamp, Subject, aggregate};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

/// The most subjects (devices and mailboxes together) that one server may speak of; a flood of invented names
/// ends here.
pub const SUBJECTS_PER_EID_MAX: usize = 200_000;

/// The most servers that are remembered.
pub const EIDS_MAX: usize = 1_024;

/// Hashes names; the same seed gives the same order, so that a run can be replayed.
pub(crate) type Hash = FixedState;

pub(crate) fn hash(seed: u64) -> Hash {
    FixedState::with_seed(seed)
}

/// Each server's states, by EID. Every EID has one writer (its server), so a newer value simply replaces the
/// older one; nothing is ever voted on.
pub struct States {
    by_eid: BTreeMap<Eid, ServerStates>,
    mailboxes: Mailboxes,
    hash: Hash,
}

/// What one server says.
pub struct ServerStates {
    devices: HashMap<Device, Entry, Hash>,
    mailbox_count: usize,
    /// The stamp of its latest word; zero for a server that no node speaks for.
    latest: Stamp,
}

#[derive(Clone, Copy)]
struct Entry {
    state: DeviceState,
    /// The server may not say so any more; it has not said it again since that became doubtful.
    suspect: bool,
    stamp: Stamp,
}

/// What a [`Change`] did to the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// It is news of a subject that the server had not spoken of.
    New,
    /// It is news.
    News,
    /// The table said so already.
    Known,
    /// The table said so already, but another server has spoken of the mailbox since: a stock server that hears it now shows
    /// the wrong value.
    Restated,
    /// Something newer is known.
    Stale,
    /// The table is full; it was not entered.
    Full,
}

impl Stamp {
    /// Whether it is older than what is known of the same subject. Runs of a node are not compared: while a member is
    /// there it does not go back, and when it goes, what it said is forgotten.
    pub(crate) fn is_stale(&self, known: &Self) -> bool {
        self.sequence != 0 && self.incarnation == known.incarnation && self.sequence <= known.sequence
    }
}

/// Writing.
impl States {
    /// An empty table.
    pub(crate) fn new(seed: u64) -> Self {
        Self { by_eid: BTreeMap::new(), mailboxes: Mailboxes::new(hash(seed)), hash: hash(seed) }
    }

    /// Enters a change. A state that is not cachable is news each time and never entered.
    pub(crate) fn enter(&mut self, eid: Eid, change: &Change, stamp: Stamp) -> Effect {
        if let Change::DeviceState { cachable: false, .. } = change {
            return Effect::News;
        }
        if !self.by_eid.contains_key(&eid) && self.by_eid.len() >= EIDS_MAX {
            return Effect::Full;
        }
        let server = self.by_eid.entry(eid).or_insert_with(|| ServerStates::new(self.hash.clone()));
        let room = server.len() < SUBJECTS_PER_EID_MAX;
        let effect = match change {
            Change::DeviceState { device, state, .. } => server.enter(device, *state, stamp, room),
            Change::Mwi { mailbox, counts } => self.mailboxes.enter(eid, mailbox, *counts, stamp, room),
        };
        if effect == Effect::New && matches!(change, Change::Mwi { .. }) {
            server.mailbox_count += 1;
        }
        if stamp.sequence != 0 {
            server.latest = stamp;
        }
        effect
    }

    /// A server's word about a mailbox has taken its place in the order of the group, as its latest.
    pub(crate) fn settle(&mut self, eid: Eid, mailbox: &Mailbox, counts: MessageCounts) -> Effect {
        self.mailboxes.settle(eid, mailbox, counts)
    }

    /// Puts the words about a mailbox in the order of their versions.
    pub(crate) fn order<V: Ord>(&mut self, mailbox: &Mailbox, version: impl Fn(Eid) -> V) {
        self.mailboxes.order(mailbox, version);
    }

    /// Forgets one state. Returns what takes it back.
    pub(crate) fn take(&mut self, eid: Eid, subject: &Subject) -> Option<Taken> {
        let server = self.by_eid.get_mut(&eid)?;
        match subject {
            Subject::Device(device) => {
                let state = server.devices.remove(device)?.state;
                Some(Taken::device(device.clone(), state))
            }
            Subject::Mailbox(mailbox) => {
                let (before, now) = self.mailboxes.take(eid, mailbox)?;
                server.mailbox_count -= 1;
                Some(Taken::mailbox(mailbox.clone(), before, now))
            }
        }
    }

    /// Forgets a server. Returns what takes its states back.
    pub(crate) fn remove(&mut self, eid: Eid) -> Vec<Taken> {
        let Some(server) = self.by_eid.get_mut(&eid) else { return Vec::new() };
        let devices = core::mem::replace(&mut server.devices, HashMap::with_hasher(self.hash.clone()));
        let mut gone: Vec<_> =
            devices.into_iter().map(|(device, entry)| Taken::device(device, entry.state)).collect();
        for mailbox in self.mailboxes.of(eid) {
            gone.extend(self.take(eid, &Subject::Mailbox(mailbox)));
        }
        self.by_eid.remove(&eid);
        gone
    }

    /// Puts all that a server says in doubt, until it says it again.
    pub(crate) fn suspect(&mut self, eid: Eid) {
        if let Some(server) = self.by_eid.get_mut(&eid) {
            server.devices.values_mut().for_each(|entry| entry.suspect = true);
            self.mailboxes.suspect(eid);
        }
    }

    /// Forgets what a server has not said again. Returns what takes it back.
    pub(crate) fn take_suspects(&mut self, eid: Eid) -> Vec<Taken> {
        let Some(server) = self.by_eid.get_mut(&eid) else { return Vec::new() };
        let devices = server.devices.extract_if(|_, entry| entry.suspect);
        let mut gone: Vec<_> = devices.map(|(device, entry)| Taken::device(device, entry.state)).collect();
        // Whoever forgets in doubt has not heard all up to there.
        server.latest = Stamp::default();
        for mailbox in self.mailboxes.suspects(eid) {
            gone.extend(self.take(eid, &Subject::Mailbox(mailbox)));
        }
        gone
    }
}

/// Reading.
impl States {
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
        self.by_eid.iter().filter_map(move |(eid, server)| Some((*eid, server.state_of(device)?)))
    }

    /// A mailbox's counts at each server that has some; the last is the one that counts.
    pub fn of_mailbox(&self, mailbox: &Mailbox) -> impl Iterator<Item = (Eid, MessageCounts)> {
        self.mailboxes.said(mailbox)
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

    /// Every mailbox that some server has counts for, in order.
    #[must_use]
    pub fn mailboxes(&self) -> Vec<&Mailbox> {
        distinct(self.mailboxes.names())
    }

    /// What is to be told in a server's name to somebody who has heard nothing of it, lit lamps first, each with its origin
    /// time. Of a mailbox that another server has spoken of since it has nothing to say.
    pub(crate) fn to_tell(&self, eid: Eid) -> Vec<(Change, u64)> {
        let Some(server) = self.by_eid.get(&eid) else { return Vec::new() };
        let devices = server.devices.iter().map(|(device, entry)| {
            (
                Change::DeviceState { device: device.clone(), state: entry.state, cachable: true },
                entry.stamp.time,
            )
        });
        let mut changes: Vec<_> = devices.chain(self.mailboxes.led_by(eid)).collect();
        changes.sort_by_key(|(change, _)| change.is_idle());
        changes
    }

    /// What a server says of one subject, with its origin time; nothing of a mailbox that another server has spoken of since.
    pub(crate) fn find(&self, eid: Eid, subject: &Subject) -> Option<(Change, u64)> {
        match subject {
            Subject::Device(_) => self.said(eid, subject).map(|(change, stamp)| (change, stamp.time)),
            Subject::Mailbox(mailbox) => {
                let (latest, counts) = self.mailboxes.latest(mailbox)?;
                (latest == eid).then(|| (Change::Mwi { mailbox: mailbox.clone(), counts }, 0))
            }
        }
    }

    /// Whether this is a state of a device that whoever is told all later will hear of, if not from the table, then as what takes
    /// it back, if that is news.
    pub(crate) fn keeps(&self, eid: Eid, change: &Change) -> bool {
        match change {
            Change::DeviceState { state, .. } => {
                *state != WITHDRAWN && self.find(eid, &change.subject()).is_some()
            }
            Change::Mwi { .. } => false,
        }
    }

    /// What a server says of one subject, with what was stamped on it.
    pub(crate) fn said(&self, eid: Eid, subject: &Subject) -> Option<(Change, Stamp)> {
        match subject {
            Subject::Device(device) => {
                let entry = self.by_eid.get(&eid)?.devices.get(device)?;
                let change =
                    Change::DeviceState { device: device.clone(), state: entry.state, cachable: true };
                Some((change, entry.stamp))
            }
            Subject::Mailbox(mailbox) => {
                let (_, counts, stamp) =
                    self.mailboxes.words(mailbox).find(|(said_by, ..)| *said_by == eid)?;
                Some((Change::Mwi { mailbox: mailbox.clone(), counts }, stamp))
            }
        }
    }

    /// Whether a server says just this.
    pub(crate) fn says(&self, eid: Eid, change: &Change) -> bool {
        self.said(eid, &change.subject()).is_some_and(|(said, _)| said == *change)
    }

    /// Whether what a server says of a subject is in doubt.
    pub(crate) fn is_suspect(&self, eid: Eid, subject: &Subject) -> bool {
        match subject {
            Subject::Device(device) => {
                let entry = self.by_eid.get(&eid).and_then(|server| server.devices.get(device));
                entry.is_some_and(|entry| entry.suspect)
            }
            Subject::Mailbox(mailbox) => self.mailboxes.is_suspect(eid, mailbox),
        }
    }

    /// What a mailbox shows, and whose word that is; nothing of a device.
    pub(crate) fn shown(&self, subject: &Subject) -> Option<(Eid, Change)> {
        let Subject::Mailbox(mailbox) = subject else { return None };
        let (eid, counts) = self.mailboxes.latest(mailbox)?;
        Some((eid, Change::Mwi { mailbox: mailbox.clone(), counts }))
    }

    /// Who spoke last of a mailbox, and what it said.
    pub(crate) fn latest_of(&self, mailbox: &Mailbox) -> Option<(Eid, MessageCounts)> {
        self.mailboxes.latest(mailbox)
    }
}

impl ServerStates {
    fn new(hash: Hash) -> Self {
        Self { devices: HashMap::with_hasher(hash), mailbox_count: 0, latest: Stamp::default() }
    }

    /// How many devices and mailboxes the server speaks of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.devices.len() + self.mailbox_count
    }

    /// Whether the server says nothing.
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
        self.mailbox_count
    }

    /// The stamp of the server's latest word; zero for a server that no node speaks for.
    #[must_use]
    pub fn latest(&self) -> Stamp {
        self.latest
    }

    /// What the server says of a device.
    #[must_use]
    pub fn state_of(&self, device: &Device) -> Option<DeviceState> {
        self.devices.get(device).map(|entry| entry.state)
    }

    fn enter(&mut self, device: &Device, state: DeviceState, stamp: Stamp, room: bool) -> Effect {
        let entry = Entry { state, suspect: false, stamp };
        match self.devices.get_mut(device) {
            Some(known) if stamp.is_stale(&known.stamp) => Effect::Stale,
            Some(known) => {
                let effect = if known.state == state { Effect::Known } else { Effect::News };
                *known = entry;
                effect
            }
            None if room => {
                self.devices.insert(device.clone(), entry);
                Effect::New
            }
            None => Effect::Full,
        }
    }
}

/// What a device becomes whose state is taken back: PUBLISH has no deletion and a stock server's hint keeps the last value. UNKNOWN would
/// let queues offer calls to it, and is no news to a stock server that has forgotten the device and shows it lit.
const WITHDRAWN: DeviceState = DeviceState::Unavailable;

/// A state that is forgotten.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Taken {
    /// What takes it back.
    pub(crate) withdrawal: Change,
    /// Whether that is news to whoever has heard all.
    pub(crate) news: bool,
    /// Whether it was lit: what a person may be looking at goes out first.
    pub(crate) lit: bool,
}

impl Taken {
    fn device(device: Device, state: DeviceState) -> Self {
        let withdrawal = Change::DeviceState { device, state: WITHDRAWN, cachable: true };
        Self { withdrawal, news: state != WITHDRAWN, lit: state.is_lit() }
    }

    fn mailbox(mailbox: Mailbox, before: MessageCounts, now: MessageCounts) -> Self {
        Self { withdrawal: Change::Mwi { mailbox, counts: now }, news: before != now, lit: before.new > 0 }
    }
}

fn distinct<'a, N: Ord>(names: impl Iterator<Item = &'a N>) -> Vec<&'a N> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests;

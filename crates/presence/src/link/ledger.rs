//! Which version each state of the wide world has, so that nodes see who knows the newer one, and what one of them lacks.

use crate::states::{Hash, hash};
use crate::{EIDS_MAX, Eid, SUBJECTS_PER_EID_MAX, Subject};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::hash::Hasher;
use hashbrown::HashMap;
use siphasher::sip::SipHasher13;

/// Into so many parts the states of a server are divided when two nodes compare them.
pub const BUCKETS: usize = 256;

/// Of two values of one state the one with the higher version is the newer. It is given by the nodes of the site whose server said it: when it said so
/// by the clock of the server's node, in microseconds since 1970, or one more than what is known of the state; of a stock server's, when each heard it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version {
    /// The time, never back.
    pub clock: u64,
    /// The node that gave it.
    pub writer: Eid,
}

/// The versions of all states, by server.
pub(crate) struct Ledger {
    accounts: BTreeMap<Eid, Account>,
    /// The highest clock seen.
    clock: u64,
    me: Eid,
    hash: Hash,
}

/// The versions of one server's states.
struct Account {
    entries: HashMap<Subject, Packed, Hash>,
    /// For each part the sum, without carry, of what its entries are; equal where two nodes know the same.
    fingerprints: Box<[u64; BUCKETS]>,
}

/// What is known of one state's version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) version: Version,
    /// The state was taken back.
    pub(crate) withdrawn: bool,
    /// The latest version that others know, too. A version that nobody else knows may be given up for another.
    known: Option<Version>,
}

impl Entry {
    /// What somebody else has said.
    pub(crate) fn heard(version: Version, withdrawn: bool) -> Self {
        Self { version, withdrawn, known: Some(version) }
    }

    /// Whether a version that somebody else has given to the same value may take the place of ours.
    pub(crate) fn yields_to(&self, version: Version) -> bool {
        version > self.version
            || self.known != Some(self.version) && self.known.is_none_or(|known| version > known)
    }
}

/// An [`Entry`] in as few bytes as it needs: a node has one for each state of the wide world. Numbers as bytes need no room between them,
/// and an array that is all zero stands for no version.
#[derive(Clone, Copy)]
struct Packed {
    version: [u8; 14],
    known: [u8; 14],
    withdrawn: bool,
}

impl From<Entry> for Packed {
    fn from(Entry { version, withdrawn, known }: Entry) -> Self {
        Self { version: version.to_bytes(), known: known.map_or([0; 14], Version::to_bytes), withdrawn }
    }
}

impl From<Packed> for Entry {
    fn from(Packed { version, known, withdrawn }: Packed) -> Self {
        let known = (known != [0; 14]).then(|| Version::from_bytes(known));
        Self { version: Version::from_bytes(version), withdrawn, known }
    }
}

impl Version {
    fn to_bytes(self) -> [u8; 14] {
        let mut bytes = [0; 14];
        bytes[..8].copy_from_slice(&self.clock.to_be_bytes());
        bytes[8..].copy_from_slice(&self.writer.0);
        bytes
    }

    fn from_bytes([a, b, c, d, e, f, g, h, writer @ ..]: [u8; 14]) -> Self {
        Self { clock: u64::from_be_bytes([a, b, c, d, e, f, g, h]), writer: Eid(writer) }
    }
}

impl Ledger {
    pub(crate) fn new(me: Eid) -> Self {
        Self { accounts: BTreeMap::new(), clock: 0, me, hash: hash(0) }
    }

    /// Gives a state that is news here a version: this one, which says when it was said, or the next to what is known of it. Words about one mailbox are
    /// put in order across servers, so theirs are higher than all that is known.
    pub(crate) fn write(&mut self, said: Version, eid: Eid, subject: &Subject, withdrawn: bool) -> Version {
        let before = self.of(eid, subject);
        let last = match subject {
            Subject::Device(_) => before.map_or(0, |before| before.version.clock),
            Subject::Mailbox(_) => self.clock,
        };
        // A clock at the end of time stands still there: what a trusted peer made of it is no reason to end.
        let next = Version { clock: last.saturating_add(1), writer: self.me };
        let version = if said.clock > last { said } else { next };
        self.put(eid, subject, Entry { version, withdrawn, known: before.and_then(|before| before.known) });
        version
    }

    /// Gives a state the version next to one that somebody else gave, wrongly.
    pub(crate) fn write_after(&mut self, version: Version, eid: Eid, subject: &Subject, withdrawn: bool) {
        let version = Version { clock: version.clock.saturating_add(1), writer: self.me };
        let known = self.of(eid, subject).and_then(|before| before.known);
        self.put(eid, subject, Entry { version, withdrawn, known });
    }

    /// Takes over the version that somebody else gave.
    pub(crate) fn put(&mut self, eid: Eid, subject: &Subject, entry: Entry) {
        self.outdo(entry.version);
        let account = self.accounts.entry(eid).or_insert_with(|| Account::new(self.hash.clone()));
        account.put(subject, entry);
    }

    /// Whether there is room for this state.
    pub(crate) fn has_room(&self, eid: Eid, subject: &Subject) -> bool {
        match self.accounts.get(&eid) {
            Some(account) => {
                account.entries.len() < SUBJECTS_PER_EID_MAX || account.entries.contains_key(subject)
            }
            None => self.accounts.len() < EIDS_MAX,
        }
    }

    pub(crate) fn of(&self, eid: Eid, subject: &Subject) -> Option<Entry> {
        self.accounts.get(&eid)?.entries.get(subject).map(|packed| Entry::from(*packed))
    }

    /// Notes that somebody is being told of a state.
    pub(crate) fn tell(&mut self, eid: Eid, subject: &Subject) {
        let account = self.accounts.get_mut(&eid);
        if let Some(entry) = account.and_then(|account| account.entries.get_mut(subject)) {
            entry.known = entry.version;
        }
    }

    /// Whatever is written from now on is newer than this.
    pub(crate) fn outdo(&mut self, version: Version) {
        self.clock = self.clock.max(version.clock);
    }

    /// Forgets one state, unless it is known to be taken back. Tells whether it was known to stand.
    pub(crate) fn drop_standing(&mut self, eid: Eid, subject: &Subject) -> bool {
        let Some(account) = self.accounts.get_mut(&eid) else { return false };
        let stood = account.drop_standing(subject);
        if account.entries.is_empty() {
            self.accounts.remove(&eid);
        }
        stood
    }

    /// Forgets a server.
    pub(crate) fn close(&mut self, eid: Eid) {
        self.accounts.remove(&eid);
    }

    pub(crate) fn knows(&self, eid: Eid) -> bool {
        self.accounts.contains_key(&eid)
    }

    /// The subjects of which a server's states are known, those taken back included.
    pub(crate) fn subjects(&self, eid: Eid) -> impl Iterator<Item = &Subject> {
        self.accounts.get(&eid).into_iter().flat_map(|account| account.entries.keys())
    }

    /// The servers of which something is known.
    pub(crate) fn eids(&self) -> impl Iterator<Item = Eid> {
        self.accounts.keys().copied()
    }

    /// How many states of a server are known, and a number that is equal where two nodes know the same of it.
    pub(crate) fn summary(&self, eid: Eid) -> (usize, u64) {
        let Some(account) = self.accounts.get(&eid) else { return (0, 0) };
        let mut hasher = SipHasher13::new();
        account.fingerprints.iter().for_each(|part| hasher.write(&part.to_be_bytes()));
        (account.entries.len(), if account.entries.is_empty() { 0 } else { hasher.finish() })
    }

    /// The fingerprints of a server's parts.
    pub(crate) fn fingerprints(&self, eid: Eid) -> Box<[u64; BUCKETS]> {
        self.accounts.get(&eid).map_or_else(|| Box::new([0; BUCKETS]), |account| account.fingerprints.clone())
    }

    /// The states of a server in the parts of which others have other fingerprints.
    pub(crate) fn differing(&self, eid: Eid, theirs: &[u64; BUCKETS]) -> Vec<Subject> {
        let Some(account) = self.accounts.get(&eid) else { return Vec::new() };
        let differs = |subject: &&Subject| {
            let part = bucket(subject);
            account.fingerprints[part] != theirs[part]
        };
        account.entries.keys().filter(differs).cloned().collect()
    }
}

impl Account {
    fn new(hash: Hash) -> Self {
        Self { entries: HashMap::with_hasher(hash), fingerprints: Box::new([0; BUCKETS]) }
    }

    fn put(&mut self, subject: &Subject, entry: Entry) {
        let part = &mut self.fingerprints[bucket(subject)];
        *part ^= fingerprint(subject, entry);
        if let Some(before) = self.entries.insert(subject.clone(), entry.into()) {
            *part ^= fingerprint(subject, before.into());
        }
    }

    fn drop_standing(&mut self, subject: &Subject) -> bool {
        let standing = self.entries.get(subject).copied().filter(|entry| !entry.withdrawn);
        if let Some(entry) = standing {
            self.fingerprints[bucket(subject)] ^= fingerprint(subject, entry.into());
            self.entries.remove(subject);
        }
        standing.is_some()
    }
}

/// To which part a state belongs.
fn bucket(subject: &Subject) -> usize {
    let mut hasher = SipHasher13::new();
    feed(&mut hasher, subject);
    usize::from(hasher.finish().to_be_bytes()[7])
}

/// A number that differs wherever subject or version do. Peers are trusted not to look for collisions.
fn fingerprint(subject: &Subject, Entry { version, withdrawn, .. }: Entry) -> u64 {
    let mut hasher = SipHasher13::new();
    feed(&mut hasher, subject);
    hasher.write(&version.clock.to_be_bytes());
    hasher.write(&version.writer.0);
    hasher.write(&[u8::from(withdrawn)]);
    hasher.finish()
}

fn feed(hasher: &mut SipHasher13, subject: &Subject) {
    let (kind, name) = match subject {
        Subject::Device(device) => (0, device.as_str()),
        Subject::Mailbox(mailbox) => (1, mailbox.as_str()),
    };
    hasher.write(&[kind]);
    hasher.write(name.as_bytes());
    hasher.write(&[0]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    const A: Eid = Eid([0, 0, 0, 0, 0, 1]);
    const B: Eid = Eid([0, 0, 0, 0, 0, 2]);
    const PBX: Eid = Eid([2, 0, 0, 0, 1, 1]);

    fn lamp(number: usize) -> Subject {
        Subject::Device(Device::new(&std::format!("Custom:{number}")).unwrap())
    }

    fn at(clock: u64) -> Version {
        Version { clock, writer: A }
    }

    #[test]
    fn a_version_is_the_time_and_never_goes_back() {
        let mut ledger = Ledger::new(A);
        assert_eq!(ledger.write(at(7), PBX, &lamp(0), false), Version { clock: 7, writer: A });
        assert_eq!(ledger.write(at(5), PBX, &lamp(0), false).clock, 8);
        ledger.put(PBX, &lamp(1), Entry::heard(Version { clock: 90, writer: B }, false));
        assert_eq!(ledger.write(at(9), PBX, &lamp(0), false).clock, 9, "of others it is independent");
        let mailbox = Subject::Mailbox(crate::Mailbox::new("100@default").unwrap());
        assert_eq!(
            ledger.write(at(9), PBX, &mailbox, false).clock,
            91,
            "but of a mailbox it has to be the latest"
        );
        assert!(Version { clock: 8, writer: B } > Version { clock: 8, writer: A });
    }

    #[test]
    fn at_the_end_of_time_a_clock_stands_still() {
        let mut ledger = Ledger::new(A);
        ledger.put(PBX, &lamp(0), Entry::heard(Version { clock: u64::MAX, writer: B }, false));
        assert_eq!(ledger.write(at(7), PBX, &lamp(0), false).clock, u64::MAX);
    }

    #[test]
    fn an_entry_is_what_it_was_and_has_no_room_to_spare() {
        let version = |clock, writer| Version { clock, writer };
        let (older, newer) = (version(1 << 40, B), version(u64::MAX, A));
        for (known, withdrawn) in [(None, false), (Some(older), true), (Some(newer), false)] {
            let entry = Entry { version: newer, withdrawn, known };
            assert_eq!(Entry::from(Packed::from(entry)), entry);
        }
        assert_eq!(size_of::<(Subject, Packed)>(), 56);
    }

    #[test]
    fn who_has_heard_the_same_in_any_order_has_the_same_fingerprints() {
        let mut one = Ledger::new(A);
        let entries: Vec<_> = (0..1_000)
            .map(|number| {
                let version = one.write(at(0), PBX, &lamp(number), number % 3 == 0);
                (lamp(number), Entry::heard(version, number % 3 == 0))
            })
            .collect();
        let mut other = Ledger::new(B);
        other.put(PBX, &lamp(5), Entry::heard(Version { clock: 0, writer: A }, false));
        entries.iter().rev().for_each(|(subject, entry)| other.put(PBX, subject, *entry));
        assert_eq!(one.summary(PBX), other.summary(PBX));
        assert_eq!(one.fingerprints(PBX), other.fingerprints(PBX));
    }

    #[test]
    fn what_differs_is_found_in_its_part() {
        let mut one = Ledger::new(A);
        let mut other = Ledger::new(B);
        for number in 0..1_000 {
            let version = one.write(at(0), PBX, &lamp(number), false);
            if number != 77 {
                other.put(PBX, &lamp(number), Entry::heard(version, false));
            }
        }
        let (left, right) = (one.fingerprints(PBX), other.fingerprints(PBX));
        assert_eq!((0..BUCKETS).filter(|part| left[*part] != right[*part]).count(), 1);
        let (ours, theirs) = (one.differing(PBX, &right), other.differing(PBX, &left));
        assert!(ours.contains(&lamp(77)));
        assert_eq!(ours.len(), theirs.len() + 1);
    }

    #[test]
    fn of_a_server_that_was_forgotten_nothing_is_known() {
        let mut ledger = Ledger::new(A);
        ledger.write(at(1), PBX, &lamp(0), false);
        assert_ne!(ledger.summary(PBX).1, 0);
        ledger.close(PBX);
        assert_eq!((ledger.summary(PBX), ledger.of(PBX, &lamp(0))), ((0, 0), None));
        assert_eq!(ledger.eids().count(), 0);
    }
}

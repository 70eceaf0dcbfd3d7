//! Words that wait, in order, and at most one about each topic.
//!
//! A million may wait, so each is kept once, in its place; a table of places finds it by its topic.

use crate::outbox::{Topic, Word};
use crate::states::{Hash, hash};
use crate::{Change, Eid, Subject};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::hash::BuildHasher;
use core::time::Duration;
use hashbrown::HashTable;

/// An empty queue keeps no more room than this; what the longest rush took is given back.
const ROOM_KEPT: usize = 1_024;

pub(crate) struct Queue {
    /// Empty where a word was taken out of its turn.
    places: VecDeque<Option<Waiting>>,
    /// The number of the first place. Words are put in front as well, so it begins far from zero.
    first: u64,
    /// The numbers of the places of all words, by their topics.
    numbers: HashTable<u64>,
    hash: Hash,
}

/// A word, and since when one about the same has waited.
pub(crate) struct Waiting {
    pub(crate) word: Word,
    pub(crate) since: Duration,
}

/// What a word is about, without a copy of the name.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key<'a> {
    Device(Eid, &'a str),
    Mailbox(Eid, &'a str),
    Counts(&'a str),
    States(Eid, usize),
    Link,
    Discovery,
    Digest,
    Request,
    Ping,
    Refresh,
}

impl Queue {
    pub(crate) fn new() -> Self {
        Self { places: VecDeque::new(), first: u64::MAX / 2, numbers: HashTable::new(), hash: hash(0) }
    }

    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The word that waits about a topic.
    pub(crate) fn get(&self, topic: &Topic) -> Option<&Word> {
        let number = self.number_of(Key::of_topic(topic))?;
        self.at(number).map(|waiting| &waiting.word)
    }

    /// Puts a word in the place of the one that waits about the same; gives it back where none does.
    pub(crate) fn replace(&mut self, word: Word) -> Result<(), Word> {
        let Some(number) = self.number_of(Key::of_word(&word)) else { return Err(word) };
        let place = self.place_of(number);
        if let Some(Some(waiting)) = self.places.get_mut(place) {
            waiting.word = word;
        }
        Ok(())
    }

    /// Puts a word behind all others; none about the same may wait.
    pub(crate) fn push_back(&mut self, waiting: Waiting) {
        let number = self.first + self.places.len() as u64;
        self.places.push_back(Some(waiting));
        self.enter(number);
    }

    /// Puts a word before all others; none about the same may wait.
    pub(crate) fn push_front(&mut self, waiting: Waiting) {
        self.first -= 1;
        self.places.push_front(Some(waiting));
        self.enter(self.first);
    }

    /// Takes the first word.
    pub(crate) fn pop(&mut self) -> Option<Waiting> {
        let waiting = loop {
            let number = self.first;
            let waiting = self.places.pop_front()?;
            self.first += 1;
            if let Some(waiting) = waiting {
                self.strike(number, &waiting.word);
                break waiting;
            }
        };
        self.give_back();
        Some(waiting)
    }

    /// Takes the word about a topic out of its turn.
    pub(crate) fn remove(&mut self, topic: &Topic) -> Option<Word> {
        let number = self.number_of(Key::of_topic(topic))?;
        let place = self.place_of(number);
        let waiting = self.places.get_mut(place)?.take()?;
        self.strike(number, &waiting.word);
        self.close_gaps();
        Some(waiting.word)
    }

    /// Takes all words that fit out of their turn, in their order.
    pub(crate) fn remove_all(&mut self, fits: impl Fn(&Word) -> bool) -> Vec<Word> {
        let fitting = self.places.iter_mut();
        let fitting = fitting.filter_map(|place| place.take_if(|waiting| fits(&waiting.word)));
        let removed: Vec<Word> = fitting.map(|waiting| waiting.word).collect();
        if !removed.is_empty() {
            self.rebuild();
        }
        removed
    }

    fn number_of(&self, key: Key<'_>) -> Option<u64> {
        let is_it = |number: &u64| self.at(*number).is_some_and(|waiting| Key::of_word(&waiting.word) == key);
        self.numbers.find(self.hash.hash_one(key), is_it).copied()
    }

    fn at(&self, number: u64) -> Option<&Waiting> {
        self.places.get(self.place_of(number))?.as_ref()
    }

    fn place_of(&self, number: u64) -> usize {
        (number - self.first) as usize
    }

    /// Lets the word in this place be found.
    fn enter(&mut self, number: u64) {
        let Self { places, first, numbers, hash } = self;
        let hash_of = |number: &u64| {
            let place = places.get((number - *first) as usize).and_then(Option::as_ref);
            place.map_or(0, |waiting| hash.hash_one(Key::of_word(&waiting.word)))
        };
        numbers.insert_unique(hash_of(&number), number, hash_of);
    }

    /// Lets the word that was in this place be found no more.
    fn strike(&mut self, number: u64, word: &Word) {
        let hash = self.hash.hash_one(Key::of_word(word));
        if let Ok(entry) = self.numbers.find_entry(hash, |known| *known == number) {
            entry.remove();
        }
    }

    fn close_gaps(&mut self) {
        if self.places.len() > 2 * self.len() + 64 {
            self.rebuild();
        }
        self.give_back();
    }

    fn rebuild(&mut self) {
        self.places.retain(Option::is_some);
        self.numbers.clear();
        for place in 0..self.places.len() as u64 {
            self.enter(self.first + place);
        }
    }

    fn give_back(&mut self) {
        if self.numbers.is_empty() && self.places.capacity() > ROOM_KEPT {
            *self = Self::new();
        }
    }
}

impl<'a> Key<'a> {
    fn of_topic(topic: &'a Topic) -> Self {
        match topic {
            Topic::Change(eid, Subject::Device(device)) => Self::Device(*eid, device.as_str()),
            Topic::Change(eid, Subject::Mailbox(mailbox)) => Self::Mailbox(*eid, mailbox.as_str()),
            Topic::Counts(mailbox) => Self::Counts(mailbox.as_str()),
            Topic::States(eid, part) => Self::States(*eid, *part),
            Topic::Link => Self::Link,
            Topic::Discovery => Self::Discovery,
            Topic::Digest => Self::Digest,
            Topic::Request => Self::Request,
            Topic::Ping => Self::Ping,
            Topic::Refresh => Self::Refresh,
        }
    }

    fn of_change(eid: Eid, change: &'a Change) -> Self {
        match change {
            Change::DeviceState { device, .. } => Self::Device(eid, device.as_str()),
            Change::Mwi { mailbox, .. } => Self::Mailbox(eid, mailbox.as_str()),
        }
    }

    fn of_word(word: &'a Word) -> Self {
        match word {
            Word::Change { eid, change, .. } | Word::Withdrawal { eid, change, .. } => {
                Self::of_change(*eid, change)
            }
            Word::Told(statement) => Self::of_change(statement.eid, &statement.change),
            Word::Link(_) => Self::Link,
            Word::Counts { mailbox, .. } => Self::Counts(mailbox.as_str()),
            Word::States { eid, part, .. } => Self::States(*eid, *part),
            Word::Discovery => Self::Discovery,
            Word::Digest => Self::Digest,
            Word::Request => Self::Request,
            Word::Ping => Self::Ping,
            Word::Refresh => Self::Refresh,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, DeviceState};

    fn waiting(name: u32) -> Waiting {
        let device = Device::new(&alloc::format!("{name}")).unwrap();
        let change = Change::DeviceState { device, state: DeviceState::InUse, cachable: true };
        let word = Word::Change { eid: Eid([0, 0, 0, 0, 0, 1]), change, time: u64::from(name) };
        Waiting { word, since: Duration::ZERO }
    }

    fn names(queue: &mut Queue) -> Vec<u32> {
        let word = core::iter::from_fn(|| queue.pop()).map(|waiting| waiting.word);
        word.map(|word| if let Word::Change { time, .. } = word { time as u32 } else { 0 }).collect()
    }

    #[test]
    fn every_word_is_found_wherever_it_was_put() {
        let mut queue = Queue::new();
        (100..200).for_each(|name| queue.push_back(waiting(name)));
        (0..100).rev().for_each(|name| queue.push_front(waiting(name)));
        assert!((0..200).all(|name| queue.get(&waiting(name).word.topic()).is_some()));
        for name in (0..200).filter(|name| name % 3 != 0) {
            assert_eq!(queue.remove(&waiting(name).word.topic()), Some(waiting(name).word));
        }
        assert_eq!(queue.len(), 67);
        assert_eq!(queue.replace(waiting(1).word), Err(waiting(1).word));
        assert_eq!(queue.replace(waiting(3).word), Ok(()));
        let even = queue.remove_all(|word| matches!(word, Word::Change { time, .. } if time % 2 == 0));
        assert_eq!(even.len(), 34);
        assert_eq!(names(&mut queue), (0..200).filter(|name| name % 6 == 3).collect::<Vec<_>>());
    }

    #[test]
    fn the_room_of_a_rush_is_given_back() {
        let mut queue = Queue::new();
        (0..10_000).for_each(|name| queue.push_back(waiting(name)));
        assert_eq!(names(&mut queue).len(), 10_000);
        assert!(queue.places.capacity() <= ROOM_KEPT);
    }
}

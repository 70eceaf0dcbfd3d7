//! What is still to be said on one path, and what was said but not yet confirmed.

use crate::{Change, Eid, Subject};
use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

/// The most words that wait on one path; beyond, a new subject is dropped and counted.
pub(crate) const PENDING_MAX: usize = 1_000_000;

/// One thing to be said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    /// A state under the EID of the server that originated it.
    Change { eid: Eid, change: Change },
    /// Who we are.
    Discovery,
    /// A sign of life.
    Ping,
    /// The wish to hear everything again.
    Refresh,
}

/// What a [`Word`] is about; a newer word replaces a waiting one about the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Topic {
    Change(Eid, Subject),
    Discovery,
    Ping,
    Refresh,
}

impl Word {
    pub(crate) fn topic(&self) -> Topic {
        match self {
            Self::Change { eid, change } => Topic::Change(*eid, change.subject()),
            Self::Discovery => Topic::Discovery,
            Self::Ping => Topic::Ping,
            Self::Refresh => Topic::Refresh,
        }
    }
}

/// A queue that holds the latest word per topic: a slow path coalesces and never grows without bound, and a word
/// leaves only when the other side has confirmed it. Words about one topic are never reordered.
pub(crate) struct Outbox {
    /// Topics in the order in which they began to wait.
    order: VecDeque<Topic>,
    pending: BTreeMap<Topic, Word>,
    in_flight: VecDeque<Sent>,
    window: usize,
}

struct Sent {
    word: Word,
    at: Duration,
}

/// There is no room for another topic.
#[derive(Debug)]
pub(crate) struct Overflow;

impl Outbox {
    /// An empty outbox that lets `window` unconfirmed words go out.
    pub(crate) fn new(window: usize) -> Self {
        Self { order: VecDeque::new(), pending: BTreeMap::new(), in_flight: VecDeque::new(), window }
    }

    /// Lets a word wait; it takes the place of an older one about the same.
    pub(crate) fn push(&mut self, word: Word) -> Result<(), Overflow> {
        let topic = word.topic();
        if let Some(waiting) = self.pending.get_mut(&topic) {
            *waiting = word;
        } else if self.pending.len() >= PENDING_MAX {
            return Err(Overflow);
        } else {
            self.order.push_back(topic.clone());
            self.pending.insert(topic, word);
        }
        Ok(())
    }

    /// The next word to send, when the window has room.
    pub(crate) fn send(&mut self, now: Duration) -> Option<Word> {
        if self.in_flight.len() >= self.window {
            return None;
        }
        let topic = self.order.pop_front()?;
        let word = self.pending.remove(&topic).expect("each topic in order has its word");
        self.in_flight.push_back(Sent { word: word.clone(), at: now });
        Some(word)
    }

    /// Confirms the oldest unconfirmed word about this topic. The path keeps order, so unconfirmed words sent
    /// before it were lost on the way: they wait again. Returns how many.
    pub(crate) fn confirm(&mut self, topic: &Topic) -> usize {
        let Some(position) = self.in_flight.iter().position(|sent| sent.word.topic() == *topic) else {
            return 0;
        };
        let mut lost: VecDeque<_> = self.in_flight.drain(..=position).collect();
        lost.pop_back();
        let count = lost.len();
        self.wait_again(lost);
        count
    }

    /// Takes the oldest unconfirmed word out for good.
    pub(crate) fn drop_oldest(&mut self) {
        self.in_flight.pop_front();
    }

    /// Lets every unconfirmed word wait again, ahead of the others. Returns how many.
    pub(crate) fn requeue(&mut self) -> usize {
        let lost = core::mem::take(&mut self.in_flight);
        let count = lost.len();
        self.wait_again(lost);
        count
    }

    /// When the oldest unconfirmed word was sent.
    pub(crate) fn oldest_sent_at(&self) -> Option<Duration> {
        self.in_flight.front().map(|sent| sent.at)
    }

    /// How many words wait or are unconfirmed.
    pub(crate) fn len(&self) -> usize {
        self.pending.len() + self.in_flight.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Newest first, so that each ends up ahead of what was sent after it; one that a newer word about the same
    /// has overtaken is dropped.
    fn wait_again(&mut self, lost: VecDeque<Sent>) {
        for Sent { word, .. } in lost.into_iter().rev() {
            let topic = word.topic();
            let overtaken = self.pending.contains_key(&topic)
                || self.in_flight.iter().any(|sent| sent.word.topic() == topic);
            if !overtaken {
                self.order.push_front(topic.clone());
                self.pending.insert(topic, word);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, DeviceState};
    use std::vec::Vec;

    const EID: Eid = Eid([0, 0, 0, 0, 0, 1]);

    fn word(device: &str, state: DeviceState) -> Word {
        let device = Device::new(device).unwrap();
        Word::Change { eid: EID, change: Change::DeviceState { device, state, cachable: true } }
    }

    fn drain(outbox: &mut Outbox) -> Vec<Word> {
        core::iter::from_fn(|| outbox.send(Duration::ZERO)).collect()
    }

    #[test]
    fn a_newer_word_takes_the_place_of_the_waiting_one() {
        let mut outbox = Outbox::new(8);
        for state in [DeviceState::Ringing, DeviceState::InUse] {
            outbox.push(word("a", state)).unwrap();
            outbox.push(word("b", state)).unwrap();
        }
        assert_eq!(drain(&mut outbox), [word("a", DeviceState::InUse), word("b", DeviceState::InUse)]);
    }

    #[test]
    fn the_window_holds_words_back_until_one_is_confirmed() {
        let mut outbox = Outbox::new(1);
        outbox.push(word("a", DeviceState::InUse)).unwrap();
        outbox.push(word("b", DeviceState::InUse)).unwrap();
        assert_eq!(drain(&mut outbox).len(), 1);
        assert_eq!(outbox.confirm(&word("a", DeviceState::InUse).topic()), 0);
        assert_eq!(drain(&mut outbox), [word("b", DeviceState::InUse)]);
        assert_eq!(outbox.len(), 1);
    }

    #[test]
    fn a_word_that_a_later_one_passed_is_sent_again_unless_overtaken() {
        let mut outbox = Outbox::new(8);
        for device in ["a", "b", "c"] {
            outbox.push(word(device, DeviceState::Ringing)).unwrap();
        }
        drain(&mut outbox);
        outbox.push(word("a", DeviceState::InUse)).unwrap();
        assert_eq!(outbox.confirm(&word("c", DeviceState::Ringing).topic()), 2);
        assert_eq!(drain(&mut outbox), [word("b", DeviceState::Ringing), word("a", DeviceState::InUse)]);
    }

    #[test]
    fn what_a_lost_path_swallowed_waits_again_in_its_order() {
        let mut outbox = Outbox::new(2);
        for device in ["a", "b", "c"] {
            outbox.push(word(device, DeviceState::Ringing)).unwrap();
        }
        drain(&mut outbox);
        assert_eq!(outbox.requeue(), 2);
        outbox.window = 8;
        let again: Vec<_> = ["a", "b", "c"].map(|device| word(device, DeviceState::Ringing)).into();
        assert_eq!(drain(&mut outbox), again);
    }
}

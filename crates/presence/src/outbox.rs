//! What is still to be said on one path, and what was said but not yet confirmed.

use crate::link::{Frame, Statement};
use crate::queue::{Queue, Waiting};
use crate::{Change, Eid, Mailbox, MessageCounts, Subject};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

/// The most words that wait on one path; beyond, a new subject is dropped and counted.
pub(crate) const PENDING_MAX: usize = 1_000_000;

/// One thing to be said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Word {
    /// A state under the EID of the server that originated it, in the microsecond since 1970 in which it did.
    Change { eid: Eid, change: Change, time: u64 },
    /// What takes back a state of a server.
    Withdrawal { eid: Eid, change: Change, time: u64 },
    /// What a server is to show for a mailbox, and whose word that is. The server has one value for it, whoever said it, so only
    /// the latest of all such words counts.
    Counts { eid: Eid, mailbox: Mailbox, counts: MessageCounts },
    /// Part of what a server says, for nodes that lack it; said as it is when its turn comes.
    States { eid: Eid, part: usize, subjects: Vec<Subject> },
    /// What a server elsewhere says.
    Told(Box<Statement>),
    /// What other nodes of the group are told about links.
    Link(Box<Frame>),
    /// Who we are.
    Discovery,
    /// How far we have come.
    Digest,
    /// What we lack.
    Request,
    /// A sign of life.
    Ping,
    /// The wish to hear everything again.
    Refresh,
}

/// What a [`Word`] is about; a newer word replaces a waiting one about the same.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Topic {
    Change(Eid, Subject),
    Counts(Mailbox),
    States(Eid, usize),
    Link,
    Discovery,
    Digest,
    Request,
    Ping,
    Refresh,
}

impl Word {
    /// What a server is told of another's.
    pub(crate) fn told(eid: Eid, change: Change) -> Self {
        match change {
            Change::DeviceState { .. } => Self::Change { eid, change, time: 0 },
            Change::Mwi { mailbox, counts } => Self::Counts { eid, mailbox, counts },
        }
    }

    pub(crate) fn topic(&self) -> Topic {
        match self {
            Self::Change { eid, change, .. } | Self::Withdrawal { eid, change, .. } => {
                Topic::Change(*eid, change.subject())
            }
            Self::Counts { mailbox, .. } => Topic::Counts(mailbox.clone()),
            Self::States { eid, part, .. } => Topic::States(*eid, *part),
            Self::Told(statement) => Topic::Change(statement.eid, statement.change.subject()),
            Self::Link(_) => Topic::Link,
            Self::Discovery => Topic::Discovery,
            Self::Digest => Topic::Digest,
            Self::Request => Topic::Request,
            Self::Ping => Topic::Ping,
            Self::Refresh => Topic::Refresh,
        }
    }

    /// Whether it takes back something under an EID.
    fn withdraws(&self, whose: Eid) -> bool {
        matches!(self, Self::Withdrawal { eid, .. } if *eid == whose)
    }

    /// Whether it says what a server elsewhere says.
    fn tells(&self, whose: Eid) -> bool {
        matches!(self, Self::Told(statement) if statement.eid == whose)
    }

    fn into_change(self) -> Option<Change> {
        match self {
            Self::Change { change, .. } | Self::Withdrawal { change, .. } => Some(change),
            Self::Counts { mailbox, counts, .. } => Some(Change::Mwi { mailbox, counts }),
            Self::States { .. }
            | Self::Told(_)
            | Self::Link(_)
            | Self::Discovery
            | Self::Digest
            | Self::Request
            | Self::Ping
            | Self::Refresh => None,
        }
    }
}

/// A queue that holds the latest word per topic: a slow path coalesces and never grows without bound, and a word
/// leaves only when the other side has confirmed it. Words about one topic are never reordered.
pub(crate) struct Outbox {
    pending: Queue,
    in_flight: VecDeque<Sent>,
    window: usize,
    /// The number of the word sent last, and how long it had waited.
    sequence: u64,
    waited: Duration,
    now: Duration,
}

struct Sent {
    word: Word,
    sequence: u64,
    at: Duration,
}

/// There is no room for another topic.
#[derive(Debug)]
pub(crate) struct Overflow;

impl Outbox {
    /// An empty outbox that lets `window` unconfirmed words go out.
    pub(crate) fn new(window: usize) -> Self {
        Self {
            pending: Queue::new(),
            in_flight: VecDeque::new(),
            window,
            sequence: 0,
            waited: Duration::ZERO,
            now: Duration::ZERO,
        }
    }

    /// What is pushed from now on begins to wait now.
    pub(crate) fn pass_time(&mut self, now: Duration) {
        self.now = now;
    }

    /// How long the word sent last had waited.
    pub(crate) fn waited(&self) -> Duration {
        self.waited
    }

    /// Lets a word wait; it takes the place of an older one about the same.
    pub(crate) fn push(&mut self, word: Word) -> Result<(), Overflow> {
        let Err(word) = self.pending.replace(word) else { return Ok(()) };
        if self.pending.len() >= PENDING_MAX {
            return Err(Overflow);
        }
        self.pending.push_back(Waiting { word, since: self.now });
        Ok(())
    }

    /// Lets a word wait behind all that waits now.
    pub(crate) fn push_last(&mut self, word: Word) -> Result<(), Overflow> {
        self.cancel(&word.topic());
        self.push(word)
    }

    /// Takes back a word that waits.
    pub(crate) fn cancel(&mut self, topic: &Topic) {
        self.pending.remove(topic);
    }

    /// Takes back one withdrawal, on its way or not: it is not said again, whatever becomes of it.
    pub(crate) fn cancel_withdrawal(&mut self, eid: Eid, topic: &Topic) {
        self.in_flight.retain(|sent| !(sent.word.withdraws(eid) && sent.word.topic() == *topic));
        if self.pending.get(topic).is_some_and(|word| word.withdraws(eid)) {
            self.cancel(topic);
        }
    }

    /// Takes back all that is to be withdrawn under an EID, what is on its way included: it is not said again, whatever becomes
    /// of it.
    pub(crate) fn take_withdrawals(&mut self, eid: Eid) -> Vec<Change> {
        let (sent, kept) =
            core::mem::take(&mut self.in_flight).into_iter().partition(|sent| sent.word.withdraws(eid));
        self.in_flight = kept;
        let sent: VecDeque<Sent> = sent;
        let pending = self.pending.remove_all(|word| word.withdraws(eid));
        let words = sent.into_iter().map(|sent| sent.word).chain(pending);
        words.filter_map(Word::into_change).collect()
    }

    /// Takes back what was to be told of a server elsewhere, on its way or not: it speaks for itself here.
    pub(crate) fn cancel_told(&mut self, eid: Eid) {
        self.in_flight.retain(|sent| !sent.word.tells(eid));
        self.pending.remove_all(|word| word.tells(eid));
    }

    /// The next word to send and its number, when the window has room.
    pub(crate) fn send(&mut self, now: Duration) -> Option<(Word, u64)> {
        if self.in_flight.len() >= self.window {
            return None;
        }
        let Waiting { word, since } = self.pending.pop()?;
        self.waited = now.saturating_sub(since);
        self.sequence += 1;
        self.in_flight.push_back(Sent { word: word.clone(), sequence: self.sequence, at: now });
        Some((word, self.sequence))
    }

    /// Confirms the oldest unconfirmed word about this topic, or the one of that number. The path keeps order, so
    /// unconfirmed words sent before it were lost on the way: they wait again. Returns how many.
    pub(crate) fn confirm(&mut self, topic: &Topic, sequence: Option<u64>) -> usize {
        let is_it = |sent: &Sent| match sequence {
            Some(sequence) => sent.sequence == sequence,
            None => sent.word.topic() == *topic,
        };
        let Some(position) = self.in_flight.iter().position(is_it) else { return 0 };
        let mut lost: VecDeque<_> = self.in_flight.drain(..=position).collect();
        let confirmed = lost.pop_back().map(|sent| sent.word.topic());
        let count = lost.len();
        // What was lost of the same is no longer true.
        lost.retain(|sent| Some(sent.word.topic()) != confirmed);
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

    /// Whether a word about this waits or is on its way.
    pub(crate) fn has(&self, topic: &Topic) -> bool {
        self.pending.get(topic).is_some() || self.is_in_flight(topic)
    }

    /// Whether a word about this is on its way.
    pub(crate) fn is_in_flight(&self, topic: &Topic) -> bool {
        self.in_flight.iter().any(|sent| sent.word.topic() == *topic)
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
            let overtaken = self.pending.get(&topic).is_some()
                || self.in_flight.iter().any(|sent| sent.word.topic() == topic);
            if !overtaken {
                self.pending.push_front(Waiting { word, since: self.now });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, DeviceState};

    const EID: Eid = Eid([0, 0, 0, 0, 0, 1]);

    fn word(device: &str, state: DeviceState) -> Word {
        let device = Device::new(device).unwrap();
        Word::Change { eid: EID, change: Change::DeviceState { device, state, cachable: true }, time: 0 }
    }

    fn drain(outbox: &mut Outbox) -> Vec<Word> {
        core::iter::from_fn(|| outbox.send(Duration::ZERO)).map(|(word, _)| word).collect()
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
        assert_eq!(outbox.confirm(&word("a", DeviceState::InUse).topic(), None), 0);
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
        assert_eq!(outbox.confirm(&word("c", DeviceState::Ringing).topic(), None), 2);
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

    #[test]
    fn a_word_is_confirmed_by_its_number_and_not_by_an_older_one_about_the_same() {
        let mut outbox = Outbox::new(8);
        let ringing = word("a", DeviceState::Ringing);
        outbox.push(ringing.clone()).unwrap();
        let (_, first) = outbox.send(Duration::ZERO).unwrap();
        outbox.requeue();
        let (_, second) = outbox.send(Duration::ZERO).unwrap();
        assert!(first < second);
        outbox.confirm(&ringing.topic(), Some(first));
        assert_eq!(outbox.len(), 1);
        outbox.confirm(&ringing.topic(), Some(second));
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_lost_word_is_not_repeated_after_a_newer_one_about_the_same() {
        let mut outbox = Outbox::new(8);
        for state in [DeviceState::NotInUse, DeviceState::InUse] {
            outbox.push(word("a", state)).unwrap();
            outbox.send(Duration::ZERO);
        }
        assert_eq!(outbox.confirm(&word("a", DeviceState::InUse).topic(), Some(2)), 1);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_word_that_is_to_be_last_waits_behind_all_others() {
        let mut outbox = Outbox::new(8);
        outbox.push(Word::Digest).unwrap();
        outbox.push(word("a", DeviceState::Ringing)).unwrap();
        outbox.push_last(Word::Digest).unwrap();
        assert_eq!(drain(&mut outbox), [word("a", DeviceState::Ringing), Word::Digest]);
    }

    #[test]
    fn of_a_mailbox_a_server_is_told_the_latest_word_whoever_says_it() {
        let mut outbox = Outbox::new(1);
        let mailbox = Mailbox::new("100@default").unwrap();
        let light = |server: u8, new: u32| {
            let counts = MessageCounts { new, old: 0 };
            Word::told(Eid([0, 0, 0, 0, 0, server]), Change::Mwi { mailbox: mailbox.clone(), counts })
        };
        for (server, new) in [(1, 1), (2, 2), (1, 3)] {
            outbox.push(light(server, new)).unwrap();
        }
        assert_eq!(drain(&mut outbox), [light(1, 3)]);
        outbox.push(light(2, 4)).unwrap();
        assert_eq!(outbox.requeue(), 1);
        assert_eq!(drain(&mut outbox), [light(2, 4)]);
    }

    #[test]
    fn what_is_taken_back_is_not_said() {
        let mut outbox = Outbox::new(8);
        outbox.push(word("a", DeviceState::Ringing)).unwrap();
        outbox.cancel(&word("a", DeviceState::Ringing).topic());
        assert_eq!(drain(&mut outbox), []);
    }
}

//! Message counts of mailboxes.
//!
//! An Asterisk has one value for each mailbox, whoever said it last. So the right value is the latest word of a server
//! that is there; the words of the others are kept, because the right value falls back to them when that server goes.

use crate::states::{Effect, Hash};
use crate::{Change, Eid, Mailbox, MessageCounts, Stamp};
use alloc::vec::Vec;

/// What every server says of each mailbox.
pub(crate) struct Mailboxes {
    /// The words about each mailbox, by different servers, the latest last; never empty.
    words: hashbrown::HashMap<Mailbox, Vec<Word>, Hash>,
}

#[derive(Clone, Copy)]
struct Word {
    eid: Eid,
    counts: MessageCounts,
    stamp: Stamp,
    suspect: bool,
}

impl Mailboxes {
    pub(crate) fn new(hash: Hash) -> Self {
        Self { words: hashbrown::HashMap::with_hasher(hash) }
    }

    /// Enters a word; `new` says whether a server may speak of a mailbox for the first time.
    pub(crate) fn enter(
        &mut self,
        eid: Eid,
        mailbox: &Mailbox,
        counts: MessageCounts,
        stamp: Stamp,
        new: bool,
    ) -> Effect {
        let word = Word { eid, counts, stamp, suspect: false };
        let Some(words) = self.words.get_mut(mailbox) else {
            if new {
                self.words.insert(mailbox.clone(), Vec::from([word]));
            }
            return if new { Effect::New } else { Effect::Full };
        };
        let Some(position) = words.iter().position(|known| known.eid == eid) else {
            if new {
                words.push(word);
            }
            return if new { Effect::New } else { Effect::Full };
        };
        let known = words[position];
        if stamp.is_stale(&known.stamp) {
            return Effect::Stale;
        }
        if known.counts != counts {
            words.remove(position);
            words.push(word);
            return Effect::News;
        }
        words[position] = word;
        if position + 1 == words.len() { Effect::Known } else { Effect::Restated }
    }

    /// A word has taken its place in the order of the group: makes it the latest, if it still stands.
    pub(crate) fn settle(&mut self, eid: Eid, mailbox: &Mailbox, counts: MessageCounts) -> Effect {
        let Some(words) = self.words.get_mut(mailbox) else { return Effect::Stale };
        let Some(position) = words.iter().position(|known| known.eid == eid && known.counts == counts) else {
            return Effect::Stale;
        };
        if position + 1 == words.len() {
            return Effect::Known;
        }
        let before = words.last().map(|last| last.counts);
        words[position..].rotate_left(1);
        if before == Some(counts) { Effect::Restated } else { Effect::News }
    }

    /// Puts the words about a mailbox in the order of their versions.
    pub(crate) fn order<V: Ord>(&mut self, mailbox: &Mailbox, version: impl Fn(Eid) -> V) {
        if let Some(words) = self.words.get_mut(mailbox) {
            words.sort_by_key(|word| version(word.eid));
        }
    }

    /// Forgets a word. Returns the values that the mailbox had and has.
    pub(crate) fn take(&mut self, eid: Eid, mailbox: &Mailbox) -> Option<(MessageCounts, MessageCounts)> {
        let words = self.words.get_mut(mailbox)?;
        let position = words.iter().position(|known| known.eid == eid)?;
        let value = |words: &[Word]| words.last().map(|last| last.counts).unwrap_or_default();
        let before = value(words);
        words.remove(position);
        let after = value(words);
        if words.is_empty() {
            self.words.remove(mailbox);
        }
        Some((before, after))
    }

    /// The mailboxes that a server speaks of.
    pub(crate) fn of(&self, eid: Eid) -> Vec<Mailbox> {
        self.filter(|words| words.iter().any(|word| word.eid == eid))
    }

    /// The mailboxes of which a server has not said again what it said.
    pub(crate) fn suspects(&self, eid: Eid) -> Vec<Mailbox> {
        self.filter(|words| words.iter().any(|word| word.eid == eid && word.suspect))
    }

    pub(crate) fn suspect(&mut self, eid: Eid) {
        for word in self.words.values_mut().flatten().filter(|word| word.eid == eid) {
            word.suspect = true;
        }
    }

    /// Whether what a server says of a mailbox is in doubt.
    pub(crate) fn is_suspect(&self, eid: Eid, mailbox: &Mailbox) -> bool {
        self.words.get(mailbox).into_iter().flatten().any(|word| word.eid == eid && word.suspect)
    }

    /// The mailboxes whose value is a server's word, as changes that would say it again, with the time of the word.
    pub(crate) fn led_by(&self, eid: Eid) -> impl Iterator<Item = (Change, u64)> {
        self.words.iter().filter_map(move |(mailbox, words)| {
            let last = words.last().filter(|last| last.eid == eid)?;
            Some((Change::Mwi { mailbox: mailbox.clone(), counts: last.counts }, last.stamp.time))
        })
    }

    /// Who said last what of a mailbox.
    pub(crate) fn latest(&self, mailbox: &Mailbox) -> Option<(Eid, MessageCounts)> {
        self.words.get(mailbox)?.last().map(|last| (last.eid, last.counts))
    }

    /// What each server says of a mailbox, the latest word last.
    pub(crate) fn said(&self, mailbox: &Mailbox) -> impl Iterator<Item = (Eid, MessageCounts)> {
        self.words(mailbox).map(|(eid, counts, _)| (eid, counts))
    }

    /// The same with what was stamped on each word.
    pub(crate) fn words(&self, mailbox: &Mailbox) -> impl Iterator<Item = (Eid, MessageCounts, Stamp)> {
        self.words.get(mailbox).into_iter().flatten().map(|word| (word.eid, word.counts, word.stamp))
    }

    /// Every mailbox.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Mailbox> {
        self.words.keys()
    }

    fn filter(&self, fits: impl Fn(&[Word]) -> bool) -> Vec<Mailbox> {
        self.words.iter().filter(|(_, words)| fits(words)).map(|(mailbox, _)| mailbox.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::states::hash;

    const A: Eid = Eid([0, 0, 0, 0, 0, 1]);
    const B: Eid = Eid([0, 0, 0, 0, 0, 2]);

    fn counts(new: u32) -> MessageCounts {
        MessageCounts { new, old: 0 }
    }

    fn enter(mailboxes: &mut Mailboxes, eid: Eid, new: u32) -> Effect {
        mailboxes.enter(eid, &mailbox(), counts(new), Stamp::default(), true)
    }

    fn mailbox() -> Mailbox {
        Mailbox::new("100@default").unwrap()
    }

    #[test]
    fn the_latest_word_counts_and_saying_it_again_changes_nothing() {
        let mut mailboxes = Mailboxes::new(hash(0));
        assert_eq!(enter(&mut mailboxes, A, 3), Effect::New);
        assert_eq!(enter(&mut mailboxes, B, 1), Effect::New);
        assert_eq!(enter(&mut mailboxes, B, 1), Effect::Known);
        assert_eq!(enter(&mut mailboxes, A, 3), Effect::Restated, "as a dump does");
        assert_eq!(mailboxes.latest(&mailbox()), Some((B, counts(1))));
        assert_eq!(enter(&mut mailboxes, A, 4), Effect::News);
        assert_eq!(mailboxes.latest(&mailbox()), Some((A, counts(4))));
    }

    #[test]
    fn the_value_falls_back_to_the_server_that_spoke_before() {
        let mut mailboxes = Mailboxes::new(hash(0));
        enter(&mut mailboxes, A, 3);
        enter(&mut mailboxes, B, 1);
        assert_eq!(mailboxes.take(B, &mailbox()), Some((counts(1), counts(3))));
        assert_eq!(mailboxes.take(B, &mailbox()), None);
        assert_eq!(mailboxes.take(A, &mailbox()), Some((counts(3), counts(0))));
        assert_eq!(mailboxes.names().count(), 0);
    }

    #[test]
    fn a_server_that_spoke_earlier_takes_nothing_with_it() {
        let mut mailboxes = Mailboxes::new(hash(0));
        enter(&mut mailboxes, A, 3);
        enter(&mut mailboxes, B, 1);
        assert_eq!(mailboxes.take(A, &mailbox()), Some((counts(1), counts(1))));
        assert_eq!(mailboxes.latest(&mailbox()), Some((B, counts(1))));
    }

    #[test]
    fn the_order_of_the_group_decides_who_spoke_last() {
        let mut mailboxes = Mailboxes::new(hash(0));
        enter(&mut mailboxes, A, 3);
        enter(&mut mailboxes, B, 1);
        assert_eq!(mailboxes.settle(A, &mailbox(), counts(3)), Effect::News);
        assert_eq!(mailboxes.latest(&mailbox()), Some((A, counts(3))));
        assert_eq!(mailboxes.settle(A, &mailbox(), counts(3)), Effect::Known);
        assert_eq!(mailboxes.settle(B, &mailbox(), counts(7)), Effect::Stale, "it has said something newer");
        enter(&mut mailboxes, B, 3);
        assert_eq!(mailboxes.settle(A, &mailbox(), counts(3)), Effect::Restated, "the same by another");
    }
}

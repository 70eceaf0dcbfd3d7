//! A journal: everything that was heard, in order, to be asked and awaited from a mark onwards.
//!
//! Nothing is lost between setting a thing and waiting for its effect: take the mark first, then act, then wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

/// A place in a journal: what is written after it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark(usize);

/// Entries in the order in which they were heard; clones share them.
pub struct Journal<T> {
    entries: Arc<Mutex<Entries<T>>>,
    length: Arc<watch::Sender<usize>>,
}

struct Entries<T> {
    /// So many were drained before those in the list.
    drained: usize,
    list: Vec<T>,
}

impl<T> Entries<T> {
    fn end(&self) -> usize {
        self.drained + self.list.len()
    }

    fn after(&self, place: usize) -> impl Iterator<Item = &T> {
        self.list.iter().skip(place.saturating_sub(self.drained))
    }
}

impl<T> Journal<T> {
    /// The place after the last entry.
    pub fn mark(&self) -> Mark {
        Mark(self.entries().end())
    }

    /// Writes one entry and wakes whoever waits.
    pub fn push(&self, entry: T) {
        let length = {
            let mut entries = self.entries();
            entries.list.push(entry);
            entries.end()
        };
        self.length.send_replace(length);
    }

    /// What `pick` makes of the entries after `since`, as many as it picks.
    pub fn since<R>(&self, since: Mark, pick: impl FnMut(&T) -> Option<R>) -> Vec<R> {
        self.entries().after(since.0).filter_map(pick).collect()
    }

    /// The first entry after `since` that `pick` takes, also one that is still to come before `deadline`.
    pub async fn first<R>(
        &self,
        since: Mark,
        deadline: Instant,
        mut pick: impl FnMut(&T) -> Option<R>,
    ) -> Option<R> {
        let mut length = self.length.subscribe();
        let mut cursor = since.0;
        loop {
            length.mark_unchanged();
            {
                let entries = self.entries();
                if let Some(found) = entries.after(cursor).find_map(&mut pick) {
                    return Some(found);
                }
                cursor = entries.end().max(cursor);
            }
            tokio::time::timeout_at(deadline.into(), length.changed()).await.ok()?.ok()?;
        }
    }

    /// Takes all entries out of the journal, as soon as there are any: for who reads for long and must not grow.
    pub async fn drain(&self) -> Vec<T> {
        let mut length = self.length.subscribe();
        loop {
            length.mark_unchanged();
            {
                let mut entries = self.entries();
                if !entries.list.is_empty() {
                    entries.drained = entries.end();
                    return std::mem::take(&mut entries.list);
                }
            }
            // The sender lives as long as this journal does.
            drop(length.changed().await);
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries<T>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Journal<T> {
    fn default() -> Self {
        let entries = Entries { drained: 0, list: Vec::new() };
        Self { entries: Arc::new(Mutex::new(entries)), length: Arc::new(watch::Sender::new(0)) }
    }
}

impl<T> Clone for Journal<T> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone(), length: self.length.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn an_entry_before_the_mark_is_not_taken() {
        let journal = Journal::default();
        journal.push(1);
        let mark = journal.mark();
        let soon = Instant::now() + Duration::from_millis(20);
        assert_eq!(journal.first(mark, soon, |&entry| (entry == 1).then_some(())).await, None);
    }

    #[tokio::test]
    async fn an_entry_between_the_mark_and_the_wait_is_taken() {
        let journal = Journal::default();
        let mark = journal.mark();
        journal.push(2);
        assert_eq!(journal.first(mark, Instant::now(), |&entry| Some(entry)).await, Some(2));
    }

    #[tokio::test]
    async fn what_was_drained_is_gone_and_marks_stay_right() {
        let journal = Journal::default();
        journal.push(1);
        let mark = journal.mark();
        journal.push(2);
        assert_eq!(journal.drain().await, [1, 2]);
        journal.push(3);
        assert_eq!(journal.since(mark, |&entry| Some(entry)), [3]);
        assert_eq!(journal.mark(), Mark(3));
    }

    #[tokio::test]
    async fn a_later_entry_wakes_the_wait() {
        let journal = Journal::default();
        let writer = journal.clone();
        let mark = journal.mark();
        tokio::spawn(async move {
            for entry in 0..100 {
                tokio::task::yield_now().await;
                writer.push(entry);
            }
        });
        let deadline = Instant::now() + Duration::from_secs(5);
        assert_eq!(journal.first(mark, deadline, |&entry| (entry == 99).then_some(entry)).await, Some(99));
        assert_eq!(journal.since(mark, |&entry| Some(entry)).len(), 100);
    }
}

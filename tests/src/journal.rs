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
    entries: Arc<Mutex<Vec<T>>>,
    length: Arc<watch::Sender<usize>>,
}

impl<T> Journal<T> {
    /// The place after the last entry.
    pub fn mark(&self) -> Mark {
        Mark(self.entries().len())
    }

    /// Writes one entry and wakes whoever waits.
    pub fn push(&self, entry: T) {
        let length = {
            let mut entries = self.entries();
            entries.push(entry);
            entries.len()
        };
        self.length.send_replace(length);
    }

    /// What `pick` makes of the entries after `since`, as many as it picks.
    pub fn since<R>(&self, since: Mark, pick: impl FnMut(&T) -> Option<R>) -> Vec<R> {
        self.entries().iter().skip(since.0).filter_map(pick).collect()
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
                if let Some(found) = entries.iter().skip(cursor).find_map(&mut pick) {
                    return Some(found);
                }
                cursor = entries.len().max(cursor);
            }
            tokio::time::timeout_at(deadline.into(), length.changed()).await.ok()?.ok()?;
        }
    }

    fn entries(&self) -> MutexGuard<'_, Vec<T>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Default for Journal<T> {
    fn default() -> Self {
        Self { entries: Arc::default(), length: Arc::new(watch::Sender::new(0)) }
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

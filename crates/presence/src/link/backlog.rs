//! What is still to be told on one link: names of things only, so that each is told as it is when its turn comes.

use crate::states::{Hash, hash};
use alloc::collections::VecDeque;
use hashbrown::HashSet;

/// A queue in which nothing stands twice.
pub(crate) struct Backlog<K> {
    order: VecDeque<K>,
    waiting: HashSet<K, Hash>,
}

impl<K: Clone + Eq + core::hash::Hash> Backlog<K> {
    pub(crate) fn new() -> Self {
        Self { order: VecDeque::new(), waiting: HashSet::with_hasher(hash(0)) }
    }

    /// Lets something wait; what waits already keeps its place.
    pub(crate) fn push(&mut self, key: K) {
        if self.waiting.insert(key.clone()) {
            self.order.push_back(key);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<K> {
        let key = self.order.pop_front()?;
        self.waiting.remove(&key);
        Some(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_already_keeps_its_place_and_is_told_once() {
        let mut backlog = Backlog::new();
        [1, 2, 1, 3].into_iter().for_each(|key| backlog.push(key));
        assert_eq!(backlog.len(), 3);
        assert_eq!(
            [backlog.pop(), backlog.pop(), backlog.pop(), backlog.pop()],
            [Some(1), Some(2), Some(3), None]
        );
        backlog.push(1);
        assert!(!backlog.is_empty());
    }
}

//! What is still to be told on one link: names of things only, so that each is told as it is when its turn comes.
//!
//! When all is copied to many peers at once, nearly all may wait for each of them. So each thing is kept once, in its place; a table of
//! places finds it.

use crate::states::{Hash, hash};
use alloc::collections::VecDeque;
use core::hash::BuildHasher;
use hashbrown::HashTable;

/// An empty backlog keeps no more room than this; what the longest rush took is given back.
const ROOM_KEPT: usize = 1_024;

/// A queue in which nothing stands twice.
pub(crate) struct Backlog<K> {
    order: VecDeque<K>,
    /// The number of the first place. Numbers begin again at zero after the last.
    first: u32,
    numbers: HashTable<u32>,
    hash: Hash,
}

impl<K: Clone + Eq + core::hash::Hash> Backlog<K> {
    pub(crate) fn new() -> Self {
        Self { order: VecDeque::new(), first: 0, numbers: HashTable::new(), hash: hash(0) }
    }

    /// Lets something wait; what waits already keeps its place.
    pub(crate) fn push(&mut self, key: K) {
        let Self { order, first, numbers, hash } = self;
        let at = |number: &u32| &order[number.wrapping_sub(*first) as usize];
        let code = hash.hash_one(&key);
        if numbers.find(code, |number| *at(number) == key).is_none() {
            numbers.insert_unique(code, first.wrapping_add(order.len() as u32), |number| {
                hash.hash_one(at(number))
            });
            order.push_back(key);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<K> {
        let (key, number) = (self.order.pop_front()?, self.first);
        self.first = number.wrapping_add(1);
        if let Ok(entry) = self.numbers.find_entry(self.hash.hash_one(&key), |it| *it == number) {
            entry.remove();
        }
        if self.order.is_empty() && self.order.capacity() > ROOM_KEPT {
            *self = Self { first: self.first, ..Self::new() };
        }
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
    use std::vec::Vec;

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

    #[test]
    fn what_comes_while_others_go_is_found_even_where_numbers_begin_again() {
        let mut backlog = Backlog { first: u32::MAX - 1_000, ..Backlog::new() };
        let mut told = Vec::new();
        for key in 0..3_000 {
            backlog.push(key);
            backlog.push(key);
            backlog.push(key / 2 + key / 4);
            told.extend(if key % 3 == 0 { backlog.pop() } else { None });
        }
        let rest: Vec<_> = std::iter::from_fn(|| backlog.pop()).collect();
        let mut distinct = rest.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), rest.len());
        assert!((0..3_000).all(|key| told.contains(&key) || rest.contains(&key)));
    }

    #[test]
    fn what_a_rush_took_is_given_back() {
        let mut backlog = Backlog::new();
        (0..100_000).for_each(|key| backlog.push(key));
        while backlog.pop().is_some() {}
        assert_eq!((backlog.order.capacity(), backlog.numbers.capacity()), (0, 0));
    }
}

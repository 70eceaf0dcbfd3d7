//! What came over our links and falls to another node of the site to say in the group: if it does not, we do.

use super::ledger::Version;
use crate::states::{Hash, hash};
use crate::{Eid, Subject};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;
use hashbrown::HashMap;

type Key = (Eid, Subject);

pub(crate) struct Standby {
    /// In the order in which they fall due; some are settled by now.
    order: VecDeque<(Duration, Key)>,
    waiting: HashMap<Key, Waiting, Hash>,
}

struct Waiting {
    version: Version,
    due: Duration,
}

impl Standby {
    pub(crate) fn new() -> Self {
        Self { order: VecDeque::new(), waiting: HashMap::with_hasher(hash(0)) }
    }

    /// Waits for the group to say this version.
    pub(crate) fn wait(&mut self, due: Duration, eid: Eid, subject: &Subject, version: Version) {
        let key = (eid, subject.clone());
        match self.waiting.get_mut(&key) {
            // It does not get more time for being news again.
            Some(waiting) => waiting.version = version,
            None => {
                self.waiting.insert(key.clone(), Waiting { version, due });
                self.order.push_back((due, key));
            }
        }
    }

    /// The group has said this version.
    pub(crate) fn settle(&mut self, eid: Eid, subject: &Subject, version: Version) {
        let key = (eid, subject.clone());
        if self.waiting.get(&key).is_some_and(|waiting| waiting.version <= version) {
            self.waiting.remove(&key);
        }
        if self.waiting.is_empty() {
            self.order.clear();
        }
    }

    /// When the next falls due.
    pub(crate) fn due_at(&self) -> Option<Duration> {
        if self.waiting.is_empty() { None } else { self.order.front().map(|(due, _)| *due) }
    }

    /// What the group has not said in time.
    pub(crate) fn take_due(&mut self, now: Duration) -> Vec<Key> {
        let mut due = Vec::new();
        while let Some((_, key)) = self.order.pop_front_if(|(due, _)| *due <= now) {
            if self.waiting.get(&key).is_some_and(|waiting| waiting.due <= now) {
                self.waiting.remove(&key);
                due.push(key);
            }
        }
        due
    }

    /// What falls to us now.
    pub(crate) fn take(&mut self, ours: impl Fn(Eid) -> bool) -> Vec<Key> {
        self.waiting.extract_if(|(eid, _), _| ours(*eid)).map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    const PBX: Eid = Eid([2, 0, 0, 0, 1, 1]);
    const NOW: Duration = Duration::from_secs(9);

    fn lamp(number: usize) -> Subject {
        Subject::Device(Device::new(&std::format!("Custom:{number}")).unwrap())
    }

    fn version(clock: u64) -> Version {
        Version { clock, writer: PBX }
    }

    #[test]
    fn what_the_group_says_in_time_or_newer_is_not_said_again() {
        let mut standby = Standby::new();
        (0..3).for_each(|number| standby.wait(NOW, PBX, &lamp(number), version(5)));
        standby.settle(PBX, &lamp(0), version(5));
        standby.settle(PBX, &lamp(1), version(4));
        assert_eq!(standby.take_due(NOW - Duration::from_secs(1)), []);
        assert_eq!(standby.take_due(NOW), [(PBX, lamp(1)), (PBX, lamp(2))]);
        assert_eq!(standby.due_at(), None);
    }

    #[test]
    fn what_is_news_again_has_no_more_time_and_what_is_settled_and_waits_again_has_all() {
        let mut standby = Standby::new();
        standby.wait(NOW, PBX, &lamp(0), version(5));
        standby.wait(NOW * 2, PBX, &lamp(0), version(6));
        assert_eq!(standby.take_due(NOW), [(PBX, lamp(0))]);
        standby.wait(NOW, PBX, &lamp(0), version(7));
        standby.settle(PBX, &lamp(0), version(7));
        standby.wait(NOW * 2, PBX, &lamp(0), version(8));
        assert_eq!(standby.take_due(NOW), []);
        assert_eq!(standby.due_at(), Some(NOW * 2));
    }

    #[test]
    fn whoever_it_falls_to_takes_it_at_once() {
        let mut standby = Standby::new();
        standby.wait(NOW, PBX, &lamp(0), version(5));
        assert_eq!(standby.take(|eid| eid != PBX), []);
        assert_eq!(standby.take(|eid| eid == PBX), [(PBX, lamp(0))]);
        assert_eq!(standby.take_due(NOW), []);
    }
}

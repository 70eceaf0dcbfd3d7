//! What a storm has heard, its own words included.

use corosync_rs::Member;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counted by the session's thread, read by the other.
#[derive(Default)]
pub(crate) struct Tally(Mutex<BTreeMap<(u32, u32), Counts>>);

#[derive(Clone, Copy, Default)]
struct Counts {
    messages: u64,
    bytes: u64,
}

/// One line of JSON. What is counted is counted since the member joined; times are those of the last `say`.
#[derive(Serialize)]
pub(crate) struct Report {
    /// Changes that were handed over.
    pub(crate) changes: u64,
    /// All messages that were handed over: changes, states said again, introductions.
    pub(crate) sent: u64,
    /// How many of them came back.
    pub(crate) delivered: u64,
    /// How often corosync was too busy to take one.
    pub(crate) throttled: u64,
    /// How many corosync took and did not deliver.
    pub(crate) lost: u64,
    /// From the first change of the run to the time of the last.
    pub(crate) seconds: f64,
    /// The longest that a change of the run waited for its turn after its intended time.
    pub(crate) behind_ms_max: f64,
    pub(crate) heard: Vec<Heard>,
}

/// What one member has said: messages as they were delivered, without corosync's own headers.
#[derive(Serialize)]
pub(crate) struct Heard {
    nodeid: u32,
    pid: u32,
    messages: u64,
    bytes: u64,
}

impl Tally {
    pub(crate) fn heard(&self, from: Member, length: usize) {
        let mut members = self.members();
        let counts = members.entry((from.nodeid, from.pid)).or_default();
        counts.messages += 1;
        counts.bytes += length as u64;
    }

    pub(crate) fn messages_of(&self, member: (u32, u32)) -> u64 {
        self.members().get(&member).map_or(0, |counts| counts.messages)
    }

    pub(crate) fn all(&self) -> Vec<Heard> {
        let members = self.members();
        let heard = |(&(nodeid, pid), counts): (&(u32, u32), &Counts)| Heard {
            nodeid,
            pid,
            messages: counts.messages,
            bytes: counts.bytes,
        };
        members.iter().map(heard).collect()
    }

    fn members(&self) -> MutexGuard<'_, BTreeMap<(u32, u32), Counts>> {
        // What is counted is only added to: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

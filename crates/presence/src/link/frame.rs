//! What nodes tell each other over a link.

use super::ledger::{BUCKETS, Version};
use super::roster::Adjacency;
use crate::{Change, Eid, Stamp};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// One frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Frame {
    /// The first frame of each side.
    Hello(Hello),
    /// What some node says of itself; goes on to all others.
    Adjacency(Adjacency),
    /// All servers of which the sender has states. The receiver asks about those where it differs.
    Digest(Vec<Standing>),
    /// The sender's fingerprints of one server's states, part by part. The receiver tells all that it has in parts that differ.
    Buckets {
        /// The server.
        eid: Eid,
        /// The fingerprints.
        fingerprints: Box<[u64; BUCKETS]>,
        /// Whether it answers the receiver's own.
        answer: bool,
    },
    /// States, each the latest that the sender knows.
    States(Vec<Statement>),
}

/// Who the sender is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The node.
    pub node: Eid,
    /// The name of its site.
    pub site: Box<str>,
    /// Its incarnation: the microsecond since 1970 in which it started.
    pub incarnation: u64,
}

/// How far the sender has come with one server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The server.
    pub eid: Eid,
    /// How many states are known, those taken back included.
    pub states: u32,
    /// Equal where two nodes know the same.
    pub fingerprint: u64,
}

/// One state of the wide world.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// The server whose state it is.
    pub eid: Eid,
    /// The state; of one that was taken back, what lights nothing.
    pub change: Change,
    /// Whether it was taken back.
    pub withdrawn: bool,
    /// Which of several words about it is the newest.
    pub version: Version,
    /// What its node had stamped on it; zero where the server speaks for itself.
    pub origin: Stamp,
}

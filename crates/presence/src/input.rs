//! What happens to the node.

use crate::link::{Frame, PeerId};
use crate::{Change, Eid, Member, Message, ServerId};
use alloc::vec::Vec;
use core::time::Duration;

/// An input. Everything that can move the node is here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// The node is in the group.
    Joined {
        /// The node itself.
        me: Member,
        /// Everyone in the group, the node included.
        members: Vec<Member>,
    },
    /// Others came or went: one change of the group's configuration.
    Changed {
        /// Who is new, and how they came.
        joined: Vec<(Member, Arrival)>,
        /// Who is gone.
        left: Vec<Member>,
    },
    /// The node is out of the group, or cannot come in.
    Lost,
    /// A message of the group, in its total order; our own ones come back too.
    Delivered {
        /// The sender.
        from: Member,
        /// What it said.
        message: Message,
    },
    /// A server of this node states something of its own; [`Output::Answer`](crate::Output::Answer) follows.
    Report {
        /// The server.
        server: ServerId,
        /// Names the report in its answer.
        report: u64,
        /// The EID under which it speaks.
        eid: Eid,
        /// What it states.
        change: Change,
    },
    /// A server of this node says who it is, and states nothing: it is to be told all the same.
    Named {
        /// The server.
        server: ServerId,
        /// The EID under which it speaks.
        eid: Eid,
    },
    /// The one thing in flight to a server ended.
    Settled {
        /// The server.
        server: ServerId,
        /// How.
        outcome: Outcome,
    },
    /// A server answers, for the first time or again.
    Alive(ServerId),
    /// A server is gone.
    Silent(ServerId),
    /// A server began anew: what it does not say again is gone, and it knows nothing.
    Restarted(ServerId),
    /// A server asks to be told everything, or has lost what it was told.
    ResyncAsked(ServerId),
    /// There is a connection with a node of another site.
    LinkUp(PeerId),
    /// It is gone.
    LinkDown {
        /// The node.
        peer: PeerId,
        /// How long nothing had come on it.
        silent: Duration,
    },
    /// A node of another site tells something.
    LinkFrame {
        /// The node.
        peer: PeerId,
        /// What.
        frame: Frame,
    },
    /// An operator wants a sign of life sent to the group.
    Ping,
    /// The node is to go: it takes back what others know only through it, and takes nothing new.
    Stop,
}

/// How a member came into the group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// The process joined. Every stock member multicasts its states on this, and reliably so.
    Process,
    /// Its machine came into reach, with processes that were in the group there: two parts of a split group have merged. What
    /// stock members multicast on this is mostly lost, because nobody may send yet.
    Machine,
}

/// How the one thing in flight to a server ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The server took it.
    Accepted,
    /// The server will never take it.
    Rejected,
    /// No answer, or not now: it is sent again later.
    Unanswered,
}

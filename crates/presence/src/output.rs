//! What the node wants done, and what it has to tell its operator: effects as values.

use crate::{Change, Eid, Kind, Member, Message};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// A server that the node serves, as its place in [`Config::servers`](crate::Config::servers).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerId(pub usize);

/// An effect. The driver carries it out in order; none is optional.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send to the group; its delivery to ourselves confirms it.
    Multicast(Message),
    /// Tell one server a state of another; [`Node::published`](crate::Node::published) reports how it ended.
    Publish {
        /// The server to tell.
        server: ServerId,
        /// The server whose state it is.
        eid: Eid,
        /// The state.
        change: Change,
    },
    /// Ask one server for all its states; [`Node::published`](crate::Node::published) reports how it ended.
    RequestRefresh {
        /// The server to ask.
        server: ServerId,
    },
    /// Tell the operator.
    Note(Note),
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

/// Why a server's report is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Another server has this EID, or the node itself has.
    #[error("another server has this EID")]
    EqualEid,
    /// The server is configured with another EID.
    #[error("not the EID configured for this server")]
    WrongEid,
    /// There is no room for more states of this server, or for more servers.
    #[error("too many states")]
    Full,
    /// The node is on its way out.
    #[error("the node is stopping")]
    Stopping,
}

/// Who holds an EID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Holder {
    /// The node itself.
    Node,
    /// A server of this node.
    Server(ServerId),
    /// The server behind a member of the group.
    Member(Member),
}

/// A fact for the operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// The node is in the group.
    Joined {
        /// How many members the group has.
        members: usize,
    },
    /// The node has told its states to the group and heard those of the others.
    Synced {
        /// Members that never introduced themselves, as a helper process does not.
        silent: Vec<Member>,
    },
    /// The node is out of the group; what it knows is kept for a while.
    GroupLost,
    /// The group stayed away too long: the states of its servers were withdrawn.
    GroupWithdrawn {
        /// How many servers.
        servers: usize,
    },
    /// A member has come.
    MemberJoined(Member),
    /// A member has gone, and with it the states of these servers.
    MemberLeft {
        /// The member.
        member: Member,
        /// The EIDs it spoke for.
        eids: Vec<Eid>,
    },
    /// A member spoke for an EID for the first time.
    SpeakerLearned {
        /// The EID.
        eid: Eid,
        /// The member.
        member: Member,
    },
    /// A member sent a ping.
    PingHeard {
        /// Whose word it is.
        eid: Eid,
        /// The member.
        member: Member,
    },
    /// A server of this node spoke for the first time.
    ServerLearned {
        /// The server.
        server: ServerId,
        /// Its EID.
        eid: Eid,
    },
    /// A server of this node answers again and will be told everything.
    ServerAlive(ServerId),
    /// A server of this node is gone; its states were withdrawn.
    ServerSilent(ServerId),
    /// A server of this node is to be told everything again.
    Resync {
        /// The server.
        server: ServerId,
        /// How many states it will be told.
        states: usize,
    },
    /// Two servers have the same EID; the second is not listened to. Told once per pair.
    EqualEid {
        /// The EID.
        eid: Eid,
        /// Who had it first.
        holder: Holder,
        /// Who came second.
        second: Holder,
    },
    /// A server of this node speaks with another EID than the configuration gives it. Told once per pair.
    WrongEid {
        /// The server.
        server: ServerId,
        /// The EID it speaks with.
        eid: Eid,
        /// The EID it should have.
        configured: Eid,
    },
    /// A message or report was dropped; state is untouched.
    Dropped(Drop),
    /// Words to the group did not come back and are sent again.
    Repeated(usize),
    /// A server did not answer; the word is sent again.
    Unanswered(ServerId),
    /// A server refused a word for good.
    Rejected(ServerId),
    /// A stock member's aggregate, or another message that changes nothing.
    Ignored(Kind),
}

/// Why something was dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Drop {
    /// Its EID belongs to somebody else.
    EqualEid,
    /// Its EID is not the one that its server is configured with.
    WrongEid,
    /// The table of states is full.
    TableFull,
    /// A queue is full.
    QueueFull,
    /// It came from a process that is no member.
    NotAMember,
    /// It came while the node was stopping.
    Stopping,
}

impl Drop {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::EqualEid, Self::WrongEid, Self::TableFull, Self::QueueFull, Self::NotAMember, Self::Stopping];

    /// The reason as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EqualEid => "equal_eid",
            Self::WrongEid => "wrong_eid",
            Self::TableFull => "table_full",
            Self::QueueFull => "queue_full",
            Self::NotAMember => "not_a_member",
            Self::Stopping => "stopping",
        }
    }
}

impl fmt::Display for Drop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a server of this node is told about itself: configuration, as the core needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerConfig {
    /// Its EID, when it is known beforehand; else it is learned from its first report.
    pub eid: Option<Eid>,
}

/// The node's configuration, as the core needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The node's own EID, with which it introduces itself to the group.
    pub eid: Eid,
    /// The address with which it introduces itself; only shown to operators.
    pub address: Box<str>,
    /// The servers it serves; [`ServerId`] counts them.
    pub servers: Vec<ServerConfig>,
}

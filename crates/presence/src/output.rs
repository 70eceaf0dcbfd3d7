//! What the node wants done, and what it has to tell its operator: effects as values.

use crate::link::{Barred, PeerId};
use crate::{Change, Eid, Kind, Member, Message, ServerId};
use alloc::vec::Vec;
use core::fmt;

/// An effect. The driver carries it out in order; none is optional.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send to the group; its delivery to ourselves confirms it.
    Multicast(Message),
    /// Bring about a plain join: let a second, short-lived process of this machine join the group and leave it at once. Every
    /// stock member says all its states again on it.
    Touch,
    /// Tell one server a state of another; [`Input::Settled`](crate::Input::Settled) reports how it ended.
    Publish {
        /// The server to tell.
        server: ServerId,
        /// The server whose state it is.
        eid: Eid,
        /// The state.
        change: Change,
    },
    /// Ask one server for all its states; [`Input::Settled`](crate::Input::Settled) reports how it ended.
    RequestRefresh {
        /// The server to ask.
        server: ServerId,
    },
    /// Answer a report.
    Answer {
        /// The server.
        server: ServerId,
        /// The report, as [`Input::Report`](crate::Input::Report) named it.
        report: u64,
        /// Whether it was taken.
        verdict: Result<(), Refusal>,
    },
    /// Tell the operator.
    Note(Note),
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
    /// A server of another site, for which this node vouches.
    Elsewhere(Eid),
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
    /// A peer says something that its link's filter does not let in. Told once for each rule and connection.
    Barred {
        /// The peer.
        peer: PeerId,
        /// The server.
        eid: Eid,
        /// The rule.
        rule: Barred,
    },
    /// The states of servers of other sites were withdrawn: no node that vouches for them has been in reach for the hold time.
    OutOfReach {
        /// The servers.
        eids: Vec<Eid>,
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
    /// A server of this node began anew; what it does not say again will be withdrawn.
    ServerRestarted(ServerId),
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
    Rejected {
        /// The server.
        server: ServerId,
        /// It has refused the word before, too.
        again: bool,
    },
    /// The group was told all that the servers of this node say, for newcomers.
    Dumped {
        /// How many states.
        states: usize,
    },
    /// A node was asked for the states of its servers, because this node has missed something.
    Requested {
        /// The member.
        from: Member,
        /// The servers.
        eids: Vec<Eid>,
    },
    /// A server did not say again what it had said before: these states were withdrawn.
    Swept {
        /// The server.
        eid: Eid,
        /// How many.
        states: usize,
    },
    /// This node takes back in the group what servers that are gone had said, for stock servers keep their lamps lit.
    TakenBack {
        /// How many states.
        states: usize,
    },
    /// A state was taken back of a server that is there and stands for it; it is repaired.
    StaleWithdrawal {
        /// The server.
        eid: Eid,
    },
    /// This node brings about a plain join, so that stock servers say all again.
    Touched,
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
    /// Something newer is known.
    Stale,
    /// Its device concerns nobody else.
    Ephemeral,
    /// A link's filter, or a server's, does not let it in.
    Barred,
}

impl Drop {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::EqualEid,
        Self::WrongEid,
        Self::TableFull,
        Self::QueueFull,
        Self::NotAMember,
        Self::Stopping,
        Self::Stale,
        Self::Ephemeral,
        Self::Barred,
    ];

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
            Self::Stale => "stale",
            Self::Ephemeral => "ephemeral",
            Self::Barred => "barred",
        }
    }
}

impl fmt::Display for Drop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

//! What the agent tells its driver.

use crate::counters::Counters;
use crate::queues::Queues;
use presence::{Change, Eid, ServerId};

/// Names one open report; see [`Event::Report`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReportId {
    pub(crate) server: ServerId,
    pub(crate) transaction: u64,
}

impl ReportId {
    /// The report of that number of a server.
    #[must_use]
    pub fn new(server: ServerId, number: u64) -> Self {
        Self { server, transaction: number }
    }

    /// Its number among the reports of its server.
    #[must_use]
    pub fn number(self) -> u64 {
        self.transaction
    }
}

/// What happened, for the driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A server states something; call [`answer`](crate::Agent::answer) at once: the server waits for it.
    Report {
        /// Names this report in the answer.
        report: ReportId,
        /// The server that speaks.
        server: ServerId,
        /// Whose state it is by the body's own word.
        eid: Eid,
        /// The state.
        change: Change,
    },
    /// The server asks for every state we have: its module was reloaded. Already answered.
    RefreshAsked {
        /// The server.
        server: ServerId,
        /// Its EID by the body's own word.
        eid: Eid,
    },
    /// The same, in a publication that it begins anew: it started, and has forgotten all that was. Already answered.
    Restarted {
        /// The server.
        server: ServerId,
        /// Its EID by the body's own word.
        eid: Eid,
    },
    /// The server no longer knows our publication (412): it restarted or let it expire, so it may have lost
    /// all that it was told. The message in flight is being sent anew.
    Forgotten {
        /// The server.
        server: ServerId,
    },
    /// What [`publish`](crate::Agent::publish) or [`request_refresh`](crate::Agent::request_refresh) began has ended.
    Published {
        /// The server.
        server: ServerId,
        /// How it ended.
        outcome: Outcome,
    },
    /// The server is gone: it does not answer, or its publications are removed or expired. Its states are to
    /// be withdrawn.
    Silent {
        /// The server.
        server: ServerId,
    },
    /// The server answers, for the first time or again. What it states from now on is news; what it stated
    /// before [`Event::Silent`] it repeats only when asked
    /// ([`request_refresh`](crate::Agent::request_refresh)).
    Alive {
        /// The server.
        server: ServerId,
    },
}

/// How a PUBLISH of ours ended. Ordered from good to bad.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Outcome {
    /// The server took it.
    Accepted,
    /// The server will never take this message: drop it. The answer is about the message or its event
    /// package (400, 404, 489, 500 …).
    Rejected {
        /// The status code.
        code: u16,
    },
    /// No answer, or one that is about the server and not about the message (401, 403, 408, 503 …): try again
    /// later.
    Unanswered,
}

/// Queues towards the driver, and what all parts of the agent share.
pub(crate) type Outbox = Queues<Event, Counters>;

//! What the agent counts: every drop, refusal, retry and expiry has a number.

use crate::queues::Overload;
use std::collections::BTreeMap;
use std::fmt;

/// Why a datagram or a request had no effect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DropKind {
    /// Bytes that are no SIP message; nothing was answered.
    Malformed,
    /// A message from an address that is none of the configured servers; a request got 403.
    UnknownSource,
    /// A response to nothing that we asked, or to what was answered before.
    StrayResponse,
    /// Wrong user, password or nonce; got 401.
    WrongCredentials,
    /// A method other than PUBLISH, OPTIONS and ACK; got 405.
    Method,
    /// No event package, or none of the two; got 489.
    EventPackage,
    /// A body that is not application/json; got 415.
    ContentType,
    /// A body that says nothing valid; got 400 with the field's name.
    Body,
    /// A request that contradicts itself (Expires no number, removal of nothing); got 400.
    Request,
    /// An unknown or replaced entity tag; got 412.
    EntityTag,
    /// A request older than one that was already obeyed; got 500.
    OutOfOrder,
    /// A publication shorter than we keep; got 423.
    TooBrief,
    /// A state that the caller refused; got 403.
    Refused,
    /// More than fits into a queue; the sender repeats a request.
    Overload,
}

impl DropKind {
    /// The kind as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownSource => "unknown_source",
            Self::StrayResponse => "stray_response",
            Self::WrongCredentials => "wrong_credentials",
            Self::Method => "method",
            Self::EventPackage => "event_package",
            Self::ContentType => "content_type",
            Self::Body => "body",
            Self::Request => "request",
            Self::EntityTag => "entity_tag",
            Self::OutOfOrder => "out_of_order",
            Self::TooBrief => "too_brief",
            Self::Refused => "refused",
            Self::Overload => "overload",
        }
    }
}

impl fmt::Display for DropKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a PUBLISH of ours was not accepted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Failure {
    /// No answer.
    Timeout,
    /// This answer, which nothing of ours could change.
    Status(u16),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("timeout"),
            Self::Status(code) => write!(f, "{code}"),
        }
    }
}

/// Totals since the agent began.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// What had no effect, by reason.
    pub drops: BTreeMap<DropKind, u64>,
    /// States that servers sent and that were passed on.
    pub reports: u64,
    /// Requests that came again and got the same answer again.
    pub repeated_requests: u64,
    /// Challenges (401) sent to servers.
    pub challenges_sent: u64,
    /// Challenges (401, 407) received from servers.
    pub challenges_received: u64,
    /// Publications of servers that expired.
    pub publications_expired: u64,
    /// Publications of servers that made room for newer ones.
    pub publications_evicted: u64,
    /// PUBLISH exchanges begun: states, refresh requests, renewals and removals.
    pub publishes_begun: u64,
    /// Those that were accepted.
    pub publishes_accepted: u64,
    /// Those that were not, by reason.
    pub publishes_failed: BTreeMap<Failure, u64>,
    /// Answers 412: the server had forgotten a publication of ours.
    pub forgotten: u64,
    /// Requests of ours that were sent again for want of an answer.
    pub retransmissions: u64,
}

impl Counters {
    pub(crate) fn dropped(&mut self, kind: DropKind) {
        *self.drops.entry(kind).or_default() += 1;
    }

    pub(crate) fn failed(&mut self, failure: Failure) {
        *self.publishes_failed.entry(failure).or_default() += 1;
    }
}

impl Overload for Counters {
    fn overloaded(&mut self) {
        self.dropped(DropKind::Overload);
    }
}

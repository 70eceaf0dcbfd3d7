//! What the watcher tells its driver, and what it counts.

use super::dialog_info::LampState;
use crate::counters::Failure;
use crate::queues::{Overload, Queues};
use presence::ServerId;
use std::collections::BTreeMap;
use std::fmt;

/// What happened, for the driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A server takes our subscription; the first state follows at once.
    Subscribed {
        /// The server.
        server: ServerId,
        /// The extension.
        exten: String,
    },
    /// A server tells what a lamp shows: a change, or the present state again after a subscription was made or
    /// refreshed.
    Lamp {
        /// The server.
        server: ServerId,
        /// The extension.
        exten: String,
        /// What the lamp shows.
        state: LampState,
    },
    /// The lamp is not watched, or no more; what it showed last is not known to hold. It is being subscribed
    /// to again. Told once until the reason changes.
    Lost {
        /// The server.
        server: ServerId,
        /// The extension.
        exten: String,
        /// Why.
        reason: Lost,
    },
}

/// Why a lamp is not watched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
pub enum Lost {
    /// The server does not answer.
    #[error("the server does not answer")]
    Silent,
    /// The server answered this: 401 or 403 for wrong credentials, 404 where there is no such hint.
    #[error("the server answered {0}")]
    Refused(u16),
    /// The server does not know the subscription any more, or counts its versions anew: it restarted.
    #[error("the server forgot the subscription")]
    Forgotten,
    /// The server ended the subscription.
    #[error("the server ended the subscription")]
    Ended,
    /// The subscription ran out before a refresh was accepted.
    #[error("the subscription ran out")]
    Expired,
    /// The server accepted the subscription or its refresh and told no state.
    #[error("the server told no state")]
    Mute,
}

impl Lost {
    /// The reason as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Refused(_) => "refused",
            Self::Forgotten => "forgotten",
            Self::Ended => "ended",
            Self::Expired => "expired",
            Self::Mute => "mute",
        }
    }
}

/// Why a datagram had no effect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DropKind {
    /// Bytes that are no SIP message; nothing was answered.
    Malformed,
    /// A message from an address that is none of the servers; nothing was answered.
    UnknownSource,
    /// A response to nothing that we asked, or to what was answered before.
    StrayResponse,
    /// A method other than NOTIFY, OPTIONS and ACK; got 405.
    Method,
    /// A NOTIFY of no subscription, or of one that is lost; got 481.
    UnknownSubscription,
    /// A NOTIFY of another event package; got 489.
    EventPackage,
    /// A NOTIFY that was overtaken by a newer one; got 200.
    OutOfOrder,
    /// A NOTIFY whose body says nothing valid; got 200, because anything else would end the subscription.
    Body,
    /// More than fits into a queue; the server repeats it.
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
            Self::Method => "method",
            Self::UnknownSubscription => "unknown_subscription",
            Self::EventPackage => "event_package",
            Self::OutOfOrder => "out_of_order",
            Self::Body => "body",
            Self::Overload => "overload",
        }
    }
}

impl fmt::Display for DropKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Totals since the watcher began.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// What had no effect, by reason.
    pub drops: BTreeMap<DropKind, u64>,
    /// NOTIFYs that told a state.
    pub notifies: u64,
    /// NOTIFYs that came again and got the same answer again.
    pub repeated_notifies: u64,
    /// Challenges (401, 407) received.
    pub challenges_received: u64,
    /// SUBSCRIBE exchanges begun: first ones, refreshes and ends.
    pub subscribes_begun: u64,
    /// Those that were accepted.
    pub subscribes_accepted: u64,
    /// Those that were not, by reason.
    pub subscribes_failed: BTreeMap<Failure, u64>,
    /// SUBSCRIBEs that were sent again for want of an answer.
    pub retransmissions: u64,
}

impl Counters {
    pub(crate) fn dropped(&mut self, kind: DropKind) {
        *self.drops.entry(kind).or_default() += 1;
    }

    pub(crate) fn failed(&mut self, failure: Failure) {
        *self.subscribes_failed.entry(failure).or_default() += 1;
    }
}

impl Overload for Counters {
    fn overloaded(&mut self) {
        self.dropped(DropKind::Overload);
    }
}

/// Queues towards the driver, and what all parts of the watcher share.
pub(crate) type Outbox = Queues<Event, Counters>;

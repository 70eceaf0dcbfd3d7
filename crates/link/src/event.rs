//! What a session tells, and how it is told.

use crate::config::{LinkId, Transport};
use crate::outbox::Outbox;
use crate::slot::Slot;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How many events wait for whoever is told. When that many do, links are not read any further.
pub(crate) const EVENTS_MAX: usize = 32;

/// What happens on links.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A peer with a configured key is linked. After it come frames, and frames can be sent.
    Up {
        /// Who.
        link: LinkId,
        /// Where it is now; it may move later on.
        remote: SocketAddr,
        /// By what.
        transport: Transport,
    },
    /// A peer says this.
    Frame {
        /// Who.
        link: LinkId,
        /// What.
        frame: presence::link::Frame,
    },
    /// There is room for frames again, after [`Unsent::Full`].
    Room {
        /// To whom.
        link: LinkId,
    },
    /// A link is not up any more; or it was not, and an attempt to dial failed. What was sent and not received is lost.
    Down {
        /// Which.
        link: LinkId,
        /// For how long nothing had been received; if nothing ever was, since the session started.
        silent: Duration,
        /// Why; fit for a log.
        why: String,
        /// The next attempt to dial is after this time; `None` if it is the peer who dials, or has done so just now: then it
        /// is up again at once.
        retry: Option<Duration>,
    },
    /// Somebody was not let in. Not each is told, and who has left by himself never is, but each is counted.
    Refused {
        /// Where he is.
        from: SocketAddr,
        /// Why.
        why: Refusal,
    },
}

/// Why somebody is not let in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refusal {
    /// His key is not configured here.
    UnknownKey,
    /// He showed no raw public key.
    NoKey,
    /// He began and did not go on.
    Timeout,
    /// Too many others are trying at the same time.
    TooMany,
    /// He does not speak as nodes do.
    Protocol,
    /// He went before he was let in, as a peer does that was too slow or is linked by now.
    Left,
}

impl Refusal {
    /// Every reason, for counters that start at zero.
    pub const ALL: [Self; 6] =
        [Self::UnknownKey, Self::NoKey, Self::Timeout, Self::TooMany, Self::Protocol, Self::Left];

    /// As a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownKey => "unknown_key",
            Self::NoKey => "no_key",
            Self::Timeout => "timeout",
            Self::TooMany => "too_many",
            Self::Protocol => "protocol",
            Self::Left => "left",
        }
    }
}

/// Why a frame is not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unsent {
    /// What was sent before has not gone yet; [`Event::Room`] follows.
    #[error("the link takes no more for the moment")]
    Full,
    /// The link is not up.
    #[error("the link is not up")]
    Gone,
}

/// An event, and with [`Event::Up`] the way to send.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) event: Event,
    pub(crate) outbox: Option<Outbox>,
}

/// Where the session's events come from, in order.
///
/// A frame that is sent goes on the connection whose [`Event::Up`] was the last to be taken from here, and on no other:
/// what is meant for a connection that has just been replaced is not said on the new one.
#[derive(Debug)]
pub struct Events {
    pub(crate) told: mpsc::Receiver<Told>,
    pub(crate) slots: Vec<Arc<Slot>>,
}

impl Events {
    /// The next event; `None` when the session is over. May be dropped while it waits, and nothing is lost.
    pub async fn recv(&mut self) -> Option<Event> {
        let told = self.told.recv().await?;
        Some(self.note(told))
    }

    /// An event, if one waits.
    pub fn try_recv(&mut self) -> Option<Event> {
        let told = self.told.try_recv().ok()?;
        Some(self.note(told))
    }

    fn note(&self, told: Told) -> Event {
        match &told.event {
            Event::Up { link, .. } | Event::Down { link, .. } => self.slots[link.0].set_outbox(told.outbox),
            Event::Frame { .. } | Event::Room { .. } | Event::Refused { .. } => {}
        }
        told.event
    }
}

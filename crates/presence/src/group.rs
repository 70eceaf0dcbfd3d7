//! The node's place in the group: who else is there, and the outbox towards it.

use crate::Membership;
use crate::outbox::{Outbox, Topic, Word};
use core::time::Duration;

/// Own messages that may be on their way at once; libcpg wedges a sender that goes far beyond (its socket to
/// corosync holds 278).
const WINDOW: usize = 128;

/// After this long a message that did not come back counts as swallowed. A membership change freezes delivery
/// for about twice the token timeout, so a smaller value would only repeat what is still on its way.
const CONFIRMATION_WAIT: Duration = Duration::from_secs(10);

/// After this long without a word coming back the group does not work; a membership change does not take so long.
const STALL: Duration = Duration::from_secs(5);

/// How long the states of other servers are kept while the node is out of the group: a restarted corosync
/// changes no lamp.
const ABSENCE_MAX: Duration = Duration::from_secs(5);

/// The group as the node sees it.
pub(crate) struct Group {
    pub(crate) membership: Membership,
    pub(crate) outbox: Outbox,
    /// Since when words are on their way without one coming back.
    awaiting_since: Option<Duration>,
    /// When the node was put out of the group, or found others again; set while it keeps states of others that have not been said
    /// again.
    lost_at: Option<Duration>,
}

impl Group {
    pub(crate) fn new() -> Self {
        Self {
            membership: Membership::default(),
            outbox: Outbox::new(WINDOW),
            awaiting_since: None,
            lost_at: None,
        }
    }

    /// The node is out of the group.
    pub(crate) fn lose(&mut self, now: Duration) {
        self.membership.lose();
        self.outbox.requeue();
        self.awaiting_since = None;
        self.lost_at = Some(now);
    }

    pub(crate) fn joined(&self) -> bool {
        self.membership.me().is_some()
    }

    /// The next word for the group and its number, when it may go out.
    pub(crate) fn send(&mut self, now: Duration) -> Option<(Word, u64)> {
        if !self.joined() {
            return None;
        }
        let sent = self.outbox.send(now)?;
        self.awaiting_since.get_or_insert(now);
        Some(sent)
    }

    /// A word came back. Returns how many before it were lost.
    pub(crate) fn confirm(&mut self, now: Duration, topic: &Topic, sequence: Option<u64>) -> usize {
        let lost = self.outbox.confirm(topic, sequence);
        self.awaiting_since = self.outbox.oldest_sent_at().map(|_| now);
        lost
    }

    /// Whether corosync takes words and gives none back: it stands still, or has lost its ring.
    pub(crate) fn stalled(&self, now: Duration) -> bool {
        self.awaiting_since.is_some_and(|since| now >= since + STALL)
    }

    /// When to look at [`Self::repeat`] again.
    pub(crate) fn repeat_at(&self) -> Option<Duration> {
        if self.joined() { self.outbox.oldest_sent_at().map(|at| at + CONFIRMATION_WAIT) } else { None }
    }

    /// Sends again what did not come back in time. Returns how many words.
    pub(crate) fn repeat(&mut self, now: Duration) -> usize {
        if self.repeat_at().is_some_and(|at| at <= now) { self.outbox.requeue() } else { 0 }
    }

    /// Others are in reach again. They may need a plain join to say again what they stand for, because what stock members say at
    /// once is mostly lost: they are given as long as we were.
    pub(crate) fn find(&mut self, now: Duration) {
        if self.lost_at.is_some() {
            self.lost_at = Some(now);
        }
    }

    /// When the absence has lasted too long.
    pub(crate) fn absent_at(&self) -> Option<Duration> {
        self.lost_at.map(|at| at + ABSENCE_MAX)
    }

    /// Tells, once, that the absence has lasted too long.
    pub(crate) fn give_up(&mut self, now: Duration) -> bool {
        let over = self.absent_at().is_some_and(|at| at <= now);
        if over {
            self.lost_at = None;
        }
        over
    }
}

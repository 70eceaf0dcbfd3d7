//! The node's place in the group: its outbox towards it, and whether both sides know all.

use crate::outbox::{Outbox, Topic, Word};
use crate::{Member, Membership};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

/// Own messages that may be on their way at once; libcpg wedges a sender that goes far beyond (its socket to
/// corosync holds 278).
const WINDOW: usize = 128;

/// After this long a message that did not come back counts as swallowed. A membership change freezes delivery
/// for about twice the token timeout, so a smaller value would only repeat what is still on its way.
const CONFIRMATION_WAIT: Duration = Duration::from_secs(10);

/// How long a joiner waits for members to introduce themselves before it counts itself synced all the same.
const INTRODUCTION_WAIT: Duration = Duration::from_secs(2);

/// How long the states of other servers are kept while the node is out of the group: a restarted corosync
/// changes no lamp.
const ABSENCE_MAX: Duration = Duration::from_secs(5);

/// The group as the node sees it.
pub(crate) struct Group {
    pub(crate) membership: Membership,
    pub(crate) outbox: Outbox,
    sync: Sync,
    /// Set while the node is out of the group and still keeps the states of others.
    lost_at: Option<Duration>,
}

/// How far the node and the group have told each other everything.
enum Sync {
    /// Not in the group.
    Out,
    /// Since `since` these members have not introduced themselves. A member dumps its states before it answers a
    /// newcomer, so its introduction says that its dump is here. `told` is set once our own introduction, sent after our
    /// own dump, has come back.
    Waiting { since: Duration, members: BTreeSet<Member>, told: bool },
    /// Both sides know all.
    Done,
}

impl Group {
    pub(crate) fn new() -> Self {
        Self {
            membership: Membership::default(),
            outbox: Outbox::new(WINDOW),
            sync: Sync::Out,
            lost_at: None,
        }
    }

    /// The node has come in: the sync begins.
    pub(crate) fn begin_sync(&mut self, now: Duration) {
        self.lost_at = None;
        self.sync = Sync::Waiting { since: now, members: self.membership.others(), told: false };
    }

    /// The node is out of the group.
    pub(crate) fn lose(&mut self, now: Duration) {
        self.membership.lose();
        self.outbox.requeue();
        self.sync = Sync::Out;
        self.lost_at.get_or_insert(now);
    }

    /// A member has introduced itself or gone: the sync does not wait for it any longer.
    pub(crate) fn heard(&mut self, member: Member) {
        if let Sync::Waiting { members, .. } = &mut self.sync {
            members.remove(&member);
        }
    }

    /// One of our own messages has come back. Returns how many before it were swallowed.
    pub(crate) fn confirm(&mut self, topic: &Topic) -> usize {
        if let (Topic::Discovery, Sync::Waiting { told, .. }) = (topic, &mut self.sync) {
            *told = true;
        }
        self.outbox.confirm(topic)
    }

    /// Ends the sync when nothing is awaited any longer, or long enough was waited for members that do not speak.
    /// Returns those.
    pub(crate) fn end_sync(&mut self, now: Duration) -> Option<Vec<Member>> {
        let Sync::Waiting { since, members, told: true } = &self.sync else { return None };
        if !members.is_empty() && now < *since + INTRODUCTION_WAIT {
            return None;
        }
        let silent = members.iter().copied().collect();
        self.sync = Sync::Done;
        Some(silent)
    }

    pub(crate) fn synced(&self) -> bool {
        matches!(self.sync, Sync::Done)
    }

    pub(crate) fn joined(&self) -> bool {
        !matches!(self.sync, Sync::Out)
    }

    /// The next word for the group, when it may go out.
    pub(crate) fn send(&mut self, now: Duration) -> Option<Word> {
        if self.joined() { self.outbox.send(now) } else { None }
    }

    /// When to look at [`Self::repeat`] again.
    pub(crate) fn repeat_at(&self) -> Option<Duration> {
        if self.joined() { self.outbox.oldest_sent_at().map(|at| at + CONFIRMATION_WAIT) } else { None }
    }

    /// Sends again what did not come back in time. Returns how many words.
    pub(crate) fn repeat(&mut self, now: Duration) -> usize {
        if self.repeat_at().is_some_and(|at| at <= now) { self.outbox.requeue() } else { 0 }
    }

    /// When to look at [`Self::end_sync`] again.
    pub(crate) fn sync_at(&self) -> Option<Duration> {
        match &self.sync {
            Sync::Waiting { since, told: true, .. } => Some(*since + INTRODUCTION_WAIT),
            Sync::Waiting { told: false, .. } | Sync::Out | Sync::Done => None,
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

//! Whether the node and the group have told each other everything.

use crate::Member;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

/// How long the node waits for members that say nothing before it counts itself synced all the same.
const SILENCE_MAX: Duration = Duration::from_secs(2);

/// How far the node and the group have told each other everything.
pub(crate) enum Sync {
    /// Not in the group.
    Out,
    /// These members may still have something to tell. A stock member multicasts its states before it answers a newcomer, so
    /// its introduction says that they are here; a node says it with a digest. `told` is set once our own digest, sent after
    /// all our states, has come back.
    Waiting {
        /// The last time that a member was heard.
        progress: Duration,
        members: BTreeSet<Member>,
        told: bool,
    },
    /// Both sides know all.
    Done,
}

impl Sync {
    /// The node has come in; these are the others.
    pub(crate) fn begin(&mut self, now: Duration, members: BTreeSet<Member>) {
        *self = Self::Waiting { progress: now, members, told: false };
    }

    /// A member has told everything, or has gone.
    pub(crate) fn heard(&mut self, member: Member) {
        if let Self::Waiting { members, .. } = self {
            members.remove(&member);
        }
    }

    /// A member that is awaited is telling something.
    pub(crate) fn progress(&mut self, now: Duration, member: Member) {
        if let Self::Waiting { progress, members, .. } = self
            && members.contains(&member)
        {
            *progress = now;
        }
    }

    /// All that the node has to say is said.
    pub(crate) fn told(&mut self) {
        if let Self::Waiting { told, .. } = self {
            *told = true;
        }
    }

    /// Ends the sync when nothing is awaited any longer, or long enough was waited for members that do not speak.
    /// Returns those.
    pub(crate) fn end(&mut self, now: Duration) -> Option<Vec<Member>> {
        let Self::Waiting { members, told: true, .. } = self else { return None };
        let silent: Vec<_> = members.iter().copied().collect();
        if !silent.is_empty() && self.due_at().is_none_or(|at| now < at) {
            return None;
        }
        *self = Self::Done;
        Some(silent)
    }

    /// When to look at [`Self::end`] again.
    pub(crate) fn due_at(&self) -> Option<Duration> {
        match self {
            Self::Waiting { progress, told: true, .. } => Some(*progress + SILENCE_MAX),
            Self::Waiting { told: false, .. } | Self::Out | Self::Done => None,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }
}

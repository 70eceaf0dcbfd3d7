//! How the words of a server are taken back: it has departed, or does not stand for them any more.

use super::Node;
use crate::outbox::Word;
use crate::output::{Holder, Note};
use crate::states::Taken;
use crate::{Eid, Member, Message};
use alloc::vec::Vec;
use core::time::Duration;

impl Node {
    /// The node is to go: it withdraws from everybody what they know only through it, and takes nothing new.
    pub(super) fn stop(&mut self, now: Duration) {
        self.stopping = true;
        // Nobody else may be there to do it.
        for (eid, change) in self.healing.take_all() {
            if self.group.membership.speaker(eid).is_none() {
                self.push_to_group(Word::Withdrawal { eid, change, time: self.time(now) });
            }
        }
        self.retire(now, &self.states.eids().collect::<Vec<_>>());
    }

    /// Forgets servers and takes back what they had said.
    pub(super) fn retire(&mut self, now: Duration, eids: &[Eid]) {
        let mut gone = Vec::new();
        for &eid in eids {
            gone.extend(self.states.remove(eid).into_iter().map(|taken| (eid, taken)));
        }
        self.withdraw(now, gone);
    }

    /// Forgets what a server has not said again, and takes it back. Returns how much.
    pub(super) fn sweep(&mut self, now: Duration, eid: Eid) -> usize {
        let gone: Vec<_> = self.states.take_suspects(eid).into_iter().map(|taken| (eid, taken)).collect();
        let count = gone.len();
        self.withdraw(now, gone);
        count
    }

    /// Tells all that have heard of these states that they are gone: what they had lit goes out. Lit lamps come first: a
    /// person may be looking at them.
    fn withdraw(&mut self, now: Duration, mut gone: Vec<(Eid, Taken)>) {
        gone.sort_by_key(|(_, taken)| !taken.lit);
        for (eid, Taken { withdrawal: change, shows, lit }) in gone {
            if shows {
                self.tell_servers(eid, &change);
            }
            if shows && !self.stopping {
                self.healing.owe(now, eid, change.clone(), lit);
            }
            if self.speaks_for(eid) {
                self.healing.settle(eid, &change.subject());
                self.push_to_group(Word::Withdrawal { eid, change, time: self.time(now) });
            }
        }
    }

    /// Whether an EID is one of our servers'.
    fn speaks_for(&self, eid: Eid) -> bool {
        self.servers.iter().any(|server| server.eid() == Some(eid))
    }

    /// Somebody takes back a state, under an EID that it may or may not speak for.
    pub(super) fn hear_withdrawal(&mut self, now: Duration, from: Member, message: &Message) {
        let Message::Withdrawal { eid, change, .. } = message else { return };
        let (eid, subject) = (*eid, change.subject());
        let from_other = self.group.membership.me() != Some(from);
        let known = self.healing.knows(eid, &subject);
        self.healing.settle(eid, &subject);
        let speaker = self.group.membership.speaker(eid);
        let ours = matches!(self.holder_here(eid), Some(Holder::Server(_)));
        if speaker == Some(from) || speaker.is_none() && !ours {
            match self.states.take(eid, &subject) {
                Some(Taken { withdrawal, shows: true, .. }) => self.tell_servers(eid, &withdrawal),
                None if !known && from_other => {
                    // Our servers may have been told of it before this node began.
                    self.tell_servers(eid, change);
                    self.healing.owe(now, eid, change.clone(), false);
                    self.healing.settle(eid, &subject);
                }
                Some(_) | None => {}
            }
            return;
        }
        // The server is there and stands for something else: stock servers have been told wrongly.
        let Some((stands, time)) = self.states.find(eid, &subject).filter(|(stands, _)| stands != change)
        else {
            return self.note_ignored(message.kind());
        };
        self.note(Note::StaleWithdrawal { eid });
        if ours {
            self.push_to_group(Word::Change { eid, change: stands, time });
        } else if speaker.is_some_and(|speaker| !self.group.membership.is_node(speaker)) {
            self.healing.want_touch(now);
        }
    }
}

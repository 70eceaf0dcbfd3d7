//! What the servers of this node tell it.

use super::Node;
use crate::outbox::Word;
use crate::output::{Drop, Holder, Note, Outcome, Refusal, ServerId};
use crate::server::Learned;
use crate::states::Effect;
use crate::{Change, Eid};
use alloc::vec::Vec;
use core::time::Duration;

impl Node {
    /// A server states something of its own.
    ///
    /// # Errors
    /// [`Refusal`] says why it is not taken; the table is untouched.
    pub fn report(&mut self, server: ServerId, eid: Eid, change: Change) -> Result<(), Refusal> {
        let verdict = self.admit(server, eid);
        if let Err(refusal) = verdict {
            self.drop_for(match refusal {
                Refusal::EqualEid => Drop::EqualEid,
                Refusal::WrongEid => Drop::WrongEid,
                Refusal::Full => Drop::TableFull,
                Refusal::Stopping => Drop::Stopping,
            });
            return Err(refusal);
        }
        self.learn(server, eid);
        match self.states.enter(eid, &change) {
            Effect::News => {
                self.tell_servers(eid, &change);
                self.push_to_group(Word::Change { eid, change });
                Ok(())
            }
            Effect::Known => Ok(()),
            Effect::Full => {
                self.drop_for(Drop::TableFull);
                Err(Refusal::Full)
            }
        }
    }

    /// A server wants to be told everything: it started anew, or lost what it knew.
    pub fn resync(&mut self, server: ServerId) {
        let Some(own) = self.server(server).eid() else { return };
        let others: Vec<_> = self.states.eids().filter(|eid| *eid != own).collect();
        let mut told = 0;
        for eid in others {
            for change in
                self.states.of(eid).into_iter().flat_map(|states| states.changes()).collect::<Vec<_>>()
            {
                self.push_to_server(server, Word::Change { eid, change });
                told += 1;
            }
        }
        self.note(Note::Resync { server, states: told });
    }

    /// A server answers, for the first time or again.
    pub fn server_alive(&mut self, server: ServerId) {
        if self.server(server).alive() || self.stopping {
            return;
        }
        self.note(Note::ServerAlive(server));
        self.server(server).wake();
        self.push_to_server(server, Word::Refresh);
        self.resync(server);
    }

    /// A server is gone.
    pub fn server_silent(&mut self, server: ServerId) {
        if let Some(eid) = self.server(server).silence() {
            self.note(Note::ServerSilent(server));
            self.retire(&[eid]);
        }
    }

    /// The one thing in flight to a server ended.
    pub fn published(&mut self, now: Duration, server: ServerId, outcome: Outcome) {
        match outcome {
            Outcome::Accepted => {}
            Outcome::Rejected => self.note(Note::Rejected(server)),
            Outcome::Unanswered => self.note(Note::Unanswered(server)),
        }
        self.server(server).settle(now, outcome);
    }

    /// Whether a server's report under this EID may be taken.
    fn admit(&mut self, server: ServerId, eid: Eid) -> Result<(), Refusal> {
        if self.stopping {
            return Err(Refusal::Stopping);
        }
        let holder = match self.holder_here(eid) {
            Some(Holder::Server(holder)) if holder == server => None,
            Some(holder) => Some(holder),
            None => self.group.membership.speaker(eid).map(Holder::Member),
        };
        if let Some(holder) = holder {
            self.note_equal(eid, holder, Holder::Server(server));
            return Err(Refusal::EqualEid);
        }
        match self.server(server).configured_eid() {
            Some(configured) if configured != eid => {
                if self.told.insert((eid, Holder::Server(server))) {
                    self.note(Note::WrongEid { server, eid, configured });
                }
                Err(Refusal::WrongEid)
            }
            Some(_) | None => Ok(()),
        }
    }

    fn learn(&mut self, server: ServerId, eid: Eid) {
        match self.server(server).learn(eid) {
            Learned::Nothing => return,
            Learned::Reporting => {}
            Learned::Changed { before } => self.retire(&[before]),
        }
        self.note(Note::ServerLearned { server, eid });
        self.resync(server);
    }
}

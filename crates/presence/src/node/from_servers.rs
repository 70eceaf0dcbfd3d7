//! What the servers of this node tell it.

use super::Node;
use crate::outbox::{Topic, Word};
use crate::output::{Drop, Holder, Note, Output, Refusal};
use crate::server::Learned;
use crate::states::Effect;
use crate::{Change, Eid, Outcome, ServerId, Stamp};
use alloc::vec::Vec;
use core::time::Duration;

impl Node {
    /// A server states something of its own.
    pub(super) fn report(&mut self, now: Duration, server: ServerId, report: u64, eid: Eid, change: Change) {
        let verdict = self.admit(server, eid).and_then(|()| self.take_report(now, server, eid, change));
        self.count_refusal(verdict);
        self.outputs.push_back(Output::Answer { server, report, verdict });
    }

    /// A server says who it is.
    pub(super) fn named(&mut self, now: Duration, server: ServerId, eid: Eid) {
        let verdict = self.admit(server, eid).map(|()| self.learn(now, server, eid));
        self.count_refusal(verdict);
    }

    fn count_refusal(&mut self, verdict: Result<(), Refusal>) {
        if let Err(refusal) = verdict {
            self.drop_for(match refusal {
                Refusal::EqualEid => Drop::EqualEid,
                Refusal::WrongEid => Drop::WrongEid,
                Refusal::Full => Drop::TableFull,
                Refusal::Stopping => Drop::Stopping,
            });
        }
    }

    fn take_report(
        &mut self,
        now: Duration,
        server: ServerId,
        eid: Eid,
        change: Change,
    ) -> Result<(), Refusal> {
        self.learn(now, server, eid);
        if self.is_ephemeral(&change) {
            // The server has done nothing wrong.
            self.drop_for(Drop::Ephemeral);
            return Ok(());
        }
        if !self.server(server).takes(eid, &change) {
            self.drop_for(Drop::Barred);
            return Ok(());
        }
        let said_again = self.states.is_suspect(eid, &change.subject());
        if said_again && self.server(server).sweep_at().is_some() {
            self.server(server).expect_repeats(now);
        }
        self.healing.forgive(eid, &change.subject());
        let time = self.time(now);
        match self.states.enter(eid, &change, Stamp { time, ..Stamp::default() }) {
            Effect::New | Effect::News => {
                self.outdate(server, &change);
                self.tell_servers(eid, &change);
                self.tell_links(now, eid, &change);
                self.push_to_group(Word::Change { eid, change, time });
                Ok(())
            }
            Effect::Known | Effect::Restated if said_again && self.adopted.contains_key(&eid) => {
                self.push_to_group(Word::Change { eid, change, time });
                Ok(())
            }
            Effect::Known | Effect::Restated | Effect::Stale => Ok(()),
            Effect::Full => Err(Refusal::Full),
        }
    }

    /// A server has spoken of a mailbox, of which it has one value: what waits to be told to it is outdated, and what is on its
    /// way may reach it after it spoke. So it is told its own word again, under our own EID, for it takes nothing under its own.
    fn outdate(&mut self, server: ServerId, change: &Change) {
        let Change::Mwi { mailbox, .. } = change else { return };
        let topic = Topic::Counts(mailbox.clone());
        let outbox = &mut self.server(server).outbox;
        outbox.cancel(&topic);
        if outbox.is_in_flight(&topic) {
            self.tell_server(server, self.eid, change.clone());
        }
    }

    /// Tells a server everything: it knows nothing, or has lost what it knew.
    pub(super) fn resync(&mut self, server: ServerId) {
        let Some(own) = self.server(server).eid() else { return };
        self.server(server).told();
        let others: Vec<_> = self.states.eids().filter(|eid| *eid != own).collect();
        let mut told = 0;
        for eid in others {
            for (change, _) in self.states.to_tell(eid) {
                self.tell_server(server, eid, change);
                told += 1;
            }
        }
        self.note(Note::Resync { server, states: told });
    }

    /// A server answers, for the first time or again.
    pub(super) fn server_alive(&mut self, now: Duration, server: ServerId) {
        if self.server(server).alive() || self.stopping {
            return;
        }
        self.note(Note::ServerAlive(server));
        self.server(server).wake(now);
        self.push_to_server(server, Word::Refresh);
        self.resync_if_new(server);
    }

    /// Asks a server for everything that answers and has said nothing of itself for long.
    pub(super) fn ask_again(&mut self, now: Duration, server: ServerId) {
        if self.server(server).take_ask(now) && !self.stopping {
            self.push_to_server(server, Word::Refresh);
        }
    }

    /// A server is gone.
    pub(super) fn server_silent(&mut self, now: Duration, server: ServerId) {
        if let Some(eid) = self.server(server).silence() {
            self.note(Note::ServerSilent(server));
            self.retire(now, &[eid]);
            self.site_changed = true;
            if self.group.joined() {
                // Nothing that it had said may be left to take back, and others would believe for ever that we speak for it.
                self.push_last_to_group(Word::Digest);
            }
        }
    }

    /// A server began anew, so quickly that its silence was not noticed. What it says again it still stands for.
    pub(super) fn server_restarted(&mut self, now: Duration, server: ServerId) {
        if self.stopping {
            return;
        }
        self.note(Note::ServerRestarted(server));
        if let Some(eid) = self.server(server).reporting_eid() {
            self.states.suspect(eid);
            self.server(server).expect_repeats(now);
        }
        self.push_to_server(server, Word::Refresh);
        self.resync(server);
    }

    /// Takes back what a server that began anew has not said again.
    pub(super) fn end_repeats(&mut self, now: Duration, server: ServerId) {
        if self.server(server).end_repeats(now)
            && let Some(eid) = self.server(server).reporting_eid()
        {
            let states = self.sweep(now, eid);
            self.note_swept(eid, states);
        }
    }

    /// The one thing in flight to a server ended.
    pub(super) fn settled(&mut self, now: Duration, server: ServerId, outcome: Outcome) {
        match outcome {
            Outcome::Accepted => {}
            Outcome::Rejected => {
                let again = self.server(server).refuses();
                self.note(Note::Rejected { server, again });
            }
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

    fn learn(&mut self, now: Duration, server: ServerId, eid: Eid) {
        let was_nameless = self.server(server).eid().is_none();
        match self.server(server).learn(eid) {
            Learned::Nothing => return,
            Learned::Reporting => {}
            Learned::Changed { before } => self.retire(now, &[before]),
        }
        self.adopt_ours(now, server, eid);
        self.site_changed = true;
        if self.links.has_links() && self.group.joined() {
            // Nodes with links have to know that it is here, if it says nothing for long, too.
            self.push_last_to_group(Word::Digest);
        }
        self.note(Note::ServerLearned { server, eid });
        self.resync_if_new(server);
        if was_nameless {
            self.tell_departed(server);
        }
    }

    /// A server whose EID was not known was told of nobody's departure, and may show what an earlier run of this node told it.
    fn tell_departed(&mut self, server: ServerId) {
        let own = self.server(server).eid();
        let falls_back = |change: &Change| match change {
            Change::DeviceState { .. } => false,
            Change::Mwi { mailbox, .. } => self.states.latest_of(mailbox).is_some(),
        };
        let gone = self.healing.taken_back().filter(|(eid, change)| Some(*eid) != own && !falls_back(change));
        let gone: Vec<_> = gone.map(|(eid, change)| (eid, change.clone())).collect();
        for (eid, change) in gone {
            self.tell_server(server, eid, change);
        }
    }

    fn resync_if_new(&mut self, server: ServerId) {
        if self.server(server).is_new() {
            self.resync(server);
        }
    }

    pub(super) fn note_swept(&mut self, eid: Eid, states: usize) {
        if states > 0 {
            self.note(Note::Swept { eid, states });
        }
    }
}

//! A server of this node: an Asterisk without a cluster module that the node listens to and tells about the others.

use crate::link::Filter;
use crate::outbox::{Outbox, Word};
use crate::{Change, Eid, Outcome, ServerConfig};
use core::time::Duration;

/// The first wait before a word is sent again to a server that did not take it; doubled each time.
const RETRY_MIN: Duration = Duration::from_secs(1);

/// The longest such wait.
const RETRY_MAX: Duration = Duration::from_secs(16);

/// When a server that began anew has said nothing again for so long of what it had said before, it stands for no more of it.
const REPEAT_WAIT: Duration = Duration::from_secs(3);

/// How long a server that answers may say nothing of itself before it is asked for everything again: what it said may have been lost,
/// and Asterisk does not repeat by itself a PUBLISH that nobody answered.
const ASK_AGAIN: Duration = Duration::from_secs(20);

/// One server and what it is still to be told.
pub(crate) struct Server {
    pub(crate) outbox: Outbox,
    tell: Filter,
    take: Filter,
    configured_eid: Option<Eid>,
    /// The EID of its last report; kept while it is silent, so that what waits for it stays meant for it.
    learned_eid: Option<Eid>,
    /// Whether it has reported since it was last silent: only then its EID is taken.
    reporting: bool,
    alive: bool,
    /// Whether it has been told, or will be, all that there was when it came; each change follows.
    told: bool,
    /// When what it has not said again is taken back.
    sweep_at: Option<Duration>,
    /// When it is asked again for everything, while it answers and has said nothing of itself.
    ask_at: Option<Duration>,
    retry: Option<Retry>,
    /// Whether it has refused the word before this one for good.
    refuses: bool,
}

#[derive(Clone, Copy)]
struct Retry {
    at: Duration,
    wait: Duration,
}

/// What a report's EID says about its server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Learned {
    /// It goes on as before.
    Nothing,
    /// It reports for the first time, or again after a silence.
    Reporting,
    /// It has another EID than before.
    Changed { before: Eid },
}

impl Server {
    pub(crate) fn new(config: &ServerConfig) -> Self {
        Self {
            // A publication is a chain of entity tags: one request at a time.
            outbox: Outbox::new(1),
            tell: config.tell.clone(),
            take: config.take.clone(),
            configured_eid: config.eid,
            learned_eid: None,
            reporting: false,
            alive: false,
            told: false,
            sweep_at: None,
            ask_at: None,
            retry: None,
            refuses: false,
        }
    }

    /// The server's EID, once it is known. Until then it is told nothing: a state under its own EID would
    /// overwrite its own.
    pub(crate) fn eid(&self) -> Option<Eid> {
        self.configured_eid.or(self.learned_eid)
    }

    pub(crate) fn configured_eid(&self) -> Option<Eid> {
        self.configured_eid
    }

    /// The EID under which the server's states stand in the table.
    pub(crate) fn reporting_eid(&self) -> Option<Eid> {
        self.learned_eid.filter(|_| self.reporting)
    }

    pub(crate) fn alive(&self) -> bool {
        self.alive
    }

    /// The server reports with this EID.
    pub(crate) fn learn(&mut self, eid: Eid) -> Learned {
        let before = self.learned_eid.replace(eid);
        let reporting = core::mem::replace(&mut self.reporting, true);
        match before {
            Some(before) if before != eid => Learned::Changed { before },
            _ if reporting => Learned::Nothing,
            _ => Learned::Reporting,
        }
    }

    /// The server answers, and is being asked for everything.
    pub(crate) fn wake(&mut self, now: Duration) {
        self.alive = true;
        self.retry = None;
        self.ask_at = Some(now + ASK_AGAIN);
    }

    /// When it is asked again for everything.
    pub(crate) fn ask_at(&self) -> Option<Duration> {
        self.ask_at.filter(|_| self.alive && !self.reporting)
    }

    /// Whether it is to be asked again now.
    pub(crate) fn take_ask(&mut self, now: Duration) -> bool {
        let due = self.ask_at().is_some_and(|at| at <= now);
        if due {
            self.ask_at = Some(now + ASK_AGAIN);
        }
        due
    }

    /// The server is gone: nothing is sent until it answers. Returns the EID whose states go with it.
    pub(crate) fn silence(&mut self) -> Option<Eid> {
        let eid = self.reporting_eid();
        self.alive = false;
        self.reporting = false;
        self.told = false;
        self.sweep_at = None;
        eid
    }

    /// Whether the server is still to be told all there is.
    pub(crate) fn is_new(&self) -> bool {
        self.alive && !self.told && self.eid().is_some()
    }

    /// Whether it will be told all there is once it answers: until then only what will not be in that need wait for it.
    pub(crate) fn will_be_told(&self) -> bool {
        !self.alive && !self.told
    }

    /// The server is being told all there is.
    pub(crate) fn told(&mut self) {
        self.told = true;
    }

    /// It began anew, or has just said something again that it had said before.
    pub(crate) fn expect_repeats(&mut self, now: Duration) {
        self.sweep_at = Some(now + REPEAT_WAIT);
    }

    /// When what it has not said again is taken back.
    pub(crate) fn sweep_at(&self) -> Option<Duration> {
        self.sweep_at
    }

    /// Tells, once, that it has said all again that it still stands for.
    pub(crate) fn end_repeats(&mut self, now: Duration) -> bool {
        self.sweep_at.take_if(|at| *at <= now).is_some()
    }

    /// Whether a state is taken from it.
    pub(crate) fn takes(&self, eid: Eid, change: &Change) -> bool {
        self.take.admit(eid, change).is_ok()
    }

    /// Whether it is told a state.
    pub(crate) fn is_told(&self, eid: Eid, change: &Change) -> bool {
        self.tell.admit(eid, change).is_ok()
    }

    /// The next word for the server, when it may go out.
    pub(crate) fn send(&mut self, now: Duration) -> Option<Word> {
        let waits = self.retry.is_some_and(|retry| now < retry.at);
        if self.alive && !waits { self.outbox.send(now).map(|(word, _)| word) } else { None }
    }

    /// Whether it refused the last word that it answered for good.
    pub(crate) fn refuses(&self) -> bool {
        self.refuses
    }

    /// How the word in flight ended.
    pub(crate) fn settle(&mut self, now: Duration, outcome: Outcome) {
        match outcome {
            Outcome::Accepted | Outcome::Rejected => {
                self.outbox.drop_oldest();
                self.retry = None;
                self.refuses = outcome == Outcome::Rejected;
            }
            Outcome::Unanswered => {
                self.outbox.requeue();
                let wait = self.retry.map_or(RETRY_MIN, |retry| (retry.wait * 2).min(RETRY_MAX));
                self.retry = Some(Retry { at: now + wait, wait });
            }
        }
    }

    /// When a word that was not taken may be sent again.
    pub(crate) fn retry_at(&self) -> Option<Duration> {
        let waits = self.alive && !self.outbox.is_empty() && self.outbox.oldest_sent_at().is_none();
        self.retry.filter(|_| waits).map(|retry| retry.at)
    }
}

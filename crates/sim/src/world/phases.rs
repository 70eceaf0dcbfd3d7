//! A run's phases: unrest, then a cure for everything and the demand that all comes right, then the demand that it stays quiet, then one
//! single fault, with nothing else to excuse what comes of it.

use super::World;
use crate::checkers::last_word;
use crate::report::Checker;
use crate::server::Server;
use std::time::Duration;

/// How far a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Faults are injected.
    Unrest,
    /// The site is split a last time.
    LastSplit { until: Duration },
    /// Everything is cured; for the first seconds things still change.
    Healing { since: Duration },
    /// Everybody shows the right thing; what was said twice may still be on its way.
    Settling { until: Duration },
    /// Nothing may happen.
    Idle { until: Duration, said: u64, wakeups: u64 },
    /// One single fault has been injected, and is being cured.
    Drill { over: Duration },
    /// The run is over.
    Over,
}

impl Phase {
    /// Whether all the faults of the unrest are cured, and the noise with them.
    pub(crate) fn is_healed(self) -> bool {
        !matches!(self, Self::Unrest | Self::LastSplit { .. })
    }

    /// Whether what is wrong is cured one by one, when its time comes.
    pub(super) fn has_cures(self) -> bool {
        matches!(self, Self::Unrest | Self::Drill { .. })
    }
}

/// How long things change after the cure.
const LAST_CHANGES: Duration = Duration::from_secs(2);
/// Then everybody must show the right thing within this time. A server that did not answer is tried again after 16 s at most, and
/// each attempt takes 8 s.
const CONVERGENCE_MAX: Duration = Duration::from_secs(60);
const SETTLING: Duration = Duration::from_secs(15);
const IDLE: Duration = Duration::from_secs(20);
/// The single fault is over by then, and all that follows from it.
const DRILL: Duration = Duration::from_secs(15);
const DRILL_MAX: Duration = Duration::from_secs(30);
/// Wakings of all nodes together in that time.
const WAKEUPS_MAX: u64 = 50;

impl World<'_> {
    /// Whether things still change.
    pub(super) fn is_working(&self) -> bool {
        match self.phase {
            Phase::Unrest | Phase::LastSplit { .. } => true,
            Phase::Healing { since } => self.now < since + LAST_CHANGES,
            Phase::Settling { .. } | Phase::Idle { .. } | Phase::Drill { .. } | Phase::Over => false,
        }
    }

    pub(super) fn advance_phase(&mut self) {
        let now = self.now;
        match self.phase {
            Phase::Unrest if now >= self.options.unrest => {
                self.cure_all();
                self.phase = if self.options.last_split {
                    self.divide();
                    Phase::LastSplit { until: now + Duration::from_secs(6) }
                } else {
                    Phase::Healing { since: now }
                };
                self.note("run", || "faults end");
            }
            Phase::LastSplit { until } if now >= until => {
                self.unite();
                self.phase = Phase::Healing { since: now };
            }
            Phase::Healing { since } if now >= since + LAST_CHANGES => self.demand_convergence(since),
            // What it said last may be known, from a dump, before it has told all that came before.
            Phase::Settling { until } if self.has_backlog() => {
                self.phase = Phase::Settling { until: until.max(now + SETTLING) };
            }
            Phase::Settling { until } if now >= until => {
                let said = self.stats.multicasts + self.stats.publishes;
                self.phase = Phase::Idle { until: now + IDLE, said, wakeups: self.stats.wakeups };
                self.note("run", || "idle");
            }
            Phase::Idle { until, said, wakeups } if now >= until => self.end_idle(said, wakeups),
            Phase::Drill { over } if now >= over => self.end_drill(over),
            Phase::Unrest
            | Phase::LastSplit { .. }
            | Phase::Healing { .. }
            | Phase::Settling { .. }
            | Phase::Idle { .. }
            | Phase::Drill { .. }
            | Phase::Over => {}
        }
    }

    fn demand_convergence(&mut self, since: Duration) {
        if self.has_backlog() {
            self.checkers.backlog_at = self.now;
        }
        let waited = self.now - (since + LAST_CHANGES).max(self.checkers.backlog_at);
        match last_word::judge(self) {
            Ok(excused) => {
                self.stats.convergence = waited;
                for mark in excused {
                    self.stats.mark(mark);
                }
                // Sites and nodes that are gone for good are given up after the hold time.
                let given_up = if self.wan.sites > 1 { self.wan.hold } else { Duration::ZERO };
                self.phase = Phase::Settling { until: self.now + SETTLING + given_up };
                self.note("run", || "everybody shows the right thing");
            }
            Err(text) if waited > CONVERGENCE_MAX => self.fail(Checker::LastWord, text),
            Err(_) => {}
        }
    }

    /// Whether a server has not told its node yet what it said: a phone that flapped leaves much behind, and each word takes a request.
    fn has_backlog(&self) -> bool {
        let listened_to = |server: &&Server| {
            server.is_well() && server.plain().is_some_and(|plain| self.nodes[plain.node].core.is_some())
        };
        self.servers.iter().filter(listened_to).any(Server::has_backlog)
    }

    fn end_idle(&mut self, said: u64, wakeups: u64) {
        if let Err(text) = last_word::judge(self) {
            return self.fail(Checker::LastWord, format!("it was right, and is not any more: {text}"));
        }
        let more = self.stats.multicasts + self.stats.publishes - said;
        if more > 0 {
            return self.fail(Checker::Idle, format!("{more} messages although nothing happens"));
        }
        let more = self.stats.wakeups - wakeups;
        if more > WAKEUPS_MAX {
            return self.fail(Checker::Idle, format!("{more} wakings although nothing happens"));
        }
        self.phase = Phase::Drill { over: self.now + DRILL };
        if self.drill() {
            // A site is stopped for twice the hold time, and a link cut for three times that, at most.
            self.phase = Phase::Drill { over: self.now + DRILL + 3 * self.wan.hold };
        }
    }

    fn end_drill(&mut self, over: Duration) {
        match last_word::judge(self) {
            Ok(_) => self.phase = Phase::Over,
            Err(text) if self.now > over + DRILL_MAX => {
                self.fail(Checker::LastWord, format!("after a single fault: {text}"));
            }
            Err(_) => {}
        }
    }
}

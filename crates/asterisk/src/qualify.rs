//! Whether a server is there: OPTIONS asked at a steady pace, and every other sign of life.

use crate::compose::{Draft, Route};
use crate::outbox::{Event, Outbox};
use crate::transaction::{ClientTransaction, Due};
use presence::ServerId;
use std::time::Duration;

/// How often the server is asked. Each question is repeated within its period (at 0.5 and 1.5 s), so that a
/// lossy link does not look like a dead server.
const PERIOD: Duration = Duration::from_secs(2);
/// A server without a sign of life for so long is silent.
const SILENCE: Duration = Duration::from_secs(6);
/// And so many questions: it cannot have answered what it was not asked, because this process was stopped meanwhile.
const QUESTIONS: u32 = 3;

/// Watches one server.
#[derive(Debug)]
pub(crate) struct Qualifier {
    server: ServerId,
    route: Route,
    standing: Standing,
    heard_at: Duration,
    next_at: Duration,
    /// Questions since the last sign of life.
    asked: u32,
    probe: Option<ClientTransaction>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    Unknown,
    Alive,
    Silent,
}

impl Qualifier {
    /// The first question is due at once.
    pub(crate) fn new(server: ServerId, route: Route, now: Duration) -> Self {
        Self {
            server,
            route,
            standing: Standing::Unknown,
            heard_at: now,
            next_at: now,
            asked: 0,
            probe: None,
        }
    }

    pub(crate) fn poll_timeout(&self) -> Duration {
        let probe = self.probe.as_ref().map(ClientTransaction::poll_timeout);
        let waits = self.standing != Standing::Silent && self.asked >= QUESTIONS;
        let silent = waits.then_some(self.heard_at + SILENCE);
        probe.into_iter().chain(silent).fold(self.next_at, Duration::min)
    }

    /// Asks when it is time. True when the server has just become silent.
    pub(crate) fn handle_timeout(&mut self, now: Duration, out: &mut Outbox) -> bool {
        if now >= self.next_at {
            self.next_at = now + PERIOD;
            self.asked += 1;
            self.ask(now, out);
        } else if let Some(probe) = &mut self.probe
            && probe.handle_timeout(now) == Due::Retransmit
        {
            out.counters.retransmissions += 1;
            out.send(probe.request().clone());
        }
        now >= self.heard_at + SILENCE && self.asked >= QUESTIONS && self.silence(out)
    }

    /// True when this is the answer to our question.
    pub(crate) fn is_answered_by(&mut self, branch: &str) -> bool {
        self.probe.take_if(|probe| probe.branch() == branch).is_some()
    }

    /// A sign of life, and proof that the server works.
    pub(crate) fn heard(&mut self, now: Duration, out: &mut Outbox) {
        self.heard_at = now;
        self.asked = 0;
        if self.standing != Standing::Alive {
            self.standing = Standing::Alive;
            out.events.push_back(Event::Alive { server: self.server });
        }
    }

    /// A sign of life from a server that is starting or stopping: neither alive nor silent by it.
    pub(crate) fn heard_busy(&mut self, now: Duration) {
        self.heard_at = now;
        self.asked = 0;
    }

    /// The server is gone, or said goodbye. True when that is news.
    pub(crate) fn silence(&mut self, out: &mut Outbox) -> bool {
        let news = self.standing != Standing::Silent;
        if news {
            self.standing = Standing::Silent;
            out.events.push_back(Event::Silent { server: self.server });
        }
        news
    }

    /// Without a user in the address Asterisk answers 200 and looks up no extension.
    fn ask(&mut self, now: Duration, out: &mut Outbox) {
        let (branch, call_id, tag) =
            (format!("z9hG4bK{}", out.ids.token()), out.ids.token(), out.ids.token());
        let uri = format!("sip:{}", self.route.server);
        let draft = Draft {
            method: "OPTIONS",
            uri: &uri,
            branch: &branch,
            from: &self.route.from(&tag),
            to: &self.route.to(),
            call_id: &call_id,
            cseq: 1,
            headers: &[],
            body: "",
        };
        let request = self.route.request(&draft);
        out.send(request.clone());
        self.probe = Some(ClientTransaction::new(now, branch, request, PERIOD * 2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn qualifier() -> (Qualifier, Outbox) {
        let address = "127.0.0.1:5060".parse().unwrap();
        let route = Route { local: address, server: address };
        (Qualifier::new(ServerId(0), route, Duration::ZERO), Outbox::new(1))
    }

    fn run(qualifier: &mut Qualifier, out: &mut Outbox, until: Duration) -> Option<Duration> {
        while qualifier.poll_timeout() < until {
            let now = qualifier.poll_timeout();
            if qualifier.handle_timeout(now, out) {
                return Some(now);
            }
        }
        None
    }

    fn answer(qualifier: &mut Qualifier) {
        let branch = qualifier.probe.as_ref().unwrap().branch().to_owned();
        assert!(qualifier.is_answered_by(&branch));
        assert!(!qualifier.is_answered_by(&branch), "an answer counts once");
    }

    #[test]
    fn a_server_that_never_answers_is_silent_after_six_seconds_and_once() {
        let (mut qualifier, mut out) = qualifier();
        assert_eq!(run(&mut qualifier, &mut out, 60 * SECOND), Some(6 * SECOND));
        assert_eq!(run(&mut qualifier, &mut out, 60 * SECOND), None);
        assert_eq!(out.events, [Event::Silent { server: ServerId(0) }]);
        assert_eq!(out.transmits.len(), 30 * 3, "three datagrams in each period");
    }

    #[test]
    fn an_answer_in_time_keeps_it_alive_and_is_not_repeated() {
        let (mut qualifier, mut out) = qualifier();
        for second in 1..30 {
            run(&mut qualifier, &mut out, second * SECOND);
            if second % 5 == 1 {
                answer(&mut qualifier);
                qualifier.heard(second * SECOND, &mut out);
            }
        }
        assert_eq!(out.events, [Event::Alive { server: ServerId(0) }]);
    }

    #[test]
    fn a_server_is_not_silent_because_this_process_was_stopped() {
        let (mut qualifier, mut out) = qualifier();
        run(&mut qualifier, &mut out, SECOND);
        answer(&mut qualifier);
        qualifier.heard(SECOND, &mut out);
        let awake = 3_600 * SECOND;
        assert!(!qualifier.handle_timeout(awake, &mut out));
        answer(&mut qualifier);
        qualifier.heard(awake, &mut out);
        assert_eq!(out.events, [Event::Alive { server: ServerId(0) }]);
    }

    #[test]
    fn a_busy_server_is_neither_alive_nor_silent() {
        let (mut qualifier, mut out) = qualifier();
        for second in (0..60).step_by(2) {
            run(&mut qualifier, &mut out, (second + 1) * SECOND);
            answer(&mut qualifier);
            qualifier.heard_busy((second + 1) * SECOND);
        }
        assert!(out.events.is_empty());
    }
}

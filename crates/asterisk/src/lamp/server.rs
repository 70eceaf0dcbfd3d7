//! All lamps at one server: how many SUBSCRIBEs are under way, and what one tells of the others.

use super::dialog::Dialog;
use super::outbox::{DropKind, Lost, Outbox};
use super::subscription::{Line, Outcome, Subscription, backoff};
use crate::message::{Request, Response};
use std::net::SocketAddr;
use std::time::Duration;

/// SUBSCRIBEs under way at once, so that a thousand lamps do not overrun a socket.
const WINDOW: usize = 16;
/// The longest wait before a silent server is asked again; the question itself is repeated for 8 s.
const BACKOFF_MAX: Duration = Duration::from_secs(8);

/// One server.
pub(crate) struct Server {
    line: Line,
    subscriptions: Vec<Subscription>,
    silence: Option<Silence>,
    /// When a subscription was last found forgotten that had been taken since the last time: a restart.
    forgot_at: Option<Duration>,
}

/// The server does not answer: one subscription asks for all.
#[derive(Clone, Copy)]
struct Silence {
    tries: u32,
    next_at: Duration,
}

/// What a NOTIFY is answered with.
pub(crate) type Answer = (u16, &'static str);

impl Server {
    pub(crate) fn new(line: Line, subscriptions: Vec<Subscription>) -> Self {
        Self { line, subscriptions, silence: None, forgot_at: None }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.line.route.server
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.subscriptions.iter().all(Subscription::is_quiet)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        let own = self.subscriptions.iter().filter_map(Subscription::poll_timeout);
        let begin = self.subscriptions.iter().filter_map(Subscription::due).min().filter(|_| self.room() > 0);
        own.chain(begin.map(|due| due.max(self.silent_until()))).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration, out: &mut Outbox) {
        let outcomes =
            self.subscriptions.iter_mut().map(|subscription| subscription.handle_timeout(now, out));
        // Each one has to be asked, so no short cut at the first that is silent.
        let silent = outcomes.filter(|outcome| *outcome == Outcome::Silent).count() > 0;
        if silent {
            self.fall_silent(now, out);
        }
        self.proceed(now, out);
    }

    pub(crate) fn handle_response(&mut self, now: Duration, response: &Response<'_>, out: &mut Outbox) {
        self.silence = None;
        let position = Dialog::position(response.fields.call_id());
        let subscription = position.and_then(|position| self.subscriptions.get_mut(position));
        let outcome = subscription.map_or(Outcome::Stranger, |subscription| {
            subscription.handle_response(now, response, &mut self.line, out)
        });
        if outcome == Outcome::Stranger {
            out.counters.dropped(DropKind::StrayResponse);
        }
        self.judge(now, outcome);
        self.proceed(now, out);
    }

    pub(crate) fn handle_notify(&mut self, now: Duration, request: &Request<'_>, out: &mut Outbox) -> Answer {
        let event = request.fields.header("Event").unwrap_or_default();
        if event.split(';').next().unwrap_or_default().trim_end() != "dialog" {
            out.counters.dropped(DropKind::EventPackage);
            return (489, "Bad Event");
        }
        let position = Dialog::position(request.fields.call_id());
        let subscription = position.and_then(|position| self.subscriptions.get_mut(position));
        let outcome = subscription
            .map_or(Outcome::Stranger, |subscription| subscription.handle_notify(now, request, out));
        self.judge(now, outcome);
        if outcome == Outcome::Stranger {
            out.counters.dropped(DropKind::UnknownSubscription);
            return (481, "Subscription does not exist");
        }
        (200, "OK")
    }

    /// A sign of life: whatever waits for one goes on.
    pub(crate) fn heard(&mut self, now: Duration, out: &mut Outbox) {
        self.silence = None;
        self.proceed(now, out);
    }

    /// Ends all subscriptions.
    pub(crate) fn close(&mut self, now: Duration, out: &mut Outbox) {
        self.subscriptions.iter_mut().for_each(|subscription| subscription.close(now));
        self.proceed(now, out);
    }

    /// Has everything that is due later done now.
    pub(crate) fn hurry(&mut self, now: Duration, out: &mut Outbox) {
        self.silence = None;
        self.subscriptions.iter_mut().for_each(|subscription| subscription.hurry(now));
        self.proceed(now, out);
    }

    /// One forgotten subscription makes the others suspect, once for each restart.
    fn judge(&mut self, now: Duration, outcome: Outcome) {
        if let Outcome::Forgotten(accepted_at) = outcome
            && self.forgot_at.is_none_or(|known| accepted_at > known)
        {
            self.forgot_at = Some(now);
            self.subscriptions.iter_mut().for_each(|subscription| subscription.suspect(now));
        }
    }

    fn fall_silent(&mut self, now: Duration, out: &mut Outbox) {
        for subscription in &mut self.subscriptions {
            subscription.end(now, Lost::Silent, out);
        }
        let tries = self.silence.map_or(0, |silence| silence.tries);
        let next_at = now + backoff(tries).min(BACKOFF_MAX);
        self.silence = Some(Silence { tries: tries + 1, next_at });
    }

    fn proceed(&mut self, now: Duration, out: &mut Outbox) {
        if now < self.silent_until() {
            return;
        }
        let room = self.room();
        let due = self.subscriptions.iter_mut().filter(|one| one.due().is_some_and(|due| due <= now));
        due.take(room).for_each(|subscription| subscription.begin(now, &mut self.line, out));
    }

    /// How many SUBSCRIBEs may be begun.
    fn room(&self) -> usize {
        let window = if self.silence.is_some() { 1 } else { WINDOW };
        let open = self.subscriptions.iter().filter(|subscription| subscription.is_open()).count();
        window.saturating_sub(open)
    }

    fn silent_until(&self) -> Duration {
        self.silence.map_or(Duration::ZERO, |silence| silence.next_at)
    }
}

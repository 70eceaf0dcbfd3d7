//! One lamp at one server: its subscription (RFC 6665), refreshed, lost and made again.

use super::dialog::{Dialog, Order};
use super::dialog_info;
use super::outbox::{DropKind, Event, Lost, Outbox};
use crate::compose::{Draft, Route};
use crate::counters::Failure;
use crate::digest::{ClientAuth, Learned};
use crate::message::{Request, Response};
use crate::transaction::{ClientTransaction, Due};
use presence::ServerId;
use std::time::Duration;

/// Timer F, how long an answer is awaited, and how long after it the NOTIFY: as the publisher has it.
const PATIENCE: Duration = Duration::from_secs(8);
/// The most we let a server impose (423).
pub(crate) const EXPIRES_MAX_S: u32 = 86_400;
/// How often one SUBSCRIBE is sent anew, for challenges and 423 together.
const ATTEMPTS_MAX: u8 = 6;
/// The longest wait before another try.
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// No refresh sooner than that, whatever the server grants.
const REFRESH_MIN: Duration = Duration::from_secs(1);

/// What all subscriptions at one server share.
pub(crate) struct Line {
    pub(crate) route: Route,
    /// Our address at the servers, and as they reach us.
    pub(crate) own: String,
    pub(crate) auth: ClientAuth,
}

/// One subscription.
pub(crate) struct Subscription {
    server: ServerId,
    position: usize,
    exten: String,
    uri: String,
    expires_s: u32,
    /// When the next SUBSCRIBE is due: the first, another try, a refresh or the end.
    due: Option<Duration>,
    dialog: Option<Dialog>,
    exchange: Option<Exchange>,
    /// When the server last took the subscription; nothing until it did.
    accepted_at: Option<Duration>,
    expires_at: Option<Duration>,
    /// A NOTIFY must be here by then.
    notify_by: Option<Duration>,
    notified: bool,
    failures: u32,
    told: Told,
    closing: bool,
}

struct Exchange {
    attempts: u8,
    /// Met a challenge in this exchange; a second one means that the credentials are wrong.
    authorized: bool,
    /// It is the end.
    end: bool,
    transaction: ClientTransaction,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Told {
    Nothing,
    Subscribed,
    Lost(Lost),
}

/// What came of a datagram or a deadline, for the server to judge the other subscriptions by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    Nothing,
    /// It belongs to no exchange and no dialog.
    Stranger,
    /// The server lost what it knew since it took this subscription then: the others too, it may be.
    Forgotten(Duration),
    /// No answer.
    Silent,
}

impl Subscription {
    /// Due at once.
    pub(crate) fn new(
        (server, position): (ServerId, usize),
        exten: String,
        uri: String,
        expires_s: u32,
        now: Duration,
    ) -> Self {
        Self {
            server,
            position,
            exten,
            uri,
            expires_s,
            due: Some(now),
            dialog: None,
            exchange: None,
            accepted_at: None,
            expires_at: None,
            notify_by: None,
            notified: false,
            failures: 0,
            told: Told::Nothing,
            closing: false,
        }
    }

    /// When the next SUBSCRIBE is due, unless one is under way.
    pub(crate) fn due(&self) -> Option<Duration> {
        self.due.filter(|_| self.exchange.is_none())
    }

    pub(crate) fn is_open(&self) -> bool {
        self.exchange.is_some()
    }

    /// True when nothing is under way or, for the end, about to be.
    pub(crate) fn is_quiet(&self) -> bool {
        self.exchange.is_none() && (!self.closing || self.due.is_none())
    }

    /// Every deadline but [`due`](Self::due).
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        let exchange = self.exchange.as_ref().map(|exchange| exchange.transaction.poll_timeout());
        [exchange, self.expires_at, self.notify_by].into_iter().flatten().min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration, out: &mut Outbox) -> Outcome {
        let due = self.exchange.as_mut().map(|exchange| exchange.transaction.handle_timeout(now));
        match due {
            Some(Due::GiveUp) => {
                out.counters.failed(Failure::Timeout);
                self.end(now, Lost::Silent, out);
                return Outcome::Silent;
            }
            Some(Due::Retransmit) => {
                out.counters.retransmissions += 1;
                if let Some(exchange) = &self.exchange {
                    out.send(exchange.transaction.request().clone());
                }
            }
            Some(Due::Nothing) | None => {}
        }
        if self.expires_at.is_some_and(|at| at <= now) {
            self.end(now, Lost::Expired, out);
        } else if self.notify_by.is_some_and(|by| by <= now) {
            self.end(now, Lost::Mute, out);
        }
        Outcome::Nothing
    }

    /// Sends the SUBSCRIBE that is due.
    pub(crate) fn begin(&mut self, now: Duration, line: &mut Line, out: &mut Outbox) {
        out.counters.subscribes_begun += 1;
        self.due = None;
        self.notified = false;
        let transaction = self.send(now, line, out);
        let end = self.closing;
        self.exchange = Some(Exchange { attempts: 1, authorized: false, end, transaction });
    }

    /// The server may have lost this subscription: a refresh will tell.
    pub(crate) fn suspect(&mut self, now: Duration) {
        if self.accepted_at.is_some() {
            self.hurry(now);
        }
    }

    /// What is due later is due now.
    pub(crate) fn hurry(&mut self, now: Duration) {
        if let Some(due) = &mut self.due {
            *due = now.min(*due);
        }
    }

    /// Ends the subscription for good.
    pub(crate) fn close(&mut self, now: Duration) {
        if !self.closing {
            self.closing = true;
            (self.expires_at, self.notify_by) = (None, None);
            self.due = self.dialog.is_some().then_some(now);
        }
    }

    /// Takes the answer to a SUBSCRIBE.
    pub(crate) fn handle_response(
        &mut self,
        now: Duration,
        response: &Response<'_>,
        line: &mut Line,
        out: &mut Outbox,
    ) -> Outcome {
        let branch = response.fields.branch();
        let awaited = self.exchange.as_mut().filter(|exchange| exchange.transaction.branch() == branch);
        let Some(exchange) = awaited else { return Outcome::Stranger };
        match response.code {
            ..200 => exchange.transaction.slow_down(),
            200..300 => self.accepted(now, response, out),
            401 | 407 => {
                out.counters.challenges_received += 1;
                let again = match line.auth.learn(response) {
                    Learned::Stale => true,
                    Learned::Fresh => !exchange.authorized,
                    Learned::Unusable => false,
                };
                exchange.authorized = true;
                self.attempt(now, response.code, again, line, out);
            }
            423 => {
                let min = response.fields.number("Min-Expires").ok().flatten().unwrap_or_default();
                let again = min > self.expires_s && min <= EXPIRES_MAX_S;
                self.expires_s = if again { min } else { self.expires_s };
                self.attempt(now, response.code, again, line, out);
            }
            code => {
                let forgotten = self.accepted_at.filter(|_| code == 481);
                let reason = if forgotten.is_some() { Lost::Forgotten } else { Lost::Refused(code) };
                self.refused(now, code, reason, out);
                return forgotten.map_or(Outcome::Nothing, Outcome::Forgotten);
            }
        }
        Outcome::Nothing
    }

    /// Takes a NOTIFY; all that belong to the subscription are to be answered with 200.
    pub(crate) fn handle_notify(
        &mut self,
        now: Duration,
        request: &Request<'_>,
        out: &mut Outbox,
    ) -> Outcome {
        let Some(dialog) = self.dialog.as_mut().filter(|dialog| dialog.holds(request)) else {
            return Outcome::Stranger;
        };
        dialog.learn("From", &request.fields);
        match dialog.order(request.cseq) {
            Order::Newer => {}
            Order::Repeated => {
                out.counters.repeated_notifies += 1;
                return Outcome::Nothing;
            }
            Order::Older => {
                out.counters.dropped(DropKind::OutOfOrder);
                return Outcome::Nothing;
            }
        }
        if self.closing {
            return Outcome::Nothing;
        }
        let state = request.fields.header("Subscription-State").unwrap_or_default();
        if state.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("terminated") {
            self.end(now, Lost::Ended, out);
            return Outcome::Nothing;
        }
        self.established(out);
        if request.fields.body.is_empty() { Outcome::Nothing } else { self.shown(now, request, out) }
    }

    fn shown(&mut self, now: Duration, request: &Request<'_>, out: &mut Outbox) -> Outcome {
        let kind = request.fields.header("Content-Type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let info = dialog_info::parse(request.fields.body).ok();
        let Some(info) = info.filter(|_| kind.eq_ignore_ascii_case("application/dialog-info+xml")) else {
            out.counters.dropped(DropKind::Body);
            return Outcome::Nothing;
        };
        // A later request with an earlier document: it can only be another process that counts anew.
        if !self.dialog.as_mut().is_some_and(|dialog| dialog.advance(info.version)) {
            out.counters.dropped(DropKind::OutOfOrder);
            let accepted_at = self.accepted_at.unwrap_or(now);
            self.end(now, Lost::Forgotten, out);
            return Outcome::Forgotten(accepted_at);
        }
        out.counters.notifies += 1;
        (self.notified, self.notify_by) = (true, None);
        let (server, exten) = (self.server, self.exten.clone());
        out.events.push_back(Event::Lamp { server, exten, state: info.state });
        Outcome::Nothing
    }

    fn accepted(&mut self, now: Duration, response: &Response<'_>, out: &mut Outbox) {
        out.counters.subscribes_accepted += 1;
        let Some(exchange) = self.exchange.take() else { return };
        if let Some(dialog) = &mut self.dialog {
            dialog.learn("To", &response.fields);
        }
        if self.closing {
            self.due = (!exchange.end).then_some(now);
            return;
        }
        let granted_s = response.fields.number("Expires").ok().flatten().unwrap_or(self.expires_s);
        let life = Duration::from_secs(u64::from(granted_s.min(self.expires_s)));
        // Spread over a quarter of the life, so that the refreshes of many lamps do not go out together and
        // some refresh soon meets a server that restarted.
        let spread = u32::try_from(out.ids.count() % 16).unwrap_or_default();
        self.due = Some(now + REFRESH_MIN.max(life * (32 + spread) / 64));
        self.expires_at = Some(now + life);
        self.notify_by = (!self.notified).then_some(now + PATIENCE);
        if self.accepted_at.replace(now).is_some() {
            self.failures = 0;
        }
        self.established(out);
    }

    fn refused(&mut self, now: Duration, code: u16, reason: Lost, out: &mut Outbox) {
        out.counters.failed(Failure::Status(code));
        self.end(now, reason, out);
    }

    /// Sends the SUBSCRIBE under way once more, as it has to be by now; `code` is why.
    fn attempt(&mut self, now: Duration, code: u16, again: bool, line: &mut Line, out: &mut Outbox) {
        let Some(mut exchange) = self.exchange.take() else { return };
        if !again || exchange.attempts >= ATTEMPTS_MAX {
            return self.refused(now, code, Lost::Refused(code), out);
        }
        exchange.attempts += 1;
        exchange.transaction = self.send(now, line, out);
        self.exchange = Some(exchange);
    }

    /// The server is told by its 2xx or by its first NOTIFY, whichever comes first.
    fn established(&mut self, out: &mut Outbox) {
        if self.told != Told::Subscribed {
            self.told = Told::Subscribed;
            out.events.push_back(Event::Subscribed { server: self.server, exten: self.exten.clone() });
        }
    }

    /// Nothing is left of the subscription; another one is due, in time.
    pub(crate) fn end(&mut self, now: Duration, reason: Lost, out: &mut Outbox) {
        (self.dialog, self.exchange, self.due) = (None, None, None);
        (self.accepted_at, self.expires_at, self.notify_by) = (None, None, None);
        if self.closing {
            return;
        }
        let again = match reason {
            // The server as a whole waits.
            Lost::Silent => now,
            Lost::Forgotten | Lost::Ended | Lost::Expired if self.failures == 0 => now,
            Lost::Forgotten | Lost::Ended | Lost::Expired | Lost::Mute | Lost::Refused(_) => {
                now + backoff(self.failures).min(BACKOFF_MAX)
            }
        };
        self.due = Some(again);
        self.failures += u32::from(reason != Lost::Silent);
        if self.told != Told::Lost(reason) {
            self.told = Told::Lost(reason);
            let (server, exten) = (self.server, self.exten.clone());
            out.events.push_back(Event::Lost { server, exten, reason });
        }
    }

    fn send(&mut self, now: Duration, line: &mut Line, out: &mut Outbox) -> ClientTransaction {
        let position = self.position;
        let dialog = self.dialog.get_or_insert_with(|| Dialog::new(position, &mut out.ids));
        let uri = dialog.target(&self.uri);
        let (from, to, cseq) = dialog.next(&line.own, &self.uri);
        let expires = if self.closing { 0 } else { self.expires_s }.to_string();
        let contact = format!("<{}>", line.own);
        let mut headers = vec![
            ("Contact", contact.as_str()),
            ("Event", "dialog"),
            ("Accept", "application/dialog-info+xml"),
            ("Expires", &expires),
        ];
        let authorization = line.auth.authorize("SUBSCRIBE", &uri, &mut out.ids);
        headers.extend(authorization.as_ref().map(|(name, value)| (*name, value.as_str())));
        let branch = format!("z9hG4bK{}", out.ids.token());
        let request = line.route.request(&Draft {
            method: "SUBSCRIBE",
            uri: &uri,
            branch: &branch,
            from: &from,
            to: &to,
            call_id: &dialog.call_id,
            cseq,
            headers: &headers,
            body: "",
        });
        out.send(request.clone());
        ClientTransaction::new(now, branch, request, PATIENCE)
    }
}

/// How long to wait after so many failures.
pub(crate) fn backoff(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.min(6))
}

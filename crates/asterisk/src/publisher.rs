//! Our publications at one server (RFC 3903, the client side): one for each event package.

use crate::body::{self, Package};
use crate::compose::{Draft, Route};
use crate::counters::Failure;
use crate::digest::{ClientAuth, Credentials, Learned};
use crate::message::Response;
use crate::outbox::{Event, Outbox, Outcome};
use crate::transaction::{ClientTransaction, Due};
use presence::{Change, Eid, ServerId};
use std::time::Duration;

/// Timer F, how long an answer is awaited: 8 s and not 64 × T1 = 32 s. On a LAN an answer takes milliseconds,
/// five requests without one mean that nobody listens, and the caller has newer states to send by then.
const PATIENCE: Duration = Duration::from_secs(8);
/// What we ask for.
const EXPIRES_S: u32 = 3600;
/// The most we let a server impose (423).
const EXPIRES_MAX_S: u32 = 86_400;
/// When a renewal that failed is tried again.
const RENEW_AGAIN: Duration = Duration::from_secs(30);
/// How often one message is sent anew, for challenges, 412 and 423 together.
const ATTEMPTS_MAX: u8 = 6;

/// Publishes to one server. The caller has at most one thing in flight.
#[derive(Debug)]
pub(crate) struct Publisher {
    server: ServerId,
    route: Route,
    eid: Eid,
    auth: ClientAuth,
    publications: [Publication; 2],
    open: Option<Open>,
}

/// What the caller waits for.
#[derive(Debug)]
struct Open {
    exchanges: u8,
    worst: Outcome,
}

#[derive(Debug)]
struct Publication {
    package: Package,
    call_id: String,
    cseq: u32,
    tag: Option<String>,
    expires_s: u32,
    renew_at: Option<Duration>,
    exchange: Option<Exchange>,
    waiting: Option<String>,
    remove: bool,
}

#[derive(Debug)]
struct Exchange {
    kind: Kind,
    body: String,
    attempts: u8,
    /// Met a challenge in this exchange; a second one means that the credentials are wrong.
    authorized: bool,
    transaction: ClientTransaction,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// A state or a refresh request: the caller waits for it.
    Message,
    Renewal,
    Removal,
}

/// How an exchange ends.
enum End {
    Accepted,
    Failed(Outcome, Failure),
}

impl Publisher {
    pub(crate) fn new(server: ServerId, route: Route, eid: Eid, credentials: Option<Credentials>) -> Self {
        let auth = ClientAuth::new(credentials);
        let publications = Package::ALL.map(Publication::new);
        Self { server, route, eid, auth, publications, open: None }
    }

    pub(crate) fn publish(&mut self, now: Duration, eid: Eid, change: &Change, out: &mut Outbox) {
        self.expect(1);
        let index = usize::from(Package::of(change) == Package::Mwi);
        self.submit(now, index, body::state(eid, change), out);
    }

    pub(crate) fn request_refresh(&mut self, now: Duration, out: &mut Outbox) {
        self.expect(2);
        for index in 0..self.publications.len() {
            self.submit(now, index, body::refresh(self.eid), out);
        }
    }

    /// Ends every publication that the server knows, or will know after what is in flight.
    pub(crate) fn withdraw(&mut self, now: Duration, out: &mut Outbox) {
        for index in 0..self.publications.len() {
            self.publications[index].remove = true;
            self.proceed(now, index, out);
        }
    }

    /// The server may have restarted: our entity tags may by now name the publications of others, for
    /// Asterisk counts its tags from 0.
    pub(crate) fn forget(&mut self) {
        for publication in &mut self.publications {
            publication.forget();
        }
    }

    /// The server is heard: what was lost while it was away goes out at once.
    pub(crate) fn hurry(&mut self, now: Duration, out: &mut Outbox) {
        for exchange in self.publications.iter_mut().filter_map(|publication| publication.exchange.as_mut()) {
            if exchange.transaction.hurry(now) {
                out.counters.retransmissions += 1;
                out.send(exchange.transaction.request().clone());
            }
        }
    }

    /// Takes a challenge from an answer to another request (OPTIONS), so that the next PUBLISH need not be
    /// challenged.
    pub(crate) fn learn(&mut self, response: &Response<'_>) {
        self.auth.learn(response);
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.publications.iter().all(|publication| publication.exchange.is_none())
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.publications.iter().filter_map(Publication::poll_timeout).min()
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration, out: &mut Outbox) {
        for index in 0..self.publications.len() {
            let publication = &mut self.publications[index];
            let due = publication.exchange.as_mut().map(|exchange| exchange.transaction.handle_timeout(now));
            match due {
                Some(Due::Retransmit) => {
                    out.counters.retransmissions += 1;
                    out.transmits
                        .extend(publication.exchange.as_ref().map(|e| e.transaction.request().clone()));
                }
                Some(Due::GiveUp) => {
                    let end = End::Failed(Outcome::Unanswered, Failure::Timeout);
                    self.end(now, index, end, out);
                }
                Some(Due::Nothing) => {}
                None => {
                    if publication.renew_at.take_if(|at| *at <= now).is_some() {
                        self.begin(now, index, Kind::Renewal, String::new(), out);
                    }
                }
            }
        }
    }

    /// Takes the answer to a PUBLISH; false when it answers nothing that is in flight.
    pub(crate) fn handle_response(
        &mut self,
        now: Duration,
        response: &Response<'_>,
        out: &mut Outbox,
    ) -> bool {
        let branch = response.fields.branch();
        let Some(index) = self.publications.iter().position(|publication| publication.awaits(branch)) else {
            return false;
        };
        match response.code {
            ..200 => {
                if let Some(exchange) = &mut self.publications[index].exchange {
                    exchange.transaction.slow_down();
                }
            }
            200..300 => {
                self.publications[index].accept(now, response);
                self.end(now, index, End::Accepted, out);
            }
            401 | 407 => self.challenged(now, index, response, out),
            412 => self.forgotten(now, index, out),
            423 => self.too_brief(now, index, response, out),
            code => self.end(now, index, failed(code), out),
        }
        true
    }

    fn challenged(&mut self, now: Duration, index: usize, response: &Response<'_>, out: &mut Outbox) {
        out.counters.challenges_received += 1;
        let learned = self.auth.learn(response);
        let Some(exchange) = &mut self.publications[index].exchange else { return };
        let again = match learned {
            Learned::Stale => true,
            Learned::Fresh => !exchange.authorized,
            Learned::Unusable => false,
        };
        exchange.authorized = true;
        if again {
            self.attempt(now, index, response.code, out);
        } else {
            self.end(now, index, failed(response.code), out);
        }
    }

    fn forgotten(&mut self, now: Duration, index: usize, out: &mut Outbox) {
        out.counters.forgotten += 1;
        // One package forgotten makes the tag of the other one suspect.
        self.forget();
        let kind = self.publications[index].exchange.as_ref().map(|exchange| exchange.kind);
        if kind != Some(Kind::Removal) {
            out.events.push_back(Event::Forgotten { server: self.server });
        }
        match kind {
            Some(Kind::Message) => self.attempt(now, index, 412, out),
            // Without a body there is nothing to publish anew, and what was to be removed is gone.
            Some(Kind::Renewal | Kind::Removal) | None => self.end(now, index, failed(412), out),
        }
    }

    fn too_brief(&mut self, now: Duration, index: usize, response: &Response<'_>, out: &mut Outbox) {
        let publication = &mut self.publications[index];
        match response.fields.number("Min-Expires") {
            Ok(Some(min)) if min > publication.expires_s && min <= EXPIRES_MAX_S => {
                publication.expires_s = min;
                self.attempt(now, index, 423, out);
            }
            _ => self.end(now, index, failed(423), out),
        }
    }

    /// Notes what the caller will wait for.
    fn expect(&mut self, exchanges: u8) {
        assert!(self.open.is_none(), "a message to {:?} is still in flight", self.server);
        self.open = Some(Open { exchanges, worst: Outcome::Accepted });
    }

    fn submit(&mut self, now: Duration, index: usize, body: String, out: &mut Outbox) {
        self.publications[index].waiting = Some(body);
        self.proceed(now, index, out);
    }

    /// Begins what waits, unless something is in flight.
    fn proceed(&mut self, now: Duration, index: usize, out: &mut Outbox) {
        let publication = &mut self.publications[index];
        if publication.exchange.is_some() {
            return;
        }
        if let Some(body) = publication.waiting.take() {
            self.begin(now, index, Kind::Message, body, out);
        } else if std::mem::take(&mut publication.remove) && publication.tag.is_some() {
            self.begin(now, index, Kind::Removal, String::new(), out);
        }
    }

    fn begin(&mut self, now: Duration, index: usize, kind: Kind, body: String, out: &mut Outbox) {
        out.counters.publishes_begun += 1;
        let transaction = self.send(now, index, kind, &body, out);
        let exchange = Exchange { kind, body, attempts: 1, authorized: false, transaction };
        self.publications[index].exchange = Some(exchange);
    }

    /// Sends the message in flight once more, as it has to be by now; `code` is why.
    fn attempt(&mut self, now: Duration, index: usize, code: u16, out: &mut Outbox) {
        let Some(mut exchange) = self.publications[index].exchange.take() else { return };
        if exchange.attempts >= ATTEMPTS_MAX {
            self.publications[index].exchange = Some(exchange);
            return self.end(now, index, failed(code), out);
        }
        exchange.attempts += 1;
        exchange.transaction = self.send(now, index, exchange.kind, &exchange.body, out);
        self.publications[index].exchange = Some(exchange);
    }

    fn send(
        &mut self,
        now: Duration,
        index: usize,
        kind: Kind,
        body: &str,
        out: &mut Outbox,
    ) -> ClientTransaction {
        let publication = &mut self.publications[index];
        publication.cseq += 1;
        if publication.call_id.is_empty() {
            publication.call_id = out.ids.token();
        }
        let expires = if kind == Kind::Removal { 0 } else { publication.expires_s }.to_string();
        let uri = self.route.uri();
        let mut headers = vec![("Event", publication.package.name()), ("Expires", &expires)];
        headers.extend(publication.tag.as_deref().map(|tag| ("SIP-If-Match", tag)));
        let authorization = self.auth.authorize("PUBLISH", &uri, &mut out.ids);
        headers.extend(authorization.as_ref().map(|(name, value)| (*name, value.as_str())));
        let (branch, tag) = (format!("z9hG4bK{}", out.ids.token()), out.ids.token());
        let request = self.route.request(&Draft {
            method: "PUBLISH",
            uri: &uri,
            branch: &branch,
            from: &self.route.from(&tag),
            to: &self.route.to(),
            call_id: &publication.call_id,
            cseq: publication.cseq,
            headers: &headers,
            body,
        });
        out.send(request.clone());
        ClientTransaction::new(now, branch, request, PATIENCE)
    }

    /// Ends what is in flight, tells the caller where it waits, and goes on with what waits behind.
    fn end(&mut self, now: Duration, index: usize, end: End, out: &mut Outbox) {
        let publication = &mut self.publications[index];
        let Some(exchange) = publication.exchange.take() else { return };
        let outcome = match end {
            End::Accepted => {
                out.counters.publishes_accepted += 1;
                Outcome::Accepted
            }
            End::Failed(outcome, failure) => {
                out.counters.failed(failure);
                outcome
            }
        };
        match exchange.kind {
            Kind::Message => self.tell(outcome, out),
            Kind::Renewal if outcome != Outcome::Accepted && publication.tag.is_some() => {
                publication.renew_at = Some(now + RENEW_AGAIN);
            }
            Kind::Removal => publication.forget(),
            Kind::Renewal => {}
        }
        self.proceed(now, index, out);
    }

    fn tell(&mut self, outcome: Outcome, out: &mut Outbox) {
        let Some(open) = &mut self.open else { return };
        open.worst = open.worst.max(outcome);
        open.exchanges -= 1;
        if open.exchanges == 0 {
            out.events.push_back(Event::Published { server: self.server, outcome: open.worst });
            self.open = None;
        }
    }
}

impl Publication {
    fn new(package: Package) -> Self {
        Self {
            package,
            call_id: String::new(),
            cseq: 0,
            tag: None,
            expires_s: EXPIRES_S,
            renew_at: None,
            exchange: None,
            waiting: None,
            remove: false,
        }
    }

    /// The next message makes a new publication, under a new Call-ID.
    fn forget(&mut self) {
        self.call_id.clear();
        self.tag = None;
        self.renew_at = None;
    }

    fn awaits(&self, branch: &str) -> bool {
        self.exchange.as_ref().is_some_and(|exchange| exchange.transaction.branch() == branch)
    }

    /// Takes tag and expiry of a 2xx; the publication is renewed at 80 % of its life.
    fn accept(&mut self, now: Duration, response: &Response<'_>) {
        const TAG_BYTES_MAX: usize = 256;
        let tag =
            response.fields.header("SIP-ETag").filter(|tag| !tag.is_empty() && tag.len() <= TAG_BYTES_MAX);
        self.tag = tag.map(str::to_owned);
        let granted_s = response.fields.number("Expires").ok().flatten().unwrap_or(self.expires_s);
        let life = Duration::from_secs(u64::from(granted_s.min(EXPIRES_MAX_S)));
        self.renew_at = (self.tag.is_some() && !life.is_zero()).then(|| now + life * 4 / 5);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        match &self.exchange {
            Some(exchange) => Some(exchange.transaction.poll_timeout()),
            None => self.renew_at,
        }
    }
}

/// Whether an answer is about the server, which may change, or about the message, which will not.
fn failed(code: u16) -> End {
    let outcome = match code {
        401 | 403 | 407 | 408 | 412 | 480 | 502..=504 => Outcome::Unanswered,
        code => Outcome::Rejected { code },
    };
    End::Failed(outcome, Failure::Status(code))
}

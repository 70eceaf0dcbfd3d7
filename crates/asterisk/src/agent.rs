//! The agent: knows the servers, and leads every datagram and every deadline to where it belongs.

use crate::compose::{Envelope, Route, Transmit};
use crate::compositor::{Ask, Compositor, Refusal, What};
use crate::counters::{Counters, DropKind};
use crate::digest::Credentials;
use crate::doorman::{Doorman, Knock};
use crate::message::{Malformed, Message, Request, Response};
use crate::outbox::{Event, Outbox, ReportId};
use crate::publisher::Publisher;
use crate::qualify::Qualifier;
use crate::source;
use crate::transaction::{Key, Repeated, ServerTransactions};
use presence::{Change, Eid, ServerId};
use std::net::SocketAddr;
use std::time::Duration;

const ALLOW: (&str, &str) = ("Allow", "PUBLISH, OPTIONS");

/// What an agent has to know.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// Our address as the servers reach it; goes into Via and From.
    pub local: SocketAddr,
    /// Our own EID; goes into refresh requests.
    pub eid: Eid,
    /// The servers, named by their position ([`ServerId`]).
    pub servers: Vec<ServerConfig>,
    /// A secret from which tags and nonces are drawn. The same seed twice makes them guessable.
    pub seed: u64,
}

/// One server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// A name for people; the agent does not use it.
    pub name: String,
    /// Where it takes SIP. What comes from this IP address is from this server; the port matters only where
    /// two servers share the IP address.
    pub address: SocketAddr,
    /// What it and we prove who we are with; without, its address suffices.
    pub credentials: Option<Credentials>,
}

/// What the caller says of a reported state.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It was taken: 200.
    Accept,
    /// It was not: 403 with this reason phrase.
    Refuse(&'static str),
}

/// Speaks PUBLISH with all servers, both ways.
///
/// The driver hands over datagrams and time, and after each call sends what [`poll_transmit`](Self::poll_transmit)
/// gives and handles what [`poll_event`](Self::poll_event) gives, until both give nothing.
pub struct Agent {
    servers: Vec<Server>,
    out: Outbox,
}

/// All that concerns one server.
struct Server {
    id: ServerId,
    address: SocketAddr,
    doorman: Doorman,
    qualifier: Qualifier,
    publisher: Publisher,
    compositor: Compositor,
    transactions: ServerTransactions<Pending>,
    refresh_asked: Option<(Ask, Duration)>,
}

/// A state that the driver has been told of and has not judged yet.
struct Pending {
    envelope: Envelope,
    ask: Ask,
}

impl Agent {
    /// An agent that begins at `now`; OPTIONS to every server are due at once.
    #[must_use]
    pub fn new(config: AgentConfig, now: Duration) -> Self {
        let AgentConfig { local, eid, servers, seed } = config;
        let servers = servers.into_iter().enumerate();
        let servers = servers.map(|(index, config)| Server::new(ServerId(index), local, eid, config, now));
        Self { servers: servers.collect(), out: Outbox::new(seed) }
    }

    /// Takes one datagram, whatever it is.
    pub fn handle_datagram(&mut self, now: Duration, from: SocketAddr, datagram: &[u8]) {
        if self.out.is_full() {
            return self.out.counters.dropped(DropKind::Overload);
        }
        let message = match Message::parse(datagram) {
            Ok(message) => message,
            Err(Malformed::KeepAlive) => return,
            Err(_) => return self.out.counters.dropped(DropKind::Malformed),
        };
        let addresses = self.servers.iter().map(|server| server.address);
        let server = source::find(addresses, from).map(|index| &mut self.servers[index]);
        match (server, message) {
            (Some(server), Message::Request(request)) => {
                server.handle_request(now, from, datagram.len(), &request, &mut self.out);
            }
            (Some(server), Message::Response(response)) => {
                server.handle_response(now, &response, &mut self.out)
            }
            (None, Message::Request(request)) => turn_away(from, datagram.len(), &request, &mut self.out),
            (None, Message::Response(_)) => self.out.counters.dropped(DropKind::UnknownSource),
        }
    }

    /// Does what is due. Calling it late is safe, calling it early does nothing.
    pub fn handle_timeout(&mut self, now: Duration) {
        for server in &mut self.servers {
            server.handle_timeout(now, &mut self.out);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next; may be in the past.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.servers.iter().map(Server::poll_timeout).min()
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.transmits.pop_front()
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.out.events.pop_front()
    }

    /// Answers a report. A report that is answered or was forgotten for its age is ignored.
    pub fn answer(&mut self, now: Duration, report: ReportId, verdict: Verdict) {
        if let Some(server) = self.servers.get_mut(report.server.0) {
            server.answer(now, report.transaction, verdict, &mut self.out);
        }
    }

    /// Sends one state of the server `eid` to `server`; [`Event::Published`] tells how it ended.
    ///
    /// # Panics
    /// When something is already in flight to this server, or there is no such server.
    pub fn publish(&mut self, now: Duration, server: ServerId, eid: Eid, change: &Change) {
        self.servers[server.0].publisher.publish(now, eid, change, &mut self.out);
    }

    /// Asks a server for every state it has; [`Event::Published`] tells when it has answered for both event
    /// packages, with the worse of the two outcomes.
    ///
    /// # Panics
    /// As [`publish`](Self::publish).
    pub fn request_refresh(&mut self, now: Duration, server: ServerId) {
        self.servers[server.0].publisher.request_refresh(now, &mut self.out);
    }

    /// Ends our publications at all servers, for a shutdown; over when [`is_quiet`](Self::is_quiet).
    pub fn withdraw_publications(&mut self, now: Duration) {
        for server in &mut self.servers {
            server.publisher.withdraw(now, &mut self.out);
        }
    }

    /// True when no PUBLISH of ours awaits its answer.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.servers.iter().all(|server| server.publisher.is_quiet())
    }

    /// Totals since the start.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.out.counters
    }
}

/// Refuses a stranger, and keeps nothing of it.
fn turn_away(from: SocketAddr, length: usize, request: &Request<'_>, out: &mut Outbox) {
    out.counters.dropped(DropKind::UnknownSource);
    if request.method != "ACK" {
        let envelope = Envelope::new(request, from, &out.ids.token());
        send_no_more_than_twice(length, envelope.answer(403, "Forbidden", &[]), out);
    }
}

/// The source of a request that proves nothing may be forged: we lend ourselves to no amplification.
fn send_no_more_than_twice(length: usize, answer: Transmit, out: &mut Outbox) {
    if answer.payload.len() <= 2 * length {
        out.send(answer);
    }
}

impl Server {
    fn new(id: ServerId, local: SocketAddr, eid: Eid, config: ServerConfig, now: Duration) -> Self {
        let ServerConfig { address, credentials, .. } = config;
        let route = Route { local, server: address };
        Self {
            id,
            address,
            doorman: Doorman::new(credentials.clone()),
            qualifier: Qualifier::new(id, route, now),
            publisher: Publisher::new(id, route, eid, credentials),
            compositor: Compositor::new(),
            transactions: ServerTransactions::new(),
            refresh_asked: None,
        }
    }

    fn poll_timeout(&self) -> Duration {
        [self.publisher.poll_timeout(), self.compositor.poll_timeout()]
            .into_iter()
            .flatten()
            .fold(self.qualifier.poll_timeout(), Duration::min)
    }

    fn handle_timeout(&mut self, now: Duration, out: &mut Outbox) {
        self.transactions.purge(now);
        self.publisher.handle_timeout(now, out);
        let expired = self.compositor.expire(now);
        out.counters.publications_expired += expired as u64;
        if expired > 0 && self.compositor.is_empty() {
            self.goodbye(out);
        }
        if self.qualifier.handle_timeout(now, out) {
            self.forget();
        }
    }

    /// The server ended what it published, or let it end.
    fn goodbye(&mut self, out: &mut Outbox) {
        if self.qualifier.silence(out) {
            self.forget();
        }
    }

    /// What comes back may be another process: it shall not meet what its predecessor left.
    fn forget(&mut self) {
        self.compositor.clear();
        self.publisher.forget();
    }

    fn handle_response(&mut self, now: Duration, response: &Response<'_>, out: &mut Outbox) {
        let known = match response.method.as_str() {
            "PUBLISH" => self.publisher.handle_response(now, response, out),
            "OPTIONS" if response.code >= 200 => self.handle_options_answer(response),
            _ => false,
        };
        match (known, response.code) {
            (false, _) => out.counters.dropped(DropKind::StrayResponse),
            (true, 503) => self.qualifier.heard_busy(now),
            (true, _) => self.heard(now, out),
        }
    }

    /// True when it is the answer to our question; any answer will do.
    fn handle_options_answer(&mut self, response: &Response<'_>) -> bool {
        let known = self.qualifier.is_answered_by(response.fields.branch());
        if known && matches!(response.code, 401 | 407) {
            self.publisher.learn(response);
        }
        known
    }

    fn heard(&mut self, now: Duration, out: &mut Outbox) {
        self.qualifier.heard(now, out);
        self.publisher.hurry(now, out);
    }

    fn handle_request(
        &mut self,
        now: Duration,
        from: SocketAddr,
        length: usize,
        request: &Request<'_>,
        out: &mut Outbox,
    ) {
        if request.method == "ACK" {
            return;
        }
        let key = Key {
            from,
            branch: request.fields.branch().to_owned(),
            call_id: request.fields.call_id().to_owned(),
            cseq: request.cseq,
            method: request.method.to_owned(),
        };
        if let Some(repeated) = self.transactions.find(&key) {
            out.counters.repeated_requests += 1;
            if let Repeated::Answered(answer) = repeated {
                let answer = answer.clone();
                out.send(answer);
            }
            return;
        }
        let envelope = Envelope::new(request, from, &out.ids.token());
        let knock = self.doorman.judge(now, request, &out.ids);
        if knock != Knock::Welcome {
            return self.challenge(now, length, knock, &envelope, out);
        }
        self.heard(now, out);
        self.transactions.purge(now);
        let answer = match request.method {
            "OPTIONS" => envelope.answer(200, "OK", &[ALLOW, ("Accept", "application/json")]),
            "PUBLISH" => match self.compositor.judge(request) {
                Ok(ask) => return self.obey(now, key, envelope, ask, out),
                Err(refusal) => refuse(&envelope, &refusal, out),
            },
            _ => {
                out.counters.dropped(DropKind::Method);
                envelope.answer(405, "Method Not Allowed", &[ALLOW])
            }
        };
        self.conclude(now, key, answer, out);
    }

    fn challenge(&self, now: Duration, length: usize, knock: Knock, envelope: &Envelope, out: &mut Outbox) {
        if knock == Knock::Wrong {
            out.counters.dropped(DropKind::WrongCredentials);
        }
        out.counters.challenges_sent += 1;
        let challenge = Doorman::challenge(now, knock == Knock::Stale, &mut out.ids);
        let answer = envelope.answer(401, "Unauthorized", &[("WWW-Authenticate", &challenge)]);
        send_no_more_than_twice(length, answer, out);
    }

    fn obey(&mut self, now: Duration, key: Key, envelope: Envelope, ask: Ask, out: &mut Outbox) {
        match &ask.what {
            What::State { eid, change } => {
                let transaction = out.ids.count();
                let report = ReportId { server: self.id, transaction };
                out.counters.reports += 1;
                out.events.push_back(Event::Report {
                    report,
                    server: self.id,
                    eid: *eid,
                    change: change.clone(),
                });
                return self.transactions.open(now, key, transaction, Pending { envelope, ask });
            }
            What::Refresh { eid } => self.refresh(now, *eid, &ask, out),
            What::Renew | What::Remove => {}
        }
        let removed = ask.what == What::Remove;
        let answer = keep(now, &mut self.compositor, &envelope, ask, out);
        self.conclude(now, key, answer, out);
        if removed && self.compositor.is_empty() {
            self.goodbye(out);
        }
    }

    /// Asterisk asks once for each package, one right after the other; the driver sends everything the first
    /// time.
    fn refresh(&mut self, now: Duration, eid: Eid, ask: &Ask, out: &mut Outbox) {
        const TWIN: Duration = Duration::from_secs(1);
        let twin = self.refresh_asked.take_if(|(first, at)| !first.same_package(ask) && now < *at + TWIN);
        if twin.is_none() {
            self.refresh_asked = Some((ask.clone(), now));
            self.publisher.forget();
            let server = self.id;
            out.events.push_back(if ask.is_initial() {
                Event::Restarted { server, eid }
            } else {
                Event::RefreshAsked { server, eid }
            });
        }
    }

    fn answer(&mut self, now: Duration, transaction: u64, verdict: Verdict, out: &mut Outbox) {
        let compositor = &mut self.compositor;
        let answer = self.transactions.close(transaction, |Pending { envelope, ask }| match verdict {
            Verdict::Accept => keep(now, compositor, &envelope, ask, out),
            Verdict::Refuse(reason) => {
                out.counters.dropped(DropKind::Refused);
                envelope.answer(403, reason, &[])
            }
        });
        if let Some(answer) = answer {
            out.send(answer);
        }
    }

    /// Sends an answer and keeps it for requests that come again.
    fn conclude(&mut self, now: Duration, key: Key, answer: Transmit, out: &mut Outbox) {
        let id = out.ids.count();
        self.transactions.answered(now, key, id, answer.clone());
        out.send(answer);
    }
}

fn keep(
    now: Duration,
    compositor: &mut Compositor,
    envelope: &Envelope,
    ask: Ask,
    out: &mut Outbox,
) -> Transmit {
    let kept = compositor.obey(now, ask, &mut out.ids);
    out.counters.publications_evicted += u64::from(kept.evicted);
    let expires = kept.expires_s.to_string();
    envelope.answer(200, "OK", &[("SIP-ETag", &kept.tag), ("Expires", &expires)])
}

fn refuse(envelope: &Envelope, refusal: &Refusal, out: &mut Outbox) -> Transmit {
    out.counters.dropped(refusal.kind);
    envelope.answer(refusal.code, refusal.reason, refusal.header.as_slice())
}

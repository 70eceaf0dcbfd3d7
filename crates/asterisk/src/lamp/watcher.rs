//! The watcher: leads every datagram and every deadline to its server.

use super::outbox::{Counters, DropKind, Event, Outbox};
use super::server::{Answer, Server};
use super::subscription::{EXPIRES_MAX_S, Line, Subscription};
use crate::compose::{Envelope, Route, Transmit};
use crate::digest::{ClientAuth, Credentials};
use crate::message::{Malformed, Message, Request};
use crate::source;
use presence::ServerId;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

/// The shortest subscription asked for.
const EXPIRES_MIN_S: u32 = 10;

/// What a watcher has to know.
#[derive(Clone, Debug)]
pub struct WatcherConfig {
    /// Our address as the servers reach it; goes into Via, From and Contact.
    pub local: SocketAddr,
    /// The servers, named by their position ([`ServerId`]).
    pub servers: Vec<Watched>,
    /// How long a subscription lasts unless it is refreshed, 10 to 86,400; 60 is a good value. It is refreshed
    /// after half to three quarters of that time, each lamp at its own moment, and the first refresh that finds a
    /// server without memory renews all: the shorter, the sooner a restart is noticed.
    pub expires_s: u32,
    /// A secret from which tags are drawn. The same seed twice makes them guessable.
    pub seed: u64,
}

/// The lamps of one server.
#[derive(Clone, Debug)]
pub struct Watched {
    /// Where it takes SIP. What comes from this IP address is from this server; the port matters only where
    /// two servers share the IP address.
    pub address: SocketAddr,
    /// Whom we are there; without, it must know us by our address.
    pub credentials: Option<Credentials>,
    /// The extensions whose hints are watched.
    pub extensions: Vec<String>,
}

/// Watches lamps at several servers, as a phone does.
///
/// The driver hands over datagrams and time, and after each call sends what [`poll_transmit`](Self::poll_transmit)
/// gives and handles what [`poll_event`](Self::poll_event) gives, until both give nothing.
pub struct Watcher {
    servers: Vec<Server>,
    out: Outbox,
}

impl Watcher {
    /// A watcher that begins at `now`; the first SUBSCRIBEs are due at once.
    #[must_use]
    pub fn new(config: WatcherConfig, now: Duration) -> Self {
        let WatcherConfig { local, servers, expires_s, seed } = config;
        let expires_s = expires_s.clamp(EXPIRES_MIN_S, EXPIRES_MAX_S);
        let servers = servers.into_iter().enumerate();
        let servers = servers.map(|(index, watched)| server(ServerId(index), local, watched, expires_s, now));
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
        let Some(index) = source::find(self.servers.iter().map(Server::address), from) else {
            return self.out.counters.dropped(DropKind::UnknownSource);
        };
        let server = &mut self.servers[index];
        match message {
            Message::Response(response) if response.method == "SUBSCRIBE" => {
                server.handle_response(now, &response, &mut self.out);
            }
            Message::Response(_) => self.out.counters.dropped(DropKind::StrayResponse),
            Message::Request(request) if request.method == "ACK" => {}
            Message::Request(request) => {
                // No table of answers: a repeated NOTIFY is known by its CSeq and gets the same answer.
                let (code, reason) = answer(now, server, &request, &mut self.out);
                let allow = [("Allow", "NOTIFY, OPTIONS")];
                let headers = if matches!(code, 405) { &allow[..] } else { &[] };
                let envelope = Envelope::new(&request, from, &self.out.ids.token());
                self.out.send(envelope.answer(code, reason, headers));
                server.heard(now, &mut self.out);
            }
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
        self.servers.iter().filter_map(Server::poll_timeout).min()
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.transmits.pop_front()
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.out.events.pop_front()
    }

    /// Renews every subscription at a server now: something else (AMI) says that it restarted or is there again.
    pub fn renew(&mut self, now: Duration, server: ServerId) {
        if let Some(server) = self.servers.get_mut(server.0) {
            server.hurry(now, &mut self.out);
        }
    }

    /// Ends all subscriptions, for a shutdown; over when [`is_quiet`](Self::is_quiet).
    pub fn unsubscribe(&mut self, now: Duration) {
        for server in &mut self.servers {
            server.close(now, &mut self.out);
        }
    }

    /// True when no SUBSCRIBE of ours awaits its answer.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.servers.iter().all(Server::is_quiet)
    }

    /// Totals since the start.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.out.counters
    }
}

fn server(id: ServerId, local: SocketAddr, watched: Watched, expires_s: u32, now: Duration) -> Server {
    let Watched { address, credentials, extensions } = watched;
    let user = credentials.as_ref().map_or("asterism", |credentials| &credentials.user);
    let own = format!("sip:{}@{local}", escaped(user));
    let subscription = |(position, exten): (usize, String)| {
        let uri = format!("sip:{}@{address}", escaped(&exten));
        Subscription::new((id, position), exten, uri, expires_s, now)
    };
    let subscriptions = extensions.into_iter().enumerate().map(subscription).collect();
    let line = Line { route: Route { local, server: address }, own, auth: ClientAuth::new(credentials) };
    Server::new(line, subscriptions)
}

fn answer(now: Duration, server: &mut Server, request: &Request<'_>, out: &mut Outbox) -> Answer {
    match request.method {
        "NOTIFY" => server.handle_notify(now, request, out),
        "OPTIONS" => (200, "OK"),
        _ => {
            out.counters.dropped(DropKind::Method);
            (405, "Method Not Allowed")
        }
    }
}

/// The user part of an address (RFC 3261, 25.1): whatever is not plainly allowed there is escaped.
fn escaped(user: &str) -> String {
    user.bytes().fold(String::with_capacity(user.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_cannot_break_out_of_its_address() {
        assert_eq!(escaped("*97"), "*97");
        assert_eq!(escaped("a b@c;d>\r\né%"), "a%20b%40c%3Bd%3E%0D%0A%C3%A9%25");
    }
}

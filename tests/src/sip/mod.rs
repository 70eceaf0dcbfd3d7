//! The phone that watches: SUBSCRIBEs to lamps and mailboxes at several servers over one UDP socket and keeps what they NOTIFY.

mod digest;
mod message;
mod report;
mod subscription;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use message::Message;
pub use report::{Lamp, Report};
use subscription::Subscription;

use crate::journal::Journal;
use crate::stamp;

const SIP_PORT: u16 = 5060;

/// Why a subscription could not be made or ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The socket failed.
    #[error("SIP: {0}")]
    Io(#[from] io::Error),
    /// The server did not answer in time.
    #[error("SIP: {0} does not answer SUBSCRIBE")]
    Silent(SocketAddr),
    /// The server answered something else than 200.
    #[error("SIP: {address} answered SUBSCRIBE for {target} with {answer}")]
    Refused {
        /// The server's SIP address.
        address: SocketAddr,
        /// Who was to be watched.
        target: String,
        /// Status line of the answer.
        answer: String,
    },
}

/// What can be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Package {
    /// The lamp of a hint (RFC 4235).
    Dialog,
    /// Voice messages of a mailbox (RFC 3842).
    MessageSummary,
}

/// One NOTIFY as it reached the phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// When it was received.
    pub at: Instant,
    /// The server that sent it, by the name under which it is watched.
    pub server: String,
    /// Who is watched there.
    pub target: String,
    /// What it says.
    pub report: Report,
}

/// A phone that only watches. [`Watcher::close`] ends its subscriptions politely.
pub struct Watcher {
    line: Arc<Line>,
    receiver: JoinHandle<()>,
    subscriptions: Vec<Subscription>,
}

/// What the receiving task and the subscriptions share.
struct Line {
    socket: UdpSocket,
    /// Where the servers reach us.
    contact: SocketAddr,
    user: String,
    password: String,
    sightings: Journal<Sighting>,
    routes: Mutex<Routes>,
}

#[derive(Default)]
struct Routes {
    /// Who waits for the response to (Call-ID, CSeq).
    responses: HashMap<(String, String), oneshot::Sender<Message>>,
    /// By Call-ID.
    watched: HashMap<String, Watched>,
}

/// Where the NOTIFYs of a subscription belong.
struct Watched {
    server: String,
    target: String,
    /// The CSeq of the last NOTIFY. One that is not above it was sent again, or overtaken on its way, and says what was before.
    sequence: Option<u32>,
}

impl Watched {
    fn is_news(&mut self, notify: &Message) -> bool {
        let sequence = notify.header("CSeq").and_then(|cseq| cseq.split(' ').next()?.parse().ok());
        let news = sequence > self.sequence;
        self.sequence = self.sequence.max(sequence);
        news
    }
}

impl Watcher {
    /// Opens the phone's socket on the address that faces `toward`, one of the servers.
    pub async fn open(toward: Ipv4Addr, user: &str, password: &str) -> Result<Self, Error> {
        let probe = UdpSocket::bind("0.0.0.0:0").await?;
        probe.connect((toward, SIP_PORT)).await?;
        let socket = UdpSocket::bind((probe.local_addr()?.ip(), 0)).await?;
        stamp::enable(&socket)?;
        let line = Arc::new(Line {
            contact: socket.local_addr()?,
            socket,
            user: user.to_owned(),
            password: password.to_owned(),
            sightings: Journal::default(),
            routes: Mutex::default(),
        });
        let receiver = tokio::spawn(receive(line.clone()));
        Ok(Self { line, receiver, subscriptions: Vec::new() })
    }

    /// Watches `target` at a server and returns the first report, which tells the present state.
    pub async fn watch(
        &mut self,
        server: &str,
        address: Ipv4Addr,
        target: &str,
        package: Package,
    ) -> Result<Report, Error> {
        let mark = self.line.sightings.mark();
        let address = SocketAddr::from((address, SIP_PORT));
        let subscription = Subscription::start(self.line.clone(), server, address, target, package).await?;
        self.subscriptions.push(subscription);
        let deadline = Instant::now() + subscription::RESPONSE_TIMEOUT;
        let first =
            |seen: &Sighting| (seen.server == server && seen.target == target).then(|| seen.report.clone());
        self.line.sightings.first(mark, deadline, first).await.ok_or(Error::Silent(address))
    }

    /// Everything the phone was told.
    pub fn sightings(&self) -> &Journal<Sighting> {
        &self.line.sightings
    }

    /// Ends all subscriptions; a server that is gone does not matter.
    pub async fn close(mut self) {
        for subscription in self.subscriptions.drain(..) {
            drop(subscription.end().await);
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.receiver.abort();
    }
}

async fn receive(line: Arc<Line>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let reading = line.socket.async_io(Interest::READABLE, || stamp::receive(&line.socket, &mut buffer));
        let Ok(stamp::Received { length, from: Some(from), at }) = reading.await else { continue };
        let Some(message) = Message::parse(&buffer[..length]) else { continue };
        if message.status().is_some() {
            line.take_response(message);
        } else {
            let answer = line.take_request(&message, at);
            drop(line.socket.send_to(message.response(answer).render().as_bytes(), from).await);
        }
    }
}

impl Line {
    fn take_response(&self, message: Message) {
        let key = transaction(&message);
        if message.status().is_some_and(|status| status >= 200)
            && let Some(waiting) = self.routes().responses.remove(&key)
        {
            drop(waiting.send(message));
        }
    }

    fn take_request(&self, message: &Message, at: Instant) -> &'static str {
        if !message.is_request("NOTIFY") {
            return "501 Not Implemented";
        }
        let call_id = message.header("Call-ID").unwrap_or_default();
        let mut routes = self.routes();
        let Some(watched) = routes.watched.get_mut(call_id) else {
            return "481 Subscription does not exist";
        };
        if watched.is_news(message) {
            let (server, target) = (watched.server.clone(), watched.target.clone());
            self.sightings.push(Sighting { at, server, target, report: Report::read(message) });
        }
        "200 OK"
    }

    fn routes(&self) -> std::sync::MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn transaction(message: &Message) -> (String, String) {
    let header = |name| message.header(name).unwrap_or_default().to_owned();
    (header("Call-ID"), header("CSeq"))
}

#[cfg(test)]
mod tests;

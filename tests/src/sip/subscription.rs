//! One subscription: its dialog, its digest answer, its refreshes and its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

use super::digest::Challenge;
use super::message::{Message, parameter, uri};
use super::{Error, Line, Package, Watched, transaction};

pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
const RESEND_EVERY: Duration = Duration::from_millis(500);
/// Long, so that no refresh disturbs a measurement.
const EXPIRES_SECONDS: u32 = 3600;

pub(super) struct Subscription {
    dialog: Arc<Mutex<Dialog>>,
    refresher: JoinHandle<()>,
}

struct Dialog {
    line: Arc<Line>,
    address: SocketAddr,
    target: String,
    package: Package,
    call_id: String,
    tag: String,
    sequence: u32,
    /// The server's tag, kept from its first answer.
    remote_tag: Option<String>,
    /// The server's Contact: where requests inside the dialog go.
    remote_target: Option<String>,
    challenge: Option<Challenge>,
}

impl Subscription {
    pub(super) async fn start(
        line: Arc<Line>,
        server: &str,
        address: SocketAddr,
        target: &str,
        package: Package,
    ) -> Result<Self, Error> {
        let call_id = unique();
        let watched = Watched { server: server.to_owned(), target: target.to_owned(), sequence: None };
        line.routes().watched.insert(call_id.clone(), watched);
        let mut dialog = Dialog {
            line,
            address,
            target: target.to_owned(),
            package,
            call_id,
            tag: unique(),
            sequence: 0,
            remote_tag: None,
            remote_target: None,
            challenge: None,
        };
        dialog.subscribe(EXPIRES_SECONDS).await?;
        let dialog = Arc::new(Mutex::new(dialog));
        let refreshed = dialog.clone();
        let refresher = tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(u64::from(EXPIRES_SECONDS / 2))).await;
                drop(refreshed.lock().await.subscribe(EXPIRES_SECONDS).await);
            }
        });
        Ok(Self { dialog, refresher })
    }

    pub(super) async fn end(self) -> Result<(), Error> {
        self.refresher.abort();
        self.dialog.lock().await.subscribe(0).await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.refresher.abort();
    }
}

impl Dialog {
    /// SUBSCRIBEs, answering one challenge; also the refresh and, with 0, the end.
    async fn subscribe(&mut self, expires: u32) -> Result<(), Error> {
        let mut answer = self.request(expires).await?;
        if answer.status() == Some(401) {
            self.challenge = Challenge::pick(answer.all("WWW-Authenticate"));
            answer = self.request(expires).await?;
        }
        if !answer.status().is_some_and(|status| (200..300).contains(&status)) {
            return Err(Error::Refused {
                address: self.address,
                target: self.target.clone(),
                answer: answer.start,
            });
        }
        if let Some(tag) = answer.header("To").and_then(|to| parameter(to, "tag")) {
            self.remote_tag = Some(tag.to_owned());
        }
        if let Some(contact) = answer.header("Contact") {
            self.remote_target = Some(uri(contact).to_owned());
        }
        Ok(())
    }

    /// Sends one SUBSCRIBE, again and again until the final response is here.
    async fn request(&mut self, expires: u32) -> Result<Message, Error> {
        self.sequence += 1;
        let request = self.render(expires);
        let (sender, mut response) = oneshot::channel();
        self.line.routes().responses.insert(transaction(&request), sender);
        let bytes = request.render();
        let deadline = tokio::time::Instant::now() + RESPONSE_TIMEOUT;
        while tokio::time::Instant::now() < deadline {
            self.line.socket.send_to(bytes.as_bytes(), self.address).await?;
            if let Ok(Ok(message)) = tokio::time::timeout(RESEND_EVERY, &mut response).await {
                return Ok(message);
            }
        }
        self.line.routes().responses.remove(&transaction(&request));
        Err(Error::Silent(self.address))
    }

    fn render(&self, expires: u32) -> Message {
        let Line { contact, user, password, .. } = &*self.line;
        let host = self.address.ip();
        let local = format!("sip:{user}@{host}");
        let remote = format!("sip:{}@{host}", self.target);
        let request_uri = self.remote_target.as_ref().unwrap_or(&remote);
        let remote_tag = self.remote_tag.as_ref().map(|tag| format!(";tag={tag}")).unwrap_or_default();
        let (event, accept) = match self.package {
            Package::Dialog => ("dialog", "application/dialog-info+xml"),
            Package::MessageSummary => ("message-summary", "application/simple-message-summary"),
        };
        let message = Message::new(format!("SUBSCRIBE {request_uri} SIP/2.0"))
            .with("Via", format!("SIP/2.0/UDP {contact};rport;branch=z9hG4bK{}", unique()))
            .with("Max-Forwards", "70")
            .with("From", format!("<{local}>;tag={}", self.tag))
            .with("To", format!("<{remote}>{remote_tag}"))
            .with("Call-ID", &self.call_id)
            .with("CSeq", format!("{} SUBSCRIBE", self.sequence))
            .with("Contact", format!("<sip:{user}@{contact}>"))
            .with("Event", event)
            .with("Accept", accept)
            .with("Expires", expires.to_string());
        match &self.challenge {
            Some(challenge) => {
                let answer = challenge.answer("SUBSCRIBE", request_uri, user, password, &unique());
                message.with("Authorization", answer)
            }
            None => message,
        }
    }
}

/// Unique in this process and, with the time of its start, on this machine.
fn unique() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("{nanos:x}{:x}{count:x}", std::process::id())
}

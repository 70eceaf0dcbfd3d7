//! A small AMI client: actions with their replies, and a journal of all events with the instant of their receipt.

mod message;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

pub use message::{Decoder, Field, Message, TooLong};

use crate::journal::Journal;
use crate::stamp;

const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Why an action did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server cannot be reached, or the connection broke while writing.
    #[error("AMI at {address}: {source}")]
    Io {
        /// The server's AMI address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The connection has ended; nothing more will be heard.
    #[error("AMI at {0}: the connection is closed")]
    Closed(SocketAddr),
    /// No reply in time.
    #[error("AMI at {address}: no reply to {action}")]
    Silent {
        /// The server's AMI address.
        address: SocketAddr,
        /// The action's name.
        action: String,
    },
    /// Asterisk answered with an error; nothing was changed.
    #[error("AMI at {address}: {action} refused: {message}")]
    Refused {
        /// The server's AMI address.
        address: SocketAddr,
        /// The action's name.
        action: String,
        /// Asterisk's words.
        message: String,
    },
    /// A value with a line break would become a header of its own; nothing was sent.
    #[error("a line break in the AMI action {0}")]
    LineBreak(String),
}

/// A logged-in AMI connection. Dropping it closes the connection.
pub struct Ami {
    address: SocketAddr,
    writer: tokio::sync::Mutex<OwnedWriteHalf>,
    shared: Arc<Shared>,
    reader: JoinHandle<()>,
    next_id: AtomicU64,
}

#[derive(Default)]
struct Shared {
    events: Journal<Message>,
    /// Who waits for which ActionID; `None` once the connection has ended.
    waiting: Mutex<Option<HashMap<String, UnboundedSender<Message>>>>,
}

impl Ami {
    /// Connects and logs in.
    pub async fn connect(address: SocketAddr, user: &str, secret: &str) -> Result<Self, Error> {
        let timed_out = || std::io::Error::from(std::io::ErrorKind::TimedOut);
        let io = |source| Error::Io { address, source };
        let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address))
            .await
            .map_err(|_| io(timed_out()))?
            .map_err(io)?;
        stream.set_nodelay(true).and_then(|()| stamp::enable(&stream)).map_err(io)?;
        let (mut reader, writer) = stream.into_split();
        tokio::time::timeout(CONNECT_TIMEOUT, read_banner(&mut reader))
            .await
            .map_err(|_| io(timed_out()))?
            .map_err(io)?;
        let shared = Arc::new(Shared::default());
        *shared.waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(HashMap::new());
        let reader = tokio::spawn(read(reader, shared.clone()));
        let ami = Self {
            address,
            writer: tokio::sync::Mutex::new(writer),
            shared,
            reader,
            next_id: AtomicU64::new(1),
        };
        ami.action("Login", &[("Username", user), ("Secret", secret)]).await?;
        Ok(ami)
    }

    /// Everything that Asterisk has reported on its own since the login.
    pub fn events(&self) -> &Journal<Message> {
        &self.shared.events
    }

    /// Sends an action and waits for its response.
    pub async fn action(&self, name: &str, fields: &[(&str, &str)]) -> Result<Message, Error> {
        self.send(name, fields).await?.response().await
    }

    /// Sends an action and waits for its response and the whole list of events that follows it.
    pub async fn list(&self, name: &str, fields: &[(&str, &str)]) -> Result<Vec<Message>, Error> {
        let mut reply = self.send(name, fields).await?;
        reply.next().await.and_then(|response| reply.checked(response))?;
        let mut events = Vec::new();
        loop {
            let event = reply.next().await?;
            if event.is("EventList", "Complete") {
                return Ok(events);
            }
            events.push(event);
        }
    }

    /// Sends an action without waiting; many may be under way at once.
    pub async fn send(&self, name: &str, fields: &[(&str, &str)]) -> Result<Reply, Error> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed).to_string();
        let text = render(name, &id, fields)?;
        let (sender, messages) = unbounded_channel();
        match self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(waiting) => waiting.insert(id.clone(), sender),
            None => return Err(Error::Closed(self.address)),
        };
        let reply = Reply {
            address: self.address,
            action: name.to_owned(),
            id,
            messages,
            shared: self.shared.clone(),
        };
        let mut writer = self.writer.lock().await;
        writer
            .write_all(text.as_bytes())
            .await
            .map_err(|source| Error::Io { address: self.address, source })?;
        Ok(reply)
    }
}

impl Drop for Ami {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// The answer to an action that was sent.
pub struct Reply {
    address: SocketAddr,
    action: String,
    id: String,
    messages: UnboundedReceiver<Message>,
    shared: Arc<Shared>,
}

impl Reply {
    /// Waits for the response; an error response is an error.
    pub async fn response(mut self) -> Result<Message, Error> {
        let response = self.next().await?;
        self.checked(response)
    }

    async fn next(&mut self) -> Result<Message, Error> {
        match tokio::time::timeout(REPLY_TIMEOUT, self.messages.recv()).await {
            Ok(Some(message)) => Ok(message),
            Ok(None) => Err(Error::Closed(self.address)),
            Err(_) => Err(Error::Silent { address: self.address, action: self.action.clone() }),
        }
    }

    fn checked(&self, response: Message) -> Result<Message, Error> {
        if !response.is("Response", "Error") {
            return Ok(response);
        }
        let message = response.field("Message").unwrap_or_default().into_owned();
        Err(Error::Refused { address: self.address, action: self.action.clone(), message })
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if let Some(waiting) = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            waiting.remove(&self.id);
        }
    }
}

fn render(name: &str, id: &str, fields: &[(&str, &str)]) -> Result<String, Error> {
    let mut text = format!("Action: {name}\r\nActionID: {id}\r\n");
    for (key, value) in fields {
        if key.contains(['\r', '\n']) || value.contains(['\r', '\n']) {
            return Err(Error::LineBreak(name.to_owned()));
        }
        text.push_str(&format!("{key}: {value}\r\n"));
    }
    text.push_str("\r\n");
    Ok(text)
}

async fn read_banner(reader: &mut OwnedReadHalf) -> std::io::Result<()> {
    for _ in 0..200 {
        if reader.read_u8().await? == b'\n' {
            return Ok(());
        }
    }
    Err(std::io::Error::other("this is no AMI: its first line does not end"))
}

async fn read(reader: OwnedReadHalf, shared: Arc<Shared>) {
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; 64 * 1024];
    let stream: &TcpStream = reader.as_ref();
    while let Ok(stamp::Received { length: length @ 1.., at, .. }) =
        stream.async_io(Interest::READABLE, || stamp::receive(stream, &mut buffer)).await
    {
        let Ok(messages) = decoder.feed(&buffer[..length], at) else { break };
        for message in messages {
            shared.route(message);
        }
    }
    *shared.waiting.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

impl Shared {
    fn route(&self, message: Message) {
        let id = message.field("ActionID").unwrap_or_default().into_owned();
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.as_ref().and_then(|waiting| waiting.get(&id)) {
            // Nobody is left to read it when the action timed out a moment ago: then it is of no use.
            Some(sender) => drop(sender.send(message)),
            None => self.events.push(message),
        }
    }
}

#[cfg(test)]
mod tests;

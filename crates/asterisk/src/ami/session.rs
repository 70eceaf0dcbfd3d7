//! One AMI connection: its login, its actions and whether it still lives.

use super::action::{Action, ActionId, Unsendable};
use super::decoder::{Decoder, Piece, TooLong};
use super::message::Message;
use crate::ids::md5_hex;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

/// How long banner and login may take together.
const LOGIN: Duration = Duration::from_secs(5);
/// After so long without a byte the server is asked for one.
const QUIET: Duration = Duration::from_secs(10);
/// After so long without a byte in spite of that, the connection is dead.
const SILENCE: Duration = Duration::from_secs(5);
/// How long the response to an action is awaited.
const PATIENCE: Duration = Duration::from_secs(10);
/// Actions under way at once.
const PENDING_MAX: usize = 1024;
/// Messages that the driver has not taken, in bytes.
const QUEUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a session has to know.
#[derive(Clone)]
pub struct SessionConfig {
    /// The AMI user.
    pub user: String,
    /// Its secret.
    pub secret: String,
    /// How the secret is shown.
    pub login: Login,
    /// Which classes of events are wanted, as `EventMask` has them: `call` for states, `on` for all, `off`.
    pub events: String,
}

/// Without the secret.
impl fmt::Debug for SessionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, login, events, .. } = self;
        write!(f, "SessionConfig {{ user: {user:?}, login: {login:?}, events: {events:?} }}")
    }
}

/// How the secret is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Login {
    /// As the digest of a challenge: nobody on the way can read or repeat it.
    Challenge,
    /// As it is.
    Plain,
}

/// What happened, for the driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The server is in; from now on actions are taken and events come.
    LoggedIn {
        /// The version of AMI, not of Asterisk.
        version: String,
    },
    /// An event, by itself or of a list; [`ActionId::of`] tells.
    Event(Message),
    /// The response to an action.
    Response {
        /// The action.
        action_id: ActionId,
        /// Also where it is an error.
        message: Message,
    },
    /// An action had no response in time; a late one is ignored.
    Unanswered {
        /// The action.
        action_id: ActionId,
    },
    /// The server does not let us in. The session is over.
    Refused {
        /// The server's words.
        message: String,
    },
    /// The session is over; actions under way may or may not have been done.
    Dead(Reason),
}

/// Why a session is over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
pub enum Reason {
    /// The connection was closed.
    #[error("the connection was closed")]
    Closed,
    /// The first line is not that of an AMI.
    #[error("this is no Asterisk manager interface")]
    NoAmi,
    /// No login in time.
    #[error("no login within {} s", LOGIN.as_secs())]
    Login,
    /// Nothing was heard, not even the answer to a ping.
    #[error("nothing was heard for {} s", (QUIET + SILENCE).as_secs())]
    Silent,
    /// A line beyond bounds.
    #[error("a line is too long")]
    LongLine,
    /// A message beyond bounds.
    #[error("a message is too large")]
    LargeMessage,
    /// The driver does not take the events.
    #[error("events were not taken")]
    Overrun,
}

impl Reason {
    /// The reason as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::NoAmi => "no_ami",
            Self::Login => "login",
            Self::Silent => "silent",
            Self::LongLine => "long_line",
            Self::LargeMessage => "large_message",
            Self::Overrun => "overrun",
        }
    }
}

/// Why an action was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotSent {
    /// Before [`Event::LoggedIn`], or the session is over.
    #[error("the session is not logged in")]
    NotLoggedIn,
    /// Too many are under way.
    #[error("{PENDING_MAX} actions are under way")]
    Busy,
}

/// One connection, from its first byte to its end.
///
/// The driver connects, hands over what it reads and the time, and after each call writes what
/// [`poll_transmit`](Self::poll_transmit) gives and handles what [`poll_event`](Self::poll_event) gives.
/// [`Event::Refused`] or [`Event::Dead`] is the last event: then it closes the connection, waits as it likes,
/// and begins with a new session.
pub struct Session {
    config: SessionConfig,
    decoder: Decoder,
    phase: Phase,
    version: String,
    actions: u64,
    /// The deadlines of actions without a response; they grow with the ids.
    pending: BTreeMap<ActionId, Duration>,
    heard_at: Duration,
    /// The ping that is under way, and when it went out.
    ping: Option<(ActionId, Duration)>,
    transmits: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
    queue_bytes: usize,
    strays: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Banner { until: Duration },
    Challenge { until: Duration, asked: ActionId },
    Login { until: Duration, asked: ActionId },
    In,
    Over,
}

impl Session {
    /// A session on a connection that was made at `now`.
    ///
    /// # Errors
    /// [`Unsendable`] where user, secret or event classes would be read as something else.
    pub fn new(config: SessionConfig, now: Duration) -> Result<Self, Unsendable> {
        login(&config, &[("Secret", &config.secret)])?;
        Ok(Self {
            config,
            decoder: Decoder::new(),
            phase: Phase::Banner { until: now + LOGIN },
            version: String::new(),
            actions: 0,
            pending: BTreeMap::new(),
            heard_at: now,
            ping: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            queue_bytes: 0,
            strays: 0,
        })
    }

    /// Takes what was read, whatever it is.
    pub fn handle_bytes(&mut self, now: Duration, mut bytes: &[u8]) {
        if !bytes.is_empty() {
            self.heard_at = now;
        }
        while self.phase != Phase::Over {
            match self.decoder.take(&mut bytes) {
                Ok(Some(Piece::Banner(line))) => self.greet(&line),
                Ok(Some(Piece::Message(message))) => self.handle_message(message),
                Ok(None) => break,
                Err(TooLong::Line) => self.die(Reason::LongLine),
                Err(TooLong::Message) => self.die(Reason::LargeMessage),
            }
        }
    }

    /// Takes the end of the connection, from either side.
    pub fn handle_close(&mut self) {
        self.die(Reason::Closed);
    }

    /// Does what is due. Calling it late is safe, calling it early does nothing.
    pub fn handle_timeout(&mut self, now: Duration) {
        match self.phase {
            Phase::Banner { until } | Phase::Challenge { until, .. } | Phase::Login { until, .. } => {
                if now >= until {
                    self.die(Reason::Login);
                }
            }
            Phase::In => self.keep_alive(now),
            Phase::Over => {}
        }
        while let Some(first) = self.pending.first_entry().filter(|first| *first.get() <= now) {
            let (action_id, _) = first.remove_entry();
            self.push(Event::Unanswered { action_id }, 0);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next; may be in the past. Nothing once it is over.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let own = match (self.phase, self.ping) {
            (Phase::Over, _) => return None,
            (Phase::In, Some((_, at))) => self.heard_at.max(at) + SILENCE,
            (Phase::In, None) => self.heard_at + QUIET,
            (Phase::Banner { until } | Phase::Challenge { until, .. } | Phase::Login { until, .. }, _) => {
                until
            }
        };
        self.pending.first_key_value().map(|(_, deadline)| own.min(*deadline)).or(Some(own))
    }

    /// The next bytes to write.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmits.pop_front()
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front();
        if let Some(Event::Event(message) | Event::Response { message, .. }) = &event {
            self.queue_bytes -= message.size();
        }
        event
    }

    /// Sends an action; [`Event::Response`] or [`Event::Unanswered`] tells how it ended.
    ///
    /// # Errors
    /// [`NotSent`]; nothing was changed.
    pub fn request(&mut self, now: Duration, action: &Action) -> Result<ActionId, NotSent> {
        if self.phase != Phase::In {
            return Err(NotSent::NotLoggedIn);
        }
        if self.pending.len() >= PENDING_MAX {
            return Err(NotSent::Busy);
        }
        let id = self.send(action);
        self.pending.insert(id, now + PATIENCE);
        Ok(id)
    }

    /// Responses to nothing that was asked, or too late.
    #[must_use]
    pub fn stray_responses(&self) -> u64 {
        self.strays
    }

    fn greet(&mut self, line: &[u8]) {
        let Some(version) = line.strip_prefix(b"Asterisk Call Manager/") else {
            return self.die(Reason::NoAmi);
        };
        self.version = String::from_utf8_lossy(version).into_owned();
        let Phase::Banner { until } = self.phase else { return };
        match self.config.login {
            Login::Plain => {
                let secret = self.config.secret.clone();
                self.log_in(until, &[("Secret", &secret)]);
            }
            Login::Challenge => match Action::new("Challenge", [("AuthType", "MD5")]) {
                Ok(action) => self.phase = Phase::Challenge { until, asked: self.send(&action) },
                Err(_) => self.die(Reason::Login),
            },
        }
    }

    fn log_in(&mut self, until: Duration, proof: &[(&str, &str)]) {
        match login(&self.config, proof) {
            Ok(action) => self.phase = Phase::Login { until, asked: self.send(&action) },
            Err(_) => self.die(Reason::Login),
        }
    }

    fn handle_message(&mut self, message: Message) {
        if !message.is_response() {
            return self.push_message(message, Event::Event);
        }
        let id = ActionId::of(&message);
        match self.phase {
            Phase::Challenge { until, asked } if id == Some(asked) => match message.text("Challenge") {
                Some(challenge) if message.is_success() => {
                    let key = md5_hex(&format!("{challenge}{}", self.config.secret));
                    self.log_in(until, &[("AuthType", "MD5"), ("Key", &key)]);
                }
                _ => self.refused(&message),
            },
            Phase::Login { asked, .. } if id == Some(asked) => {
                if message.is_success() {
                    self.phase = Phase::In;
                    self.push(Event::LoggedIn { version: self.version.clone() }, 0);
                } else {
                    self.refused(&message);
                }
            }
            Phase::In => self.handle_response(id, message),
            Phase::Banner { .. } | Phase::Challenge { .. } | Phase::Login { .. } | Phase::Over => {
                self.strays += 1;
            }
        }
    }

    fn handle_response(&mut self, id: Option<ActionId>, message: Message) {
        if self.ping.take_if(|(ping, _)| id == Some(*ping)).is_some() {
            return;
        }
        match id.filter(|id| self.pending.remove(id).is_some()) {
            Some(action_id) => self.push_message(message, |message| Event::Response { action_id, message }),
            None => self.strays += 1,
        }
    }

    fn refused(&mut self, message: &Message) {
        let message = message.text("Message").unwrap_or_default().into_owned();
        self.phase = Phase::Over;
        self.push(Event::Refused { message }, 0);
    }

    /// Asks for a sign of life, or finds that there is none.
    fn keep_alive(&mut self, now: Duration) {
        let quiet_since = self.heard_at;
        match self.ping {
            Some((_, at)) if now >= quiet_since.max(at) + SILENCE => self.die(Reason::Silent),
            None if now >= quiet_since + QUIET => {
                if let Ok(action) = Action::new("Ping", [("", ""); 0]) {
                    self.ping = Some((self.send(&action), now));
                }
            }
            Some(_) | None => {}
        }
    }

    fn die(&mut self, reason: Reason) {
        if self.phase != Phase::Over {
            self.phase = Phase::Over;
            self.pending.clear();
            self.transmits.clear();
            self.events.push_back(Event::Dead(reason));
        }
    }

    fn send(&mut self, action: &Action) -> ActionId {
        self.actions += 1;
        let id = ActionId(self.actions);
        self.transmits.push_back(action.encode(id));
        id
    }

    fn push_message(&mut self, message: Message, event: impl FnOnce(Message) -> Event) {
        let size = message.size();
        if self.queue_bytes + size > QUEUE_BYTES_MAX {
            return self.die(Reason::Overrun);
        }
        self.push(event(message), size);
    }

    fn push(&mut self, event: Event, size: usize) {
        self.queue_bytes += size;
        self.events.push_back(event);
    }
}

/// The login with what proves the secret.
fn login(config: &SessionConfig, proof: &[(&str, &str)]) -> Result<Action, Unsendable> {
    let who = [("Username", config.user.as_str()), ("Events", &config.events)];
    Action::new("Login", who.into_iter().chain(proof.iter().copied()))
}

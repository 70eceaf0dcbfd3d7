//! One server over AMI: all its states when the connection is made and again from time to time, each change at once,
//! and the way to set a canary.

use super::{Ending, Input, Inputs, report};
use crate::clock::Clock;
use crate::config;
use crate::place::ServerId;
use crate::sources::{Answer, Collector};
use crate::watch::Dropped;
use asterisk::ami::{Action, ActionId, Event, Login, Message, Report, Session, SessionConfig};
use presence::DeviceState;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, sleep_until, timeout};

const CONNECT: Duration = Duration::from_secs(3);
/// For a server that reads nothing.
const WRITE: Duration = Duration::from_secs(5);
/// For a list to come to its end.
const LIST: Duration = Duration::from_secs(30);
/// Between two lists. They tell what a server has forgotten in silence, and repair what an event told in wrong order.
const RELIST_MIN: Duration = Duration::from_secs(15);
/// Longer lists come less often, so that their cost stays the same.
const RELIST_PER_STATE: Duration = Duration::from_millis(1);
/// Who is so far ahead of us floods: we hang up, so that it need not keep what we do not read, and the other servers have
/// their turn.
const FLOOD: Duration = Duration::from_secs(10);
/// And leave it alone for so long.
const FLOOD_REST: Duration = Duration::from_secs(60);
/// No turn takes longer by itself.
const TURN_MAX: Duration = Duration::from_secs(1);
const RETRY_MIN: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Gives a `Custom:` device a state.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) device: String,
    pub(crate) state: DeviceState,
}

/// The collector of one server.
pub(crate) struct Asterisk {
    server: ServerId,
    name: String,
    address: SocketAddr,
    session: SessionConfig,
    clock: Clock,
    inputs: Inputs,
    sets: mpsc::Receiver<Set>,
}

/// Why a connection is over, for people; or the exporter is.
enum End {
    Broken(String),
    Flooded,
    Ending,
}

impl From<Ending> for End {
    fn from(_: Ending) -> Self {
        Self::Ending
    }
}

impl From<std::io::Error> for End {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl Asterisk {
    pub(crate) fn new(
        server: ServerId,
        config: &config::Server,
        clock: Clock,
        inputs: Inputs,
        sets: mpsc::Receiver<Set>,
    ) -> Self {
        let session = SessionConfig {
            user: config.user.clone(),
            secret: config.secret.expose().to_owned(),
            login: Login::Challenge,
            events: "call".to_owned(),
        };
        Self { server, name: config.name.clone(), address: config.ami, session, clock, inputs, sets }
    }

    /// Connects again and again until the exporter ends.
    pub(crate) async fn run(mut self) {
        let mut retry = RETRY_MIN;
        loop {
            let begun = self.clock.now();
            let (why, rest) = match self.connect().await {
                End::Broken(why) => {
                    // A connection that lasted was a good one.
                    let lasted = self.clock.now() - begun > RETRY_MAX;
                    retry = if lasted { RETRY_MIN } else { (retry * 2).min(RETRY_MAX) };
                    (why, retry)
                }
                End::Flooded => {
                    let (behind, rest) = (FLOOD.as_secs(), FLOOD_REST.as_secs());
                    let why = format!("it floods: we were {behind} s behind and left it alone for {rest} s");
                    (why, FLOOD_REST)
                }
                End::Ending => return,
            };
            let gone = Input::ServerGone { server: self.server };
            if report(&self.inputs, gone).await.is_err() || self.answered(Answer::Badly(why)).await.is_err() {
                return;
            }
            sleep(rest).await;
            while self.sets.try_recv().is_ok() {}
        }
    }

    async fn connect(&mut self) -> End {
        let stream = match timeout(CONNECT, TcpStream::connect(self.address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return error.into(),
            Err(_) => return End::Broken(format!("no connection within {} s", CONNECT.as_secs())),
        };
        // Small writes must not wait for each other.
        if let Err(error) = stream.set_nodelay(true) {
            return error.into();
        }
        match Session::new(self.session.clone(), self.clock.now()) {
            Ok(session) => Connection::new(self, stream, session).run().await,
            Err(error) => End::Broken(format!("the configured user or secret: {error}")),
        }
    }

    async fn answered(&self, answer: Answer) -> Result<(), Ending> {
        let source = Input::Source { collector: Collector::Asterisk, target: self.name.clone(), answer };
        report(&self.inputs, source).await
    }
}

/// One connection and what is asked on it.
struct Connection<'a> {
    owner: &'a mut Asterisk,
    stream: TcpStream,
    session: Session,
    /// The lists under way.
    devices: Option<ActionId>,
    hints: Option<ActionId>,
    listed: u32,
    list_began: Duration,
    /// When to ask for lists again, or until when they must have come.
    list_due: Duration,
    backlog: Backlog,
}

impl<'a> Connection<'a> {
    fn new(owner: &'a mut Asterisk, stream: TcpStream, session: Session) -> Self {
        let now = owner.clock.now();
        Self {
            owner,
            stream,
            session,
            devices: None,
            hints: None,
            listed: 0,
            list_began: now,
            list_due: now + LIST,
            backlog: Backlog::default(),
        }
    }

    async fn run(mut self) -> End {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            if let Err(end) = self.settle().await {
                return end;
            }
            let clock = self.owner.clock;
            let idle_since = clock.now();
            let due = self.session.poll_timeout().map_or(self.list_due, |due| due.min(self.list_due));
            let now = tokio::select! {
                read = self.stream.read(&mut buffer) => {
                    let now = clock.now();
                    match read {
                        Ok(0) => self.session.handle_close(),
                        Ok(length) => self.session.handle_bytes(now, &buffer[..length]),
                        Err(error) => return error.into(),
                    }
                    now
                }
                set = self.owner.sets.recv() => {
                    let Some(set) = set else { return End::Ending };
                    let now = clock.now();
                    self.set(&set, now);
                    now
                }
                () = sleep_until(clock.at(due)) => clock.now(),
            };
            if let Err(end) = self.work(now).await {
                return end;
            }
            self.backlog.turn(now - idle_since, clock.now() - now);
            if self.backlog.is_flood() {
                // Who is ending hears of it anyway.
                let _ = self.dropped(Dropped::Flood).await;
                return End::Flooded;
            }
        }
    }

    /// Does what came in or is due.
    async fn work(&mut self, now: Duration) -> Result<(), End> {
        self.session.handle_timeout(now);
        self.handle_events(now).await?;
        if now < self.list_due {
            return Ok(());
        }
        if self.devices.is_some() {
            return Err(End::Broken(format!("no whole list of states within {} s", LIST.as_secs())));
        }
        self.list(now).await
    }

    /// Writes what there is to write.
    async fn settle(&mut self) -> Result<(), End> {
        while let Some(bytes) = self.session.poll_transmit() {
            timeout(WRITE, self.stream.write_all(&bytes))
                .await
                .map_err(|_| End::Broken("the server reads nothing".to_owned()))??;
        }
        Ok(())
    }

    async fn handle_events(&mut self, now: Duration) -> Result<(), End> {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::LoggedIn { .. } => self.list(now).await?,
                Event::Event(message) => self.handle_message(&message, now).await?,
                Event::Response { action_id, message } => self.handle_response(action_id, &message).await?,
                Event::Unanswered { action_id } if Some(action_id) == self.devices => {
                    return Err(End::Broken("DeviceStateList was not answered".to_owned()));
                }
                Event::Unanswered { .. } => self.refused().await?,
                Event::Refused { message } => {
                    return Err(End::Broken(format!("the server does not let us in: {message}")));
                }
                Event::Dead(reason) => return Err(End::Broken(reason.to_string())),
            }
        }
        Ok(())
    }

    async fn list(&mut self, now: Duration) -> Result<(), End> {
        let ask = |session: &mut Session, name| {
            let action = Action::new(name, [("", ""); 0]).ok()?;
            session.request(now, &action).ok()
        };
        report(&self.owner.inputs, Input::ListBegan { server: self.owner.server }).await?;
        self.hints = ask(&mut self.session, "ExtensionStateList");
        self.devices = ask(&mut self.session, "DeviceStateList");
        (self.listed, self.list_began, self.list_due) = (0, now, now + LIST);
        Ok(())
    }

    async fn handle_message(&mut self, message: &Message, at: Duration) -> Result<(), End> {
        let id = ActionId::of(message);
        let listed = id.is_some() && (id == self.devices || id == self.hints);
        if listed && message.is("Event", "DeviceStateListComplete") {
            self.devices = None;
            self.list_due = at + RELIST_MIN.max(RELIST_PER_STATE * self.listed);
            report(&self.owner.inputs, Input::ListEnded { server: self.owner.server }).await?;
            return Ok(self.owner.answered(Answer::Well(Some(at - self.list_began))).await?);
        }
        let server = self.owner.server;
        let input = match Report::read(message) {
            Ok(Some(Report::DeviceStateChange { device, state })) => {
                self.listed += u32::from(listed);
                Input::DeviceState { server, device, state, listed, at }
            }
            Ok(Some(Report::ExtensionStatus { exten, hint, status, .. })) => {
                Input::Hint { server, exten, devices: hint, status, listed, at }
            }
            Ok(None) => return Ok(()),
            Err(malformed) => {
                tracing::debug!(server = self.owner.name, "{malformed}");
                Input::Dropped { server, reason: Dropped::Malformed, count: 1 }
            }
        };
        Ok(report(&self.owner.inputs, input).await?)
    }

    async fn handle_response(&mut self, id: ActionId, message: &Message) -> Result<(), End> {
        if message.is_success() || Some(id) == self.hints {
            // Without any hint in its dialplan a server answers with an error.
            return Ok(());
        }
        let words = message.text("Message").unwrap_or_default();
        if Some(id) == self.devices {
            return Err(End::Broken(format!("DeviceStateList: {words}")));
        }
        tracing::debug!(server = self.owner.name, "the canary was refused: {words}");
        self.refused().await
    }

    /// Sets a device; what cannot even be sent is lost, and is found to be so.
    fn set(&mut self, set: &Set, now: Duration) {
        let variable = format!("DEVICE_STATE({})", set.device);
        let fields = [("Variable", variable.as_str()), ("Value", set.state.as_str())];
        if let Ok(action) = Action::new("Setvar", fields) {
            let _ = self.session.request(now, &action);
        }
    }

    async fn refused(&self) -> Result<(), End> {
        self.dropped(Dropped::CanaryRefused).await
    }

    async fn dropped(&self, reason: Dropped) -> Result<(), End> {
        let input = Input::Dropped { server: self.owner.server, reason, count: 1 };
        Ok(report(&self.owner.inputs, input).await?)
    }
}

/// How long we have been behind what a server tells, by the time that its events took more than they left us.
#[derive(Default)]
struct Backlog(Duration);

impl Backlog {
    /// One turn: how long the server told nothing, and how long it took to use what it told. A process that was stopped
    /// meanwhile was not busy.
    fn turn(&mut self, idle: Duration, busy: Duration) {
        self.0 = (self.0 + busy.min(TURN_MAX)).saturating_sub(idle);
    }

    fn is_flood(&self) -> bool {
        self.0 > FLOOD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn who_leaves_no_time_floods() {
        let mut backlog = Backlog::default();
        let turns = (1..).find(|_| {
            backlog.turn(MS, MS * 5);
            backlog.is_flood()
        });
        assert_eq!(turns, Some(2_501), "10 s behind, 4 ms a turn");
    }

    #[test]
    fn bursts_with_rests_and_a_process_that_was_stopped_are_no_flood() {
        let mut backlog = Backlog::default();
        for _ in 0..100 {
            (0..900).for_each(|_| backlog.turn(MS, MS * 10));
            assert!(!backlog.is_flood());
            backlog.turn(FLOOD, MS);
        }
        backlog.turn(MS, FLOOD * 100);
        assert!(!backlog.is_flood());
    }
}

//! One AMI connection from its banner to its end.
//!
//! The first byte of an input is the way to log in: `p` plainly, others by challenge. The rest is a script:
//!
//! | letter | what happens |
//! |---|---|
//! | `b` | bytes arrive |
//! | `q` | the driver asks for an action; the payload is its field |
//! | `c` | the connection is closed |
//! | others | time passes |
//!
//! Placeholder in bytes: 1 is the id of the last action.

use crate::script;
use asterisk::ami::{Action, ActionId, Event, Login, NotSent, Session, SessionConfig};
use std::collections::BTreeSet;
use std::time::Duration;

const SECRET: &str = "hush-hush";

/// Whatever arrives, events come in an order that makes sense, each action ends once, the secret stays here, and a
/// session to which nobody speaks ends.
///
/// # Panics
/// When that does not hold.
pub fn run(data: &[u8]) {
    let (login, rest) = data.split_first().unwrap_or((&b'c', &[]));
    let login = if *login == b'p' { Login::Plain } else { Login::Challenge };
    let mut scene = Scene::new(login);
    for record in script::records(rest) {
        scene.pass(record.after);
        match record.action {
            b'b' => {
                let bytes = script::filled(record.payload, &[&scene.last_action]);
                scene.session.handle_bytes(scene.now, &bytes);
            }
            b'q' => scene.ask(record.payload),
            b'c' => scene.session.handle_close(),
            _ => {}
        }
        scene.collect();
    }
    scene.nobody_speaks();
}

struct Scene {
    now: Duration,
    session: Session,
    login: Login,
    last_action: String,
    open: BTreeSet<ActionId>,
    asked_in: bool,
    logged_in: bool,
    over: bool,
}

impl Scene {
    fn new(login: Login) -> Self {
        let config =
            SessionConfig { user: "lab".into(), secret: SECRET.into(), login, events: "call".into() };
        Self {
            now: Duration::ZERO,
            session: Session::new(config, Duration::ZERO).expect("a sendable configuration"),
            login,
            last_action: String::new(),
            open: BTreeSet::new(),
            asked_in: false,
            logged_in: false,
            over: false,
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.session.handle_timeout(self.now);
        self.collect();
        assert!(
            self.session.poll_timeout().is_none_or(|due| due > self.now),
            "a deadline that was met is gone"
        );
    }

    fn ask(&mut self, field: &[u8]) {
        let Ok(action) = Action::new("UserEvent", [("Field", field)]) else { return };
        match self.session.request(self.now, &action) {
            Ok(id) => {
                assert!(self.logged_in && !self.over && self.open.insert(id), "a new name for each action")
            }
            Err(NotSent::NotLoggedIn) => assert!(!self.logged_in || self.over),
            Err(NotSent::Busy) => panic!("{} actions are not many", self.open.len()),
        }
    }

    fn collect(&mut self) {
        while let Some(bytes) = self.session.poll_transmit() {
            let text = String::from_utf8_lossy(&bytes);
            let (lines, nothing) = text.split_once("\r\n\r\n").expect("an action ends");
            assert!(nothing.is_empty() && lines.starts_with("Action: "), "one action: {text:?}");
            assert!(self.login == Login::Plain || !text.contains(SECRET), "the secret is not shown");
            self.asked_in |= lines.starts_with("Action: Login\r\n");
            let id = lines.rsplit_once("\r\nActionID: ").expect("an action has a name").1;
            id.clone_into(&mut self.last_action);
        }
        while let Some(event) = self.session.poll_event() {
            assert!(!self.over, "nothing follows the end: {event:?}");
            match event {
                Event::LoggedIn { .. } => {
                    assert!(self.asked_in, "nobody is in who did not show the secret");
                    assert!(!std::mem::replace(&mut self.logged_in, true), "logged in once");
                }
                Event::Event(message) => assert!(!message.is_response()),
                Event::Response { action_id, message } => {
                    assert!(message.is_response() && ActionId::of(&message) == Some(action_id));
                    assert!(self.logged_in && self.open.remove(&action_id), "a response to what was asked");
                }
                Event::Unanswered { action_id } => assert!(self.open.remove(&action_id), "once"),
                Event::Refused { .. } => {
                    assert!(!self.logged_in, "who is in is not refused");
                    self.over = true;
                }
                Event::Dead(_) => self.over = true,
            }
        }
    }

    /// The server says nothing any more: its actions are given up, then the connection.
    fn nobody_speaks(&mut self) {
        for _ in 0..20 {
            self.pass(Duration::from_secs(1));
        }
        assert!(self.over, "a session without a server is over");
        assert_eq!(self.session.poll_timeout(), None, "and waits for nothing");
    }
}

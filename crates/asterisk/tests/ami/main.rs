//! AMI sessions from outside, through their public interface alone.

mod captured;
mod conversations;
mod junk;

use asterisk::ami::{Action, Event, Login, Session, SessionConfig};
use std::time::Duration;

const BANNER: &[u8] = b"Asterisk Call Manager/11.0.0\r\n";
const SECOND: Duration = Duration::from_secs(1);

fn config(login: Login) -> SessionConfig {
    SessionConfig { user: "lab".into(), secret: "zz".into(), login, events: "call".into() }
}

fn session(login: Login) -> Session {
    Session::new(config(login), Duration::ZERO).expect("a sendable configuration")
}

/// A session that is logged in.
fn logged_in() -> Session {
    let mut session = session(Login::Plain);
    session.handle_bytes(Duration::ZERO, BANNER);
    session.handle_bytes(Duration::ZERO, b"Response: Success\r\nActionID: asterism-1\r\n\r\n");
    assert_eq!(events(&mut session), [Event::LoggedIn { version: "11.0.0".into() }]);
    sent(&mut session);
    session
}

fn ping() -> Action {
    Action::new("Ping", [("", ""); 0]).expect("an action")
}

fn events(session: &mut Session) -> Vec<Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

fn sent(session: &mut Session) -> String {
    let bytes: Vec<u8> = std::iter::from_fn(|| session.poll_transmit()).flatten().collect();
    String::from_utf8(bytes).expect("we send text")
}

//! The watcher from outside, through its public interface alone.

mod captured;
mod conversations;
mod house;
mod junk;

use asterisk::lamp::{Event, LampState, Lost, Watched, Watcher, WatcherConfig};
use asterisk::{Credentials, ServerId};
use std::net::SocketAddr;
use std::time::Duration;

const SERVER: ServerId = ServerId(0);
const SECOND: Duration = Duration::from_secs(1);
const EXPIRES_S: u32 = 60;

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([198, 18, 79, last], 5060))
}

fn own() -> SocketAddr {
    SocketAddr::from(([198, 18, 79, 1], 5079))
}

/// A watcher of these extensions at each of these servers.
fn watcher(servers: &[u8], extensions: &[&str], seed: u64) -> Watcher {
    let watched = |last: &u8| Watched {
        address: address(*last),
        credentials: Some(Credentials { user: "watcher".into(), password: "zz".into() }),
        extensions: extensions.iter().map(|exten| (*exten).to_owned()).collect(),
    };
    let servers = servers.iter().map(watched).collect();
    Watcher::new(WatcherConfig { local: own(), servers, expires_s: EXPIRES_S, seed }, Duration::ZERO)
}

fn events(watcher: &mut Watcher) -> Vec<Event> {
    std::iter::from_fn(|| watcher.poll_event()).collect()
}

fn sent(watcher: &mut Watcher) -> Vec<String> {
    let text = |payload| String::from_utf8(payload).expect("we send text");
    std::iter::from_fn(|| watcher.poll_transmit()).map(|transmit| text(transmit.payload)).collect()
}

fn value<'a>(text: &'a str, name: &str) -> &'a str {
    let header = text.lines().find_map(|line| line.strip_prefix(name));
    header.unwrap_or_else(|| panic!("no {name} in {text}")).trim()
}

fn branch(text: &str) -> &str {
    value(text, "Via:").split_once("branch=").expect("a branch").1.split(';').next().unwrap_or_default()
}

fn tag<'a>(text: &'a str, name: &str) -> &'a str {
    value(text, name).split_once(";tag=").map_or("", |(_, tag)| tag)
}

fn subscribed(exten: &str) -> Event {
    Event::Subscribed { server: SERVER, exten: exten.into() }
}

fn lamp(exten: &str, state: LampState) -> Event {
    Event::Lamp { server: SERVER, exten: exten.into(), state }
}

fn lost(exten: &str, reason: Lost) -> Event {
    Event::Lost { server: SERVER, exten: exten.into(), reason }
}

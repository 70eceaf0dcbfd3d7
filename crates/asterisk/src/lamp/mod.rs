//! Lamps as a phone sees them: watches hints with SIP SUBSCRIBE (RFC 6665, event package `dialog` of RFC 4235).
//!
//! A [`Watcher`] has the shape of the [`Agent`](crate::Agent): datagrams and time in; datagrams, [`Event`]s and
//! its next deadline out. It keeps every subscription alive by itself and says when it cannot.

mod dialog;
mod dialog_info;
mod outbox;
mod server;
mod subscription;
mod watcher;

pub use dialog_info::LampState;
pub use outbox::{Counters, DropKind, Event, Lost};
pub use watcher::{Watched, Watcher, WatcherConfig};

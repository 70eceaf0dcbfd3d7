//! Speaks SIP PUBLISH with Asterisk servers, both ways: takes the states that they publish (their event state
//! compositor, RFC 3903) and publishes the states of other servers to them.
//!
//! There is no clock, socket, thread or randomness here: an [`Agent`] is given datagrams, time (as a
//! [`Duration`](std::time::Duration) since any start) and a seed, and gives datagrams, [`Event`]s and its next
//! deadline. Whatever the network brings is answered or counted ([`Counters`]); it cannot make the agent
//! panic, grow without bound or forget what it knew.
//!
//! For watching and measuring there are AMI ([`ami`]) and lamps as a phone sees them ([`lamp`]), in the same
//! shape.
#![forbid(unsafe_code)]

pub mod ami;
pub mod lamp;

mod agent;
mod body;
mod compose;
mod compositor;
mod counters;
mod digest;
mod doorman;
mod ids;
mod message;
mod outbox;
mod publisher;
mod qualify;
mod queues;
mod source;
mod transaction;

pub use agent::{Agent, AgentConfig, ServerConfig, Verdict};
pub use compose::Transmit;
pub use counters::{Counters, DropKind, Failure};
pub use digest::Credentials;
pub use outbox::{Event, Outcome, ReportId};
pub use presence::ServerId;

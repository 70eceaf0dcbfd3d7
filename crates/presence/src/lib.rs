//! Decides what every device's state is: holds each server's states by EID, aggregates them as Asterisk does,
//! tracks who is in the group, and says what to send to whom.
//!
//! There is no clock, socket or thread here: time is passed in, effects are returned as values. [`Node`] is the whole:
//! give it what happened, carry out its [`Output`]s, wake it when it asks. [`States`] is what it knows.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod config;
mod device_state;
mod eid;
mod group;
mod healing;
mod input;
pub mod link;
mod mailboxes;
mod membership;
mod message;
mod name;
mod node;
mod outbox;
mod output;
mod pattern;
mod queue;
mod replication;
mod server;
mod states;
mod sync;

pub use config::{Config, HOLD, ServerConfig, ServerId};
pub use device_state::{DeviceState, InvalidDeviceState, aggregate};
pub use eid::{Eid, InvalidEid};
pub use input::{Arrival, Input, Outcome};
pub use membership::{Member, Membership, Peer};
pub use message::{Change, Kind, Message, MessageCounts, Stamp, Subject, Summary};
pub use name::{Device, InvalidName, Mailbox, NAME_BYTES_MAX};
pub use node::{Node, Wakeup};
pub use output::{Drop, Holder, Note, Output, Refusal};
pub use pattern::{EPHEMERAL, InvalidPattern, Pattern};
pub use states::{EIDS_MAX, SUBJECTS_PER_EID_MAX, ServerStates, States};

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

mod device_state;
mod eid;
mod group;
mod membership;
mod message;
mod name;
mod node;
mod outbox;
mod output;
mod server;
mod states;

pub use device_state::{DeviceState, InvalidDeviceState, aggregate};
pub use eid::{Eid, InvalidEid};
pub use membership::{Member, Membership, Peer};
pub use message::{Change, Kind, Message, MessageCounts, Subject};
pub use name::{Device, InvalidName, Mailbox, NAME_BYTES_MAX};
pub use node::{Node, Wakeup};
pub use output::{Config, Drop, Holder, Note, Outcome, Output, Refusal, ServerConfig, ServerId};
pub use states::{EIDS_MAX, SUBJECTS_PER_EID_MAX, ServerStates, States};

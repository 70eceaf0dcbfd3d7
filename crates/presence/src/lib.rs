//! Decides what every device's state is: holds each server's states by EID, aggregates them as Asterisk does,
//! tracks who is in the group, and says what to send to whom.
//!
//! There is no clock, socket or thread here: time is passed in, effects are returned as values.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod device_state;
mod eid;
mod message;
mod name;

pub use device_state::{DeviceState, InvalidDeviceState, aggregate};
pub use eid::{Eid, InvalidEid};
pub use message::{Change, Kind, Message, MessageCounts, Subject};
pub use name::{Device, InvalidName, Mailbox, NAME_BYTES_MAX};

//! Turns bytes into presence values and back; pure, like the core.
//!
//! [`event`] is what Asterisk's servers say to each other on the group (`res_corosync`), [`link`] what nodes of different sites tell
//! each other. Both formats are described in `WIRE.md`, in words of our own.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod event;
pub mod link;

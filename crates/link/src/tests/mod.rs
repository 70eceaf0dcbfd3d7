//! Sessions linked over real sockets of this machine.

mod faults;
mod linking;
mod pressure;
mod relay;
mod strangers;
mod world;

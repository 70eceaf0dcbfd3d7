//! The agent from outside, through its public interface alone.

mod captured;
mod conversations;
mod junk;
mod network;

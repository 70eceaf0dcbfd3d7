//! The agent from outside, through its public interface alone.

mod conversations;
mod junk;
mod network;

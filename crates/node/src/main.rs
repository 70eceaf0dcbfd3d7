//! Presence node.
fn main() {}

//! The lab tool.
fn main() {}

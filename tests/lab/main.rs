//! The lab suite.

fn main() {}

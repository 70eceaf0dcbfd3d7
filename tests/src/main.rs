//! asterism-lab
fn main() {}

//! `asterism-exporter`
mod canary;
mod disagreement;
mod hop;
mod place;
mod propagation;
mod views;
fn main() {}

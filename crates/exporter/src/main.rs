//! `asterism-exporter`
mod canary;
mod config;
mod disagreement;
mod hop;
mod place;
mod propagation;
mod views;
mod watch;
fn main() {}

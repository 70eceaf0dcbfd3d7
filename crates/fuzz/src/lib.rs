//! Fuzz targets: for every decoder a function that gives it any bytes and asserts what must hold then; for nodes one that gives them any frames.
//!
//! The functions are plain, so one and the same body runs twice: under libFuzzer (`libfuzzer/`, a workspace of its own,
//! see `just fuzz`), which looks for inputs that break it, and in `tests/replay.rs`, which gives it every input that
//! was worth keeping (`corpus/`, by the name of the target) with each `cargo test`.
//!
//! An input of a target that meets time or several peers is a [`script`] of records; the others take their bytes as
//! they are. Targets panic where something does not hold; that is what libFuzzer looks for.

pub mod ami_message;
pub mod ami_session;
pub mod cpg_event;
pub mod exporter_config;
pub mod lamp_notify;
pub mod link_frame;
pub mod link_nodes;
pub mod node_config;
pub mod publish_body;
pub mod script;
pub mod sip_agent;
pub mod sip_message;

mod config;
mod made;
mod sip;

/// A target's name, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target; its name is also that of its program in `libfuzzer/` and of its folder in `corpus/`.
pub const TARGETS: &[Target] = &[
    ("ami_message", ami_message::run),
    ("ami_session", ami_session::run),
    ("cpg_event", cpg_event::run),
    ("exporter_config", exporter_config::run),
    ("lamp_notify", lamp_notify::run),
    ("link_frame", link_frame::run),
    ("link_nodes", link_nodes::run),
    ("node_config", node_config::run),
    ("publish_body", publish_body::run),
    ("sip_agent", sip_agent::run),
    ("sip_message", sip_message::run),
];

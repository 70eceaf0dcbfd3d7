//! Watches, drives and judges a lab from outside: Asterisk over AMI and SIP, nodes over HTTP, containers through the docker CLI.
//!
//! It knows none of the project's other crates, so that the same scenario judges stock Asterisk first and then us.
//! [`Lab`] finds the containers of a compose project; [`Pbx`] is one of its servers, [`Node`] one of its nodes;
//! [`Faults`] is what breaks it, [`Watcher`] is the phone that sees lamps as a user does; [`Phones`] make calls.

pub mod ami;
mod compose;
pub mod dashboards;
mod docker;
mod event;
mod faults;
mod http;
mod journal;
mod node;
mod pbx;
mod phones;
mod process;
mod prometheus;
mod sip;
mod stamp;
mod storm;
mod topology;
mod wan;

pub use ami::Ami;
pub use compose::{Lab, Secrets, env_values};
pub use docker::{Container, Docker, docker};
pub use event::{event, event_in};
pub use faults::Faults;
pub use http::{Http, Metrics};
pub use journal::{Journal, Mark};
pub use node::{DeviceStates, EidState, Members, Node, NodeLink, NodeMember};
pub use pbx::{Exten, Pbx};
pub use phones::{Phone, Phones, sipp_scenario};
pub use process::processor_time;
pub use prometheus::{Prometheus, Sample};
pub use sip::{Lamp, Package, Report, Sighting, Watcher};
pub use storm::{Filler, Heard, Storm, Told};
pub use topology::{
    Kind, Machine, NODES, NodeSpec, SERVERS, ServerSpec, Site, WEST_NODES, WEST_SERVERS, server,
};
pub use wan::Wan;

//! What the core has to know beforehand.

use crate::link::{Filter, PeerConfig};
use crate::{EPHEMERAL, Eid, Pattern};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

/// How long nothing may come from a node of another site, unless configured otherwise.
pub const HOLD: Duration = Duration::from_secs(15);

/// A server that the node serves, as its place in [`Config::servers`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerId(pub usize);

/// What is known of a server beforehand.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ServerConfig {
    /// Its EID, if it is known; else it is learned from its first report.
    pub eid: Option<Eid>,
    /// What it is told.
    pub tell: Filter,
    /// What is taken from it.
    pub take: Filter,
}

/// The node's configuration, as the core needs it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The node's own EID, with which it introduces itself to the group.
    pub eid: Eid,
    /// The address with which it introduces itself; only shown to operators.
    pub address: Box<str>,
    /// The time since 1970 when the core's time was zero: tells the runs of one node apart, and gives states their origin time.
    pub started: Duration,
    /// The servers it serves; [`ServerId`] counts them.
    pub servers: Vec<ServerConfig>,
    /// Devices that are neither told nor taken.
    pub ephemeral: Vec<Pattern>,
    /// The name of the site.
    pub site: Box<str>,
    /// The nodes of other sites that it may be linked with; [`PeerId`](crate::link::PeerId) counts them.
    pub peers: Vec<PeerConfig>,
    /// A node of another site from which nothing came for so long is gone.
    pub hold: Duration,
}

impl Config {
    /// A node without servers and links that takes everything but [`EPHEMERAL`] devices.
    #[must_use]
    pub fn new(eid: Eid, address: &str, started: Duration) -> Self {
        let ephemeral = EPHEMERAL.iter().filter_map(|text| Pattern::new(text).ok()).collect();
        Self {
            eid,
            address: address.into(),
            started,
            servers: Vec::new(),
            ephemeral,
            site: "".into(),
            peers: Vec::new(),
            hold: HOLD,
        }
    }
}

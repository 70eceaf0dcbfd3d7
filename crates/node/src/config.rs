//! The node's configuration: one TOML file, some of it overridden by the environment, checked as a whole before
//! anything starts. `node.example.toml` documents every field.

mod contradictions;
mod schema;
mod sections;
#[cfg(test)]
mod tests;
mod values;

use daemon::config::{Secret, Source};
use daemon::http::Http;
use daemon::logging::Log;
use presence::{Eid, Pattern};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What the node is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Config {
    /// The node's own EID.
    pub(crate) eid: Eid,
    /// The group to join; without one the node serves its servers alone.
    pub(crate) cluster: Option<Cluster>,
    pub(crate) sip: Sip,
    /// Devices that are neither told nor taken.
    pub(crate) ephemeral: Vec<Pattern>,
    /// Health, metrics and states.
    pub(crate) http: Http,
    pub(crate) log: Log,
    /// The servers to serve; names, addresses and EIDs are unique.
    pub(crate) servers: Vec<Server>,
}

/// The corosync group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Cluster {
    /// Its name, 1..=127 bytes.
    pub(crate) group: String,
    /// The address with which the node introduces itself; only shown to operators.
    pub(crate) address: IpAddr,
}

/// SIP over UDP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sip {
    /// Where servers reach the node.
    pub(crate) listen: SocketAddr,
    /// What the node calls itself in Via; never unspecified.
    pub(crate) address: SocketAddr,
}

/// One Asterisk that the node serves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    /// Where it takes PUBLISH, and from where its own comes.
    pub(crate) address: SocketAddr,
    /// Its EID, when it is known beforehand.
    pub(crate) eid: Option<Eid>,
    /// Digest authentication in both directions; without it the address is the proof.
    pub(crate) credentials: Option<Credentials>,
}

/// A user of digest authentication.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: Secret,
}

impl Config {
    /// The configuration as the core needs it; `started` is the wall clock when its time was zero.
    pub(crate) fn core(&self, started: Duration) -> presence::Config {
        let address = self.cluster.as_ref().map_or(self.sip.address.ip(), |cluster| cluster.address);
        presence::Config {
            servers: self.servers.iter().map(|server| presence::ServerConfig { eid: server.eid }).collect(),
            ephemeral: self.ephemeral.clone(),
            ..presence::Config::new(self.eid, &address.to_string(), started)
        }
    }
}

/// The configuration in one line, as `check` shows it.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.servers.len() == 1 { "" } else { "s" };
        write!(f, "{} server{plural}, ", self.servers.len())?;
        match &self.cluster {
            Some(cluster) => write!(f, "group {:?}", cluster.group),
            None => f.write_str("no group"),
        }
    }
}

/// Reads a configuration; what is wrong is reported.
pub(crate) fn read(source: &mut Source<'_>) -> Option<Config> {
    let draft = sections::read(source);
    contradictions::report(source, &draft);
    draft.finish()
}

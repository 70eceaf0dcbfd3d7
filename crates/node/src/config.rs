//! The node's configuration: one TOML file, some of it overridden by the environment, checked as a whole before
//! anything starts. `node.example.toml` documents every field.

mod channels;
mod contradictions;
mod schema;
mod sections;
mod sites;
#[cfg(test)]
mod tests;
mod values;

use daemon::config::{Secret, Source};
use daemon::http::Http;
use daemon::logging::Log;
use presence::link::Filter;
use presence::{Eid, Pattern};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
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
    /// Where the node is, if it is linked with others.
    pub(crate) site: Option<Site>,
    /// The nodes of other sites; names, keys and addresses are unique.
    pub(crate) links: Vec<Link>,
}

/// The node's site, and how it meets nodes of others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Site {
    pub(crate) name: String,
    /// The file with the node's private key.
    pub(crate) key: PathBuf,
    /// Where it listens for QUIC.
    pub(crate) listen: SocketAddr,
    /// Where it listens for TLS on TCP.
    pub(crate) listen_tcp: Option<SocketAddr>,
    /// How often it asks whether a peer is there.
    pub(crate) keepalive: Duration,
    /// A peer from which nothing came for so long is gone; at least three times as long.
    pub(crate) hold: Duration,
}

/// A link with a node of another site.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Link {
    pub(crate) name: String,
    /// The fingerprints of its key; two while one takes the other's place.
    pub(crate) keys: Vec<link::Fingerprint>,
    /// Where it is; else it dials us.
    pub(crate) dial: Option<link::Address>,
    pub(crate) transport: link::Transport,
    /// What it is told and may say.
    pub(crate) filters: presence::link::PeerConfig,
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
    /// What it is told.
    pub(crate) tell: Filter,
    /// What is taken from it.
    pub(crate) take: Filter,
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
        let server = |it: &Server| presence::ServerConfig {
            eid: it.eid,
            tell: it.tell.clone(),
            take: it.take.clone(),
        };
        let address = self.cluster.as_ref().map_or(self.sip.address.ip(), |cluster| cluster.address);
        presence::Config {
            servers: self.servers.iter().map(server).collect(),
            ephemeral: self.ephemeral.clone(),
            site: self.site.as_ref().map_or("", |site| &site.name).into(),
            peers: self.links.iter().map(|link| link.filters.clone()).collect(),
            hold: self.site.as_ref().map_or(presence::HOLD, |site| site.hold),
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
            Some(cluster) => write!(f, "group {:?}", cluster.group)?,
            None => f.write_str("no group")?,
        }
        let Some(site) = &self.site else { return Ok(()) };
        let plural = if self.links.len() == 1 { "" } else { "s" };
        write!(f, ", site {:?}, {} link{plural}", site.name, self.links.len())
    }
}

/// Reads a configuration; what is wrong is reported.
pub(crate) fn read(source: &mut Source<'_>) -> Option<Config> {
    let draft = sections::read(source);
    contradictions::report(source, &draft);
    draft.finish()
}

//! The exporter's configuration: one TOML file, secrets also from the environment, checked as a whole before anything
//! starts. `exporter.example.toml` documents every field.

mod schema;
mod sections;
#[cfg(test)]
mod tests;
mod values;

pub(crate) use sections::read;

use daemon::config::Secret;
use daemon::http::Http;
use daemon::logging::Log;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// What the exporter is to do.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Config {
    /// The label of all that is measured here, and the site of servers and nodes that name none.
    pub(crate) site: String,
    /// Metrics and the page.
    pub(crate) http: Http,
    pub(crate) log: Log,
    /// At least one; names are unique.
    pub(crate) servers: Vec<Server>,
    /// Names are unique.
    pub(crate) nodes: Vec<Node>,
    /// Ask the corosync of this machine.
    pub(crate) corosync: bool,
    pub(crate) canary: Canary,
}

/// A device at each server that is toggled all the time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Canary {
    /// Toggle them; else another exporter may do so, and they are followed.
    pub(crate) send: bool,
    /// How often each one is toggled.
    pub(crate) period: Duration,
}

/// One Asterisk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) site: String,
    pub(crate) ami: SocketAddr,
    pub(crate) user: String,
    pub(crate) secret: Secret,
    pub(crate) lamps: Option<Lamps>,
    /// The node that serves it, as an index of [`Config::nodes`]; a server in the corosync group itself has none.
    pub(crate) node: Option<usize>,
}

/// What a phone would watch at a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Lamps {
    pub(crate) sip: SocketAddr,
    /// Extensions with a hint; at least one.
    pub(crate) extensions: Vec<String>,
    pub(crate) credentials: Option<(String, Secret)>,
}

/// One presence node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) site: String,
    /// `host:port`.
    pub(crate) authority: String,
    pub(crate) token: Option<Secret>,
}

/// The configuration in one line, as `check` shows it.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let lamps: usize =
            self.servers.iter().flat_map(|server| &server.lamps).map(|l| l.extensions.len()).sum();
        let (servers, nodes) = (self.servers.len(), self.nodes.len());
        write!(
            f,
            "site {:?}, {servers} server{}, {lamps} lamp{}, {nodes} node{}",
            self.site,
            plural(servers),
            plural(lamps),
            plural(nodes)
        )?;
        f.write_str(if self.corosync { ", corosync" } else { "" })?;
        let Canary { send, period } = self.canary;
        let whose = if send { "" } else { " of another exporter" };
        write!(f, ", a canary{whose} each {} ms", period.as_millis())
    }
}

//! The node's configuration: one TOML file, some of it overridden by the environment, checked as a whole before
//! anything starts. `node.example.toml` documents every field.

mod contradictions;
mod problem;
mod schema;
mod secret;
mod sections;
mod source;
#[cfg(test)]
mod tests;
mod values;

pub(crate) use problem::Problems;
pub(crate) use secret::Secret;

use presence::Eid;
use problem::Problem;
use std::fmt;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tracing::Level;

/// What the node is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Config {
    /// The node's own EID.
    pub(crate) eid: Eid,
    /// The group to join; without one the node serves its servers alone.
    pub(crate) cluster: Option<Cluster>,
    pub(crate) sip: Sip,
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

/// Health, metrics and states over HTTP.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Http {
    pub(crate) listen: SocketAddr,
    /// Always there when `listen` is not loopback.
    pub(crate) token: Option<Secret>,
}

/// What is logged, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Log {
    pub(crate) level: Level,
    pub(crate) format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
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
    /// The configuration as the core needs it.
    pub(crate) fn core(&self) -> presence::Config {
        let address = self.cluster.as_ref().map_or(self.sip.address.ip(), |cluster| cluster.address);
        presence::Config {
            eid: self.eid,
            address: address.to_string().into(),
            servers: self.servers.iter().map(|server| presence::ServerConfig { eid: server.eid }).collect(),
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

/// A usable configuration, and what is not good about it.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) warnings: Vec<String>,
}

/// Reads the file and the process's environment.
pub(crate) fn load(path: &Path) -> Result<Loaded, Problems> {
    let file = path.display().to_string();
    let unreadable = |error: &std::io::Error| {
        let text = if error.kind() == ErrorKind::NotFound {
            "there is no such file; copy node.example.toml there and change it".to_owned()
        } else {
            format!("cannot be read ({error}); name a file that the node's user may read")
        };
        Problems::new(&file, [Problem::in_file(text)])
    };
    let bytes = std::fs::read(path).map_err(|error| unreadable(&error))?;
    let mode = std::fs::metadata(path).map_err(|error| unreadable(&error))?.permissions().mode() & 0o777;
    let text = String::from_utf8(bytes).map_err(|error| {
        let line =
            1 + error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
        Problems::new(&file, [Problem::at(line, "not UTF-8; save the file as UTF-8 text".to_owned())])
    })?;
    let environment = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
    let parsed = parse(&file, &text, &environment)?;
    let mut warnings = Vec::new();
    if parsed.secret_in_file && mode & 0o044 != 0 {
        warnings.push(format!(
            "{file}: holds a secret that other users can read (mode {mode:04o}); run chmod 600 {file}"
        ));
    }
    Ok(Loaded { config: parsed.config, warnings })
}

#[derive(Debug)]
struct Parsed {
    config: Config,
    /// A password or token stands in the file itself.
    secret_in_file: bool,
}

/// Reads a configuration from its text; `environment` looks up overrides. A variable that is empty is not set.
fn parse(file: &str, text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<Parsed, Problems> {
    let document = source::parse(file, text)?;
    let mut source = source::Source::new(text, environment);
    let draft = sections::read(&mut source, &document);
    contradictions::report(&mut source, &draft);
    let secret_in_file = source.secret_in_file;
    match (draft.finish(), source.problems.is_empty()) {
        (Some(config), true) => Ok(Parsed { config, secret_in_file }),
        _ => Err(Problems::new(file, source.problems)),
    }
}

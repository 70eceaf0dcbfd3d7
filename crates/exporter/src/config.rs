//! The exporter's configuration: one TOML file, secrets also from the environment, checked as a whole before anything
//! starts. `exporter.example.toml` documents every field.

mod checks;
mod file;
#[cfg(test)]
mod tests;

use checks::Checks;
use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tracing::Level;

/// What the exporter is to do.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Config {
    /// The label of all that is measured here.
    pub(crate) site: String,
    pub(crate) http: Http,
    pub(crate) log: Log,
    /// At least one; names are unique.
    pub(crate) servers: Vec<Server>,
    /// Names are unique.
    pub(crate) nodes: Vec<Node>,
    /// Ask the corosync of this machine.
    pub(crate) corosync: bool,
    /// How often each server's canary is toggled; without one there are none.
    pub(crate) canary_period: Option<Duration>,
}

/// Where metrics and the page are.
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

/// One Asterisk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
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
    /// `host:port`.
    pub(crate) authority: String,
    pub(crate) token: Option<Secret>,
}

/// Text that no log and no message may show.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// The text itself, for the one who authenticates with it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
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
        match self.canary_period {
            Some(period) => write!(f, ", a canary each {} ms", period.as_millis()),
            None => f.write_str(", no canaries"),
        }
    }
}

/// Everything that is wrong with one configuration, in the order of its lines.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(crate) struct Problems(Vec<String>);

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
        Problems(vec![if error.kind() == ErrorKind::NotFound {
            format!("{file}: there is no such file; copy exporter.example.toml there and change it")
        } else {
            format!("{file}: cannot be read ({error}); name a UTF-8 file that the exporter's user may read")
        }])
    };
    let text = std::fs::read_to_string(path).map_err(|error| unreadable(&error))?;
    let mode = std::fs::metadata(path).map_err(|error| unreadable(&error))?.permissions().mode() & 0o777;
    let environment = |name: &str| std::env::var(name).ok();
    let (config, secret_in_file) = parse(&file, &text, &environment)?;
    let mut warnings = Vec::new();
    if secret_in_file && mode & 0o044 != 0 {
        warnings.push(format!(
            "{file}: holds a secret that other users can read (mode {mode:04o}); run chmod 600 {file}"
        ));
    }
    Ok(Loaded { config, warnings })
}

/// Reads a configuration from its text; a variable that is empty is not set. Says also whether a secret stands in it.
fn parse(
    file: &str,
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<(Config, bool), Problems> {
    let document: file::File = toml::from_str(text).map_err(|error| {
        let line = line_of(text, error.span().map_or(0, |span| span.start));
        // The whole error shows the line, which may hold a secret.
        Problems(vec![format!("{file}:{line}: {}", error.message().replace('\n', " "))])
    })?;
    let mut checks = Checks::new(text, environment);
    let config = document.check(&mut checks);
    let Checks { problems, secret_in_file, .. } = checks;
    match config {
        Some(config) if problems.is_empty() => Ok((config, secret_in_file)),
        Some(_) | None => Err(Problems(
            problems
                .into_iter()
                .map(|(line, problem)| match line {
                    0 => format!("{file}: {problem}"),
                    line => format!("{file}:{line}: {problem}"),
                })
                .collect(),
        )),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count()
}

//! The file as it is written, and how it becomes a configuration.

use super::checks::{self, Checks};
use super::{Config, Http, Lamps, Log, LogFormat, Node, Server};
use serde::Deserialize;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use toml::Spanned;
use tracing::Level;

const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9720);
/// So that what is counted for each pair of servers stays within bounds.
const SERVERS_MAX: usize = 64;
const LAMPS_MAX: usize = 100;
const RATE_PER_S_MAX: f64 = 10.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    site: Option<Spanned<String>>,
    #[serde(default)]
    http: HttpTable,
    #[serde(default)]
    log: LogTable,
    #[serde(default)]
    server: Vec<ServerTable>,
    #[serde(default)]
    node: Vec<NodeTable>,
    #[serde(default)]
    corosync: CorosyncTable,
    #[serde(default)]
    canary: CanaryTable,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct HttpTable {
    listen: Option<Spanned<String>>,
    token: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct LogTable {
    level: Option<Spanned<String>>,
    format: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerTable {
    name: Spanned<String>,
    ami: Spanned<String>,
    user: Spanned<String>,
    secret: Option<Spanned<String>>,
    node: Option<Spanned<String>>,
    sip: Option<Spanned<String>>,
    lamps: Option<Vec<Spanned<String>>>,
    sip_user: Option<Spanned<String>>,
    sip_secret: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeTable {
    name: Spanned<String>,
    url: Spanned<String>,
    token: Option<Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct CorosyncTable {
    #[serde(default)]
    enabled: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct CanaryTable {
    enabled: Option<bool>,
    rate_per_s: Option<Spanned<f64>>,
}

impl File {
    /// The configuration, if nothing is missing; what is wrong is noted.
    pub(super) fn check(&self, checks: &mut Checks<'_>) -> Option<Config> {
        let site = match &self.site {
            Some(site) => checks.read(site, "site", checks::name),
            None => {
                checks.missing("site is missing; write the name of the place, for example site = \"east\"");
                None
            }
        };
        if self.server.is_empty() {
            checks.missing("there is no [[server]], so there is nothing to watch; write at least one");
        }
        if let Some(server) = self.server.get(SERVERS_MAX) {
            checks.wrong(
                &server.name,
                "[[server]]",
                format_args!("is one of more than {SERVERS_MAX}; take another exporter"),
            );
        }
        checks.unique(self.server.iter().map(|server| &server.name), "[[server]] name");
        checks.unique(self.server.iter().map(|server| &server.ami), "[[server]] ami");
        checks.unique(self.node.iter().map(|node| &node.name), "[[node]] name");
        let http = self.http.check(checks);
        let log = self.log.check(checks);
        let servers: Vec<_> = self.server.iter().map(|server| server.check(checks, &self.node)).collect();
        let nodes: Vec<_> = self.node.iter().map(|node| node.check(checks)).collect();
        let canary_period = self.canary.check(checks);
        Some(Config {
            site: site?,
            http: http?,
            log: log?,
            servers: servers.into_iter().collect::<Option<_>>()?,
            nodes: nodes.into_iter().collect::<Option<_>>()?,
            corosync: self.corosync.enabled,
            canary_period,
        })
    }
}

impl HttpTable {
    fn check(&self, checks: &mut Checks<'_>) -> Option<Http> {
        let listen = match &self.listen {
            Some(listen) => checks.read(listen, "[http] listen", checks::listen),
            None => Some(LISTEN),
        };
        let token = checks.secret(self.token.as_ref(), "[http] token", "ASTERISM_HTTP_TOKEN");
        if let (Some(address), Some(written), None, None) = (listen, &self.listen, &token, &self.token)
            && !address.ip().is_loopback()
        {
            let problem = "is open to other hosts, but there is no token; write token = \"...\" into [http] or set \
                           ASTERISM_HTTP_TOKEN, or listen on 127.0.0.1";
            checks.wrong(written, "[http] listen", format_args!("= \"{address}\" {problem}"));
        }
        Some(Http { listen: listen?, token })
    }
}

impl LogTable {
    fn check(&self, checks: &mut Checks<'_>) -> Option<Log> {
        let level = match (checks.variable("ASTERISM_LOG"), &self.level) {
            (Some(text), _) => from_variable(checks, "ASTERISM_LOG", &text, checks::level),
            (None, Some(level)) => checks.read(level, "[log] level", checks::level),
            (None, None) => Some(Level::INFO),
        };
        let format = match (checks.variable("ASTERISM_LOG_FORMAT"), &self.format) {
            (Some(text), _) => from_variable(checks, "ASTERISM_LOG_FORMAT", &text, checks::format),
            (None, Some(format)) => checks.read(format, "[log] format", checks::format),
            (None, None) => Some(LogFormat::Text),
        };
        Some(Log { level: level?, format: format? })
    }
}

fn from_variable<T>(
    checks: &mut Checks<'_>,
    name: &str,
    text: &str,
    read: fn(&str) -> Result<T, &'static str>,
) -> Option<T> {
    read(text).map_err(|problem| checks.missing(&format!("environment: {name}={text:?} {problem}"))).ok()
}

impl ServerTable {
    fn check(&self, checks: &mut Checks<'_>, nodes: &[NodeTable]) -> Option<Server> {
        let name = checks.read(&self.name, "[[server]] name", checks::name);
        let ami = checks.read(&self.ami, "[[server]] ami", checks::ami);
        let user = checks.read(&self.user, "[[server]] user", checks::user);
        let secret = checks.secret(self.secret.as_ref(), "[[server]] secret", "ASTERISM_AMI_SECRET");
        if secret.is_none() && self.secret.is_none() {
            let problem = "has no secret; write secret = \"...\" or set ASTERISM_AMI_SECRET";
            checks.wrong(&self.user, "[[server]] user", problem);
        }
        let lamps = self.check_lamps(checks);
        let node = self.node.as_ref().and_then(|wanted| {
            let found = nodes.iter().position(|node| node.name.as_ref() == wanted.as_ref());
            if found.is_none() {
                let wanted_name = wanted.as_ref();
                checks.wrong(
                    wanted,
                    "[[server]] node",
                    format_args!("= {wanted_name:?} is the name of no [[node]]"),
                );
            }
            found
        });
        Some(Server { name: name?, ami: ami?, user: user?, secret: secret?, lamps, node })
    }

    fn check_lamps(&self, checks: &mut Checks<'_>) -> Option<Lamps> {
        let sip = match (&self.sip, &self.lamps) {
            (None, None) => return None,
            (Some(sip), Some(_)) => checks.read(sip, "[[server]] sip", checks::sip),
            (Some(sip), None) => {
                checks.wrong(
                    sip,
                    "[[server]] sip",
                    "is there without lamps; write lamps = [\"1001\"] or remove it",
                );
                None
            }
            (None, Some(_)) => {
                let problem = "has lamps but no sip; write sip = \"192.0.2.11:5060\" or remove the lamps";
                checks.wrong(&self.name, "[[server]]", problem);
                None
            }
        };
        let lamps = self.lamps.as_deref().unwrap_or_default();
        if self.lamps.as_ref().is_some_and(|_| lamps.is_empty() || lamps.len() > LAMPS_MAX) {
            checks.wrong(
                &self.name,
                "[[server]]",
                format_args!("needs 1 to {LAMPS_MAX} lamps, or none at all"),
            );
        }
        checks.unique(lamps.iter(), "[[server]] lamps");
        let extensions: Option<Vec<_>> =
            lamps.iter().map(|lamp| checks.read(lamp, "[[server]] lamps", checks::user)).collect();
        let credentials = self.check_sip_user(checks);
        Some(Lamps { sip: sip?, extensions: extensions?, credentials })
    }

    fn check_sip_user(&self, checks: &mut Checks<'_>) -> Option<(String, super::Secret)> {
        let Some(written) = &self.sip_user else {
            if let Some(secret) = &self.sip_secret {
                let problem = "is there without a sip_user; write sip_user = \"watcher\" or remove it";
                checks.wrong(secret, "[[server]] sip_secret", problem);
            }
            return None;
        };
        let user = checks.read(written, "[[server]] sip_user", checks::user);
        let secret = checks.secret(self.sip_secret.as_ref(), "[[server]] sip_secret", "ASTERISM_SIP_SECRET");
        if secret.is_none() && self.sip_secret.is_none() {
            let problem = "has no secret; write sip_secret = \"...\" or set ASTERISM_SIP_SECRET";
            checks.wrong(written, "[[server]] sip_user", problem);
        }
        Some((user?, secret?))
    }
}

impl NodeTable {
    fn check(&self, checks: &mut Checks<'_>) -> Option<Node> {
        let name = checks.read(&self.name, "[[node]] name", checks::name);
        let authority = checks.read(&self.url, "[[node]] url", checks::url);
        let token = checks.secret(self.token.as_ref(), "[[node]] token", "ASTERISM_NODE_TOKEN");
        Some(Node { name: name?, authority: authority?, token })
    }
}

impl CanaryTable {
    fn check(&self, checks: &mut Checks<'_>) -> Option<Duration> {
        let rate = self.rate_per_s.as_ref().map_or(1.0, |rate| *rate.as_ref());
        if !(0.01..=RATE_PER_S_MAX).contains(&rate) {
            if let Some(written) = &self.rate_per_s {
                let problem =
                    format!("= {rate} is no rate; write 0.01 to {RATE_PER_S_MAX}, or enabled = false");
                checks.wrong(written, "[canary] rate_per_s", problem);
            }
            return None;
        }
        self.enabled.unwrap_or(true).then(|| Duration::from_secs_f64(1.0 / rate))
    }
}

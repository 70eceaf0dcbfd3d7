//! Reads each table of the file into a draft, whose missing parts have been reported.

use super::problem::Origin;
use super::schema;
use super::source::{Found, Source, Table};
use super::{Cluster, Config, Credentials, Http, Log, LogFormat, Secret, Server, Sip, values};
use presence::Eid;
use std::net::{IpAddr, SocketAddr};
use toml::de::DeTable;
use tracing::Level;

/// A configuration in which each value is right on its own. What is `None` but needed has been reported.
pub(super) struct Draft {
    pub(super) eid: Option<Found<Eid>>,
    pub(super) cluster: Option<ClusterDraft>,
    pub(super) sip: SipDraft,
    pub(super) http: HttpDraft,
    pub(super) log: Option<Log>,
    pub(super) servers: Vec<ServerDraft>,
}

pub(super) struct ClusterDraft {
    group: Option<Found<String>>,
    address: Option<Found<IpAddr>>,
}

pub(super) struct SipDraft {
    pub(super) listen: Option<Found<SocketAddr>>,
    pub(super) address: Option<Found<SocketAddr>>,
}

pub(super) struct HttpDraft {
    pub(super) listen: Option<Found<SocketAddr>>,
    pub(super) token: Option<Found<Secret>>,
    /// Somebody wrote a token, right or wrong.
    pub(super) has_token: bool,
}

pub(super) struct ServerDraft {
    pub(super) name: Option<Found<String>>,
    pub(super) address: Option<Found<SocketAddr>>,
    pub(super) eid: Option<Found<Eid>>,
    credentials: Option<Credentials>,
}

/// Reads the whole document.
pub(super) fn read(source: &mut Source<'_>, document: &DeTable<'_>) -> Draft {
    let root = Table::root(source, document, schema::ROOT);
    root.report_unknown(source);
    let eid = root.required(source, &schema::EID);
    let eid = source.read(eid, values::eid);
    let table = source.table(&root, "cluster", schema::CLUSTER);
    let cluster = table.is_written.then(|| cluster(source, &table));
    let table = source.table(&root, "sip", schema::SIP);
    let sip = sip(source, &table, cluster.as_ref());
    let table = source.table(&root, "http", schema::HTTP);
    let http = http(source, &table);
    let table = source.table(&root, "log", schema::LOG);
    let log = log(source, &table);
    let tables = source.tables(&root, "server", schema::SERVER);
    let servers = tables.iter().map(|table| server(source, table)).collect();
    Draft { eid, cluster, sip, http, log, servers }
}

fn cluster(source: &mut Source<'_>, table: &Table<'_>) -> ClusterDraft {
    table.report_unknown(source);
    let group = table.or_default(source, &schema::CLUSTER_GROUP);
    let address = table.required(source, &schema::CLUSTER_ADDRESS);
    ClusterDraft {
        group: source.read(group, values::group),
        address: source.read(address, values::cluster_address),
    }
}

fn sip(source: &mut Source<'_>, table: &Table<'_>, cluster: Option<&ClusterDraft>) -> SipDraft {
    table.report_unknown(source);
    let listen = table.or_default(source, &schema::SIP_LISTEN);
    let listen = source.read(listen, values::sip_listen);
    let address = if table.has(&schema::SIP_ADDRESS) {
        let address = table.text(source, &schema::SIP_ADDRESS);
        source.read(address, values::sip_address)
    } else {
        let origin = table.origin(&schema::SIP_ADDRESS);
        listen.as_ref().and_then(|listen| own_address(source, listen.value, cluster, origin))
    };
    SipDraft { listen, address }
}

/// The address by which servers know the node, when none is written.
fn own_address(
    source: &mut Source<'_>,
    listen: SocketAddr,
    cluster: Option<&ClusterDraft>,
    origin: Origin,
) -> Option<Found<SocketAddr>> {
    if !listen.ip().is_unspecified() {
        return Some(Found { value: listen, origin });
    }
    let Some(cluster) = cluster else {
        source.problems.push(origin.problem(format_args!(
            "is missing: listen is {listen}, which names no host, and there is no [cluster] address to take instead; \
             write address = \"192.0.2.21:{}\"",
            listen.port()
        )));
        return None;
    };
    let ip = cluster.address.as_ref()?.value;
    Some(Found { value: SocketAddr::new(ip, listen.port()), origin })
}

fn http(source: &mut Source<'_>, table: &Table<'_>) -> HttpDraft {
    table.report_unknown(source);
    let listen = table.or_default(source, &schema::HTTP_LISTEN);
    let listen = source.read(listen, values::listen);
    source.secret_in_file |= table.has(&schema::HTTP_TOKEN);
    let token = table.text(source, &schema::HTTP_TOKEN);
    let has_token = token.is_some() || table.has(&schema::HTTP_TOKEN);
    HttpDraft { listen, token: source.read_secret(token), has_token }
}

fn log(source: &mut Source<'_>, table: &Table<'_>) -> Option<Log> {
    table.report_unknown(source);
    let level = table.or_default(source, &schema::LOG_LEVEL);
    let level: Option<Found<Level>> = source.read(level, values::level);
    let format = table.or_default(source, &schema::LOG_FORMAT);
    let format: Option<Found<LogFormat>> = source.read(format, values::format);
    Some(Log { level: level?.value, format: format?.value })
}

fn server(source: &mut Source<'_>, table: &Table<'_>) -> ServerDraft {
    table.report_unknown(source);
    let name = table.required(source, &schema::SERVER_NAME);
    let name = source.read(name, values::name);
    let address = table.required(source, &schema::SERVER_ADDRESS);
    let address = source.read(address, values::sip_address);
    let eid = table.text(source, &schema::SERVER_EID);
    let eid = source.read(eid, values::eid);
    ServerDraft { name, address, eid, credentials: credentials(source, table) }
}

fn credentials(source: &mut Source<'_>, table: &Table<'_>) -> Option<Credentials> {
    let has_own_password = table.has(&schema::SERVER_PASSWORD);
    source.secret_in_file |= has_own_password;
    if !table.has(&schema::SERVER_USER) {
        if has_own_password {
            let sentence = "has no user; write user = \"presence\" or remove the password";
            source.problems.push(table.origin(&schema::SERVER_PASSWORD).problem(sentence));
        }
        return None;
    }
    let user = table.text(source, &schema::SERVER_USER);
    let user = source.read(user, values::user);
    let password = if has_own_password {
        table.text(source, &schema::SERVER_PASSWORD)
    } else {
        source.variable(schema::PUBLISH_SECRET)
    };
    if password.is_none() && !has_own_password {
        let sentence = format!("has no password; write password = \"...\" or set {}", schema::PUBLISH_SECRET);
        source.problems.push(table.origin(&schema::SERVER_USER).problem(sentence));
    }
    let password = source.read_secret(password);
    Some(Credentials { user: user?.value, password: password?.value })
}

impl Draft {
    /// The configuration, if nothing is missing.
    pub(super) fn finish(self) -> Option<Config> {
        let cluster = match self.cluster {
            Some(draft) => Some(Cluster { group: draft.group?.value, address: draft.address?.value }),
            None => None,
        };
        let servers = self.servers.into_iter().map(|draft| {
            Some(Server {
                name: draft.name?.value,
                address: draft.address?.value,
                eid: draft.eid.map(|eid| eid.value),
                credentials: draft.credentials,
            })
        });
        Some(Config {
            eid: self.eid?.value,
            cluster,
            sip: Sip { listen: self.sip.listen?.value, address: self.sip.address?.value },
            http: Http { listen: self.http.listen?.value, token: self.http.token.map(|token| token.value) },
            log: self.log?,
            servers: servers.collect::<Option<_>>()?,
        })
    }
}

//! Reads each table of the file into a draft, whose missing parts have been reported.

use super::channels::{self, ChannelDraft, Choice};
use super::schema;
use super::sites::{self, LinkDraft, SiteDraft};
use super::{Cluster, Config, Credentials, Server, Sip, values};
use daemon::config::{Found, Origin, Source, Table};
use daemon::http::Http;
use daemon::logging::Log;
use presence::{Eid, Pattern};
use std::net::{IpAddr, SocketAddr};

/// A configuration in which each value is right on its own. What is `None` but needed has been reported.
pub(super) struct Draft {
    pub(super) eid: Option<Found<Eid>>,
    pub(super) cluster: Option<ClusterDraft>,
    pub(super) sip: SipDraft,
    ephemeral: Vec<Pattern>,
    http: Option<Http>,
    log: Option<Log>,
    pub(super) servers: Vec<ServerDraft>,
    pub(super) site: Option<SiteDraft>,
    pub(super) channels: Vec<ChannelDraft>,
    pub(super) links: Vec<LinkDraft>,
}

pub(super) struct ClusterDraft {
    group: Option<Found<String>>,
    address: Option<Found<IpAddr>>,
}

pub(super) struct SipDraft {
    pub(super) listen: Option<Found<SocketAddr>>,
    pub(super) address: Option<Found<SocketAddr>>,
}

pub(super) struct ServerDraft {
    pub(super) name: Option<Found<String>>,
    pub(super) address: Option<Found<SocketAddr>>,
    pub(super) eid: Option<Found<Eid>>,
    credentials: Option<Credentials>,
    pub(super) choice: Choice,
}

/// Reads the whole document.
pub(super) fn read(source: &mut Source<'_>) -> Draft {
    let root = source.root(schema::ROOT);
    let eid = root.required(source, &schema::EID);
    let eid = source.read(eid, values::eid);
    let table = source.table(&root, "cluster", schema::CLUSTER);
    let cluster = table.is_written().then(|| cluster(source, &table));
    let table = source.table(&root, "sip", schema::SIP);
    let sip = sip(source, &table, cluster.as_ref());
    let table = source.table(&root, "devices", schema::DEVICES);
    let ephemeral = ephemeral(source, &table);
    let http = Http::read(source, &root, &schema::HTTP_LISTEN);
    let log = Log::read(source, &root);
    let tables = source.tables(&root, "server", schema::SERVER);
    let servers = tables.iter().map(|table| server(source, table)).collect();
    let table = source.table(&root, "site", schema::SITE);
    let site = table.is_written().then(|| sites::site(source, &table));
    let tables = source.tables(&root, "channel", schema::CHANNEL);
    let channels = tables.iter().map(|table| channels::channel(source, table)).collect();
    let tables = source.tables(&root, "link", schema::LINK);
    let links = tables.iter().map(|table| sites::link(source, table)).collect();
    Draft { eid, cluster, sip, ephemeral, http, log, servers, site, channels, links }
}

fn cluster(source: &mut Source<'_>, table: &Table<'_>) -> ClusterDraft {
    let group = table.or_default(source, &schema::CLUSTER_GROUP);
    let address = table.required(source, &schema::CLUSTER_ADDRESS);
    ClusterDraft {
        group: source.read(group, values::group),
        address: source.read(address, values::cluster_address),
    }
}

fn sip(source: &mut Source<'_>, table: &Table<'_>, cluster: Option<&ClusterDraft>) -> SipDraft {
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
        source.report(origin.problem(format_args!(
            "is missing: listen is {listen}, which names no host, and there is no [cluster] address to take instead; \
             write address = \"192.0.2.21:{}\"",
            listen.port()
        )));
        return None;
    };
    let ip = cluster.address.as_ref()?.value;
    Some(Found { value: SocketAddr::new(ip, listen.port()), origin })
}

/// What is written stands for all of it: an empty list lets every device through.
fn ephemeral(source: &mut Source<'_>, table: &Table<'_>) -> Vec<Pattern> {
    if !table.has(&schema::DEVICES_EPHEMERAL) {
        return presence::EPHEMERAL.iter().filter_map(|text| Pattern::new(text).ok()).collect();
    }
    let texts = table.texts(source, &schema::DEVICES_EPHEMERAL).unwrap_or_default();
    let read = texts.into_iter().filter_map(|text| source.read(Some(text), values::pattern));
    read.map(|pattern| pattern.value).collect()
}

fn server(source: &mut Source<'_>, table: &Table<'_>) -> ServerDraft {
    let name = table.required(source, &schema::SERVER_NAME);
    let name = source.read(name, daemon::config::values::name);
    let address = table.required(source, &schema::SERVER_ADDRESS);
    let address = source.read(address, values::sip_address);
    let eid = table.text(source, &schema::SERVER_EID);
    let eid = source.read(eid, values::eid);
    let credentials = credentials(source, table);
    ServerDraft { name, address, eid, credentials, choice: Choice::read(source, table) }
}

fn credentials(source: &mut Source<'_>, table: &Table<'_>) -> Option<Credentials> {
    let has_own_password = table.has(&schema::SERVER_PASSWORD);
    let password = table.secret_text_or(source, &schema::SERVER_PASSWORD, schema::PUBLISH_SECRET);
    if !table.has(&schema::SERVER_USER) {
        if has_own_password {
            let sentence = "has no user; write user = \"presence\" or remove the password";
            source.report(table.origin(&schema::SERVER_PASSWORD).problem(sentence));
        }
        return None;
    }
    let user = table.text(source, &schema::SERVER_USER);
    let user = source.read(user, values::user);
    if password.is_none() && !has_own_password {
        let sentence = format!("has no password; write password = \"...\" or set {}", schema::PUBLISH_SECRET);
        source.report(table.origin(&schema::SERVER_USER).problem(sentence));
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
            let [tell, take] = draft.choice.finish(&self.channels);
            Some(Server {
                name: draft.name?.value,
                address: draft.address?.value,
                eid: draft.eid.map(|eid| eid.value),
                credentials: draft.credentials,
                tell,
                take,
            })
        });
        Some(Config {
            eid: self.eid?.value,
            cluster,
            sip: Sip { listen: self.sip.listen?.value, address: self.sip.address?.value },
            ephemeral: self.ephemeral,
            http: self.http?,
            log: self.log?,
            servers: servers.collect::<Option<_>>()?,
            site: match self.site {
                Some(draft) => Some(draft.finish()?),
                None => None,
            },
            links: self.links.into_iter().map(|draft| draft.finish(&self.channels)).collect::<Option<_>>()?,
        })
    }
}

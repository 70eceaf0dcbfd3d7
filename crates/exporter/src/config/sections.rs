//! Reads each table of the file. What is `None` but needed has been reported.

use super::{Config, Lamps, Node, Server, schema, values};
use daemon::config::values::name;
use daemon::config::{Field, Found, Problem, Secret, Source, Table};
use daemon::http::Http;
use daemon::logging::Log;
use std::net::SocketAddr;
use std::time::Duration;

/// So that what is counted for each pair of servers stays within bounds.
const SERVERS_MAX: usize = 64;
const LAMPS_MAX: usize = 100;
const RATE_PER_S_MAX: f64 = 10.0;

/// Reads the whole document.
pub(crate) fn read(source: &mut Source<'_>) -> Option<Config> {
    let root = source.root(schema::ROOT);
    let site = root.required(source, &schema::SITE);
    let site = source.read(site, name);
    let http = Http::read(source, &root, &schema::HTTP_LISTEN);
    let log = Log::read(source, &root);
    let nodes = nodes(source, &root);
    let names = nodes.iter().map(|draft| draft.name.as_ref().map(|name| name.value.as_str()));
    let servers = servers(source, &root, &names.collect::<Vec<_>>());
    let table = source.table(&root, "corosync", schema::COROSYNC);
    let corosync = table.flag(source, &schema::COROSYNC_ENABLED).is_some_and(|enabled| enabled.value);
    let canary_period = canary(source, &root);
    Some(Config {
        site: site?.value,
        http: http?,
        log: log?,
        servers: servers?,
        nodes: nodes.into_iter().map(NodeDraft::finish).collect::<Option<_>>()?,
        corosync,
        canary_period,
    })
}

struct NodeDraft {
    name: Option<Found<String>>,
    authority: Option<Found<String>>,
    token: Option<Secret>,
}

impl NodeDraft {
    fn finish(self) -> Option<Node> {
        Some(Node { name: self.name?.value, authority: self.authority?.value, token: self.token })
    }
}

fn nodes(source: &mut Source<'_>, root: &Table<'_>) -> Vec<NodeDraft> {
    let tables = source.tables(root, "node", schema::NODE);
    let nodes: Vec<_> = tables.iter().map(|table| node(source, table)).collect();
    source.report_equal(nodes.iter().filter_map(|node| node.name.as_ref()), "name");
    nodes
}

fn node(source: &mut Source<'_>, table: &Table<'_>) -> NodeDraft {
    let own_name = table.required(source, &schema::NODE_NAME);
    let url = table.required(source, &schema::NODE_URL);
    let token = table.secret_text_or(source, &schema::NODE_TOKEN, schema::NODE_SECRET);
    NodeDraft {
        name: source.read(own_name, name),
        authority: source.read(url, values::url),
        token: source.read_secret(token).map(|token| token.value),
    }
}

/// A server whose own values are right; its name and address are not yet compared with the others'.
struct ServerDraft {
    name: Option<Found<String>>,
    ami: Option<Found<SocketAddr>>,
    credentials: Option<(String, Secret)>,
    lamps: Option<Lamps>,
    node: Option<usize>,
}

impl ServerDraft {
    fn finish(self) -> Option<Server> {
        let (user, secret) = self.credentials?;
        let (name, ami) = (self.name?.value, self.ami?.value);
        Some(Server { name, ami, user, secret, lamps: self.lamps, node: self.node })
    }
}

/// `nodes` has the names of all nodes.
fn servers(source: &mut Source<'_>, root: &Table<'_>, nodes: &[Option<&str>]) -> Option<Vec<Server>> {
    let tables = source.tables(root, "server", schema::SERVER);
    if !root.holds("server") {
        let nothing = "there is no [[server]], so there is nothing to watch; write at least one";
        source.report(Problem::in_file(nothing.to_owned()));
    }
    if let Some(table) = tables.get(SERVERS_MAX) {
        let many = format_args!(
            "is that of one server too many; an exporter watches {SERVERS_MAX}, so take another one for the rest"
        );
        source.report(table.origin(&schema::SERVER_NAME).problem(many));
    }
    let servers: Vec<_> = tables.iter().map(|table| server(source, table, nodes)).collect();
    source.report_equal(servers.iter().filter_map(|server| server.name.as_ref()), "name");
    source.report_equal(servers.iter().filter_map(|server| server.ami.as_ref()), "address");
    servers.into_iter().map(ServerDraft::finish).collect()
}

fn server(source: &mut Source<'_>, table: &Table<'_>, nodes: &[Option<&str>]) -> ServerDraft {
    let own_name = table.required(source, &schema::SERVER_NAME);
    let ami = table.required(source, &schema::SERVER_AMI);
    table.required(source, &schema::SERVER_USER);
    ServerDraft {
        name: source.read(own_name, name),
        ami: source.read(ami, values::ami),
        credentials: credentials(
            source,
            table,
            [&schema::SERVER_USER, &schema::SERVER_SECRET],
            schema::AMI_SECRET,
        ),
        lamps: lamps(source, table),
        node: serving_node(source, table, nodes),
    }
}

/// The index of the node that serves it.
fn serving_node(source: &mut Source<'_>, table: &Table<'_>, nodes: &[Option<&str>]) -> Option<usize> {
    let wanted = table.text(source, &schema::SERVER_NODE);
    let index = source.read(wanted, |wanted| {
        let found = nodes.iter().position(|name| *name == Some(wanted));
        found.ok_or_else(|| "is the name of no [[node]]; write one, or remove it".to_owned())
    });
    index.map(|index| index.value)
}

fn lamps(source: &mut Source<'_>, table: &Table<'_>) -> Option<Lamps> {
    let credentials = credentials(
        source,
        table,
        [&schema::SERVER_SIP_USER, &schema::SERVER_SIP_SECRET],
        schema::SIP_SECRET,
    );
    let sip = table.text(source, &schema::SERVER_SIP);
    let sip = source.read(sip, values::sip);
    let extensions = extensions(source, table);
    if table.has(&schema::SERVER_SIP) && !table.has(&schema::SERVER_LAMPS) {
        let sentence = "is there without lamps; write lamps = [\"1001\"] or remove it";
        source.report(table.origin(&schema::SERVER_SIP).problem(sentence));
    }
    if table.has(&schema::SERVER_LAMPS) && !table.has(&schema::SERVER_SIP) {
        let sentence = "are there without sip; write sip = \"192.0.2.11:5060\" or remove them";
        source.report(table.origin(&schema::SERVER_LAMPS).problem(sentence));
    }
    Some(Lamps { sip: sip?.value, extensions: extensions?, credentials })
}

fn extensions(source: &mut Source<'_>, table: &Table<'_>) -> Option<Vec<String>> {
    let written = table.texts(source, &schema::SERVER_LAMPS)?;
    if written.is_empty() || written.len() > LAMPS_MAX {
        let sentence = format_args!("are {}; write 1 to {LAMPS_MAX}, or remove the field", written.len());
        source.report(table.origin(&schema::SERVER_LAMPS).problem(sentence));
    }
    source.report_equal(written.iter(), "lamp");
    written.into_iter().map(|lamp| Some(source.read(Some(lamp), values::user)?.value)).collect()
}

/// A user and its secret; none without a user.
fn credentials(
    source: &mut Source<'_>,
    table: &Table<'_>,
    [user, secret]: [&Field; 2],
    shared: &str,
) -> Option<(String, Secret)> {
    let written = table.secret_text_or(source, secret, shared);
    if !table.has(user) {
        if table.has(secret) {
            let sentence =
                format_args!("has no {}; write {} = {:?} or remove it", user.name, user.name, user.example);
            source.report(table.origin(secret).problem(sentence));
        }
        return None;
    }
    let name = table.text(source, user);
    let name = source.read(name, values::user);
    if written.is_none() && !table.has(secret) {
        let sentence = format_args!("has no secret; write {} = \"...\" or set {shared}", secret.name);
        source.report(table.origin(user).problem(sentence));
    }
    let secret = source.read_secret(written);
    Some((name?.value, secret?.value))
}

/// How often each canary is toggled.
fn canary(source: &mut Source<'_>, root: &Table<'_>) -> Option<Duration> {
    let table = source.table(root, "canary", schema::CANARY);
    let enabled = table.flag(source, &schema::CANARY_ENABLED);
    let rate = match table.number(source, &schema::CANARY_RATE) {
        Some(Found { value, origin }) if !(0.01..=RATE_PER_S_MAX).contains(&value) => {
            let sentence =
                format_args!("{value} is no rate; write 0.01 to {RATE_PER_S_MAX}, or enabled = false");
            source.report(origin.problem(sentence));
            return None;
        }
        Some(found) => found.value,
        None => 1.0,
    };
    enabled.is_none_or(|enabled| enabled.value).then(|| Duration::from_secs_f64(1.0 / rate))
}

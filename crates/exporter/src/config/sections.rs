//! Reads each table of the file. What is `None` but needed has been reported.

use super::{Canary, Config, Lamps, Node, Server, schema, values};
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
    let own = site.as_ref().map_or("", |site| &site.value);
    let nodes = nodes(source, &root, own);
    let servers = servers(source, &root, own, &nodes);
    let table = source.table(&root, "corosync", schema::COROSYNC);
    let corosync = table.flag(source, &schema::COROSYNC_ENABLED).is_some_and(|enabled| enabled.value);
    let canary = canary(source, &root);
    Some(Config {
        site: site?.value,
        http: http?,
        log: log?,
        servers: servers?,
        nodes: nodes.into_iter().map(NodeDraft::finish).collect::<Option<_>>()?,
        corosync,
        canary: canary?,
    })
}

struct NodeDraft {
    name: Option<Found<String>>,
    site: Option<String>,
    authority: Option<Found<String>>,
    token: Option<Secret>,
}

impl NodeDraft {
    fn finish(self) -> Option<Node> {
        let (name, authority) = (self.name?.value, self.authority?.value);
        Some(Node { name, site: self.site?, authority, token: self.token })
    }
}

/// The site of a server or node; that of the exporter, `own`, where it names none.
fn site(source: &mut Source<'_>, table: &Table<'_>, own: &str) -> Option<String> {
    if !table.has(&schema::SITE) {
        return Some(own.to_owned());
    }
    let written = table.text(source, &schema::SITE);
    source.read(written, name).map(|site| site.value)
}

fn nodes(source: &mut Source<'_>, root: &Table<'_>, own: &str) -> Vec<NodeDraft> {
    let tables = source.tables(root, "node", schema::NODE);
    let nodes: Vec<_> = tables.iter().map(|table| node(source, table, own)).collect();
    source.report_equal(nodes.iter().filter_map(|node| node.name.as_ref()), "name");
    nodes
}

fn node(source: &mut Source<'_>, table: &Table<'_>, own: &str) -> NodeDraft {
    let own_name = table.required(source, &schema::NODE_NAME);
    let url = table.required(source, &schema::NODE_URL);
    let token = table.secret_text_or(source, &schema::NODE_TOKEN, schema::NODE_SECRET);
    NodeDraft {
        name: source.read(own_name, name),
        site: site(source, table, own),
        authority: source.read(url, values::url),
        token: source.read_secret(token).map(|token| token.value),
    }
}

/// A server whose own values are right; its name and address are not yet compared with the others'.
struct ServerDraft {
    name: Option<Found<String>>,
    site: Option<String>,
    ami: Option<Found<SocketAddr>>,
    credentials: Option<(String, Secret)>,
    lamps: Option<Lamps>,
    node: Option<usize>,
}

impl ServerDraft {
    fn finish(self) -> Option<Server> {
        let (user, secret) = self.credentials?;
        let (name, ami) = (self.name?.value, self.ami?.value);
        Some(Server { name, site: self.site?, ami, user, secret, lamps: self.lamps, node: self.node })
    }
}

fn servers(source: &mut Source<'_>, root: &Table<'_>, own: &str, nodes: &[NodeDraft]) -> Option<Vec<Server>> {
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
    let servers: Vec<_> = tables.iter().map(|table| server(source, table, own, nodes)).collect();
    source.report_equal(servers.iter().filter_map(|server| server.name.as_ref()), "name");
    source.report_equal(servers.iter().filter_map(|server| server.ami.as_ref()), "address");
    servers.into_iter().map(ServerDraft::finish).collect()
}

fn server(source: &mut Source<'_>, table: &Table<'_>, own: &str, nodes: &[NodeDraft]) -> ServerDraft {
    let site = site(source, table, own);
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
        node: serving_node(source, table, site.as_deref(), nodes),
        site,
    }
}

/// The index of the node that serves it, which is at the same site.
fn serving_node(
    source: &mut Source<'_>,
    table: &Table<'_>,
    site: Option<&str>,
    nodes: &[NodeDraft],
) -> Option<usize> {
    let wanted = table.text(source, &schema::SERVER_NODE);
    let index = source.read(wanted, |wanted| {
        let is_wanted = |draft: &NodeDraft| draft.name.as_ref().is_some_and(|name| name.value == wanted);
        let found = nodes.iter().position(is_wanted);
        let index = found.ok_or_else(|| "is the name of no [[node]]; write one, or remove it".to_owned())?;
        match (&nodes[index].site, site) {
            (Some(there), Some(here)) if there != here => Err(format!(
                "is at site {there:?}, and the server at {here:?}; write the same site into both tables"
            )),
            _ => Ok(index),
        }
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

/// Who toggles the canaries, and how often.
fn canary(source: &mut Source<'_>, root: &Table<'_>) -> Option<Canary> {
    let table = source.table(root, "canary", schema::CANARY);
    let enabled = table.flag(source, &schema::CANARY_ENABLED);
    let rate = match table.number(source, &schema::CANARY_RATE) {
        Some(Found { value, origin }) if !(0.01..=RATE_PER_S_MAX).contains(&value) => {
            let sentence = format_args!("{value} is no rate; write 0.01 to {RATE_PER_S_MAX}");
            source.report(origin.problem(sentence));
            return None;
        }
        Some(found) => found.value,
        None => 1.0,
    };
    let send = enabled.is_none_or(|enabled| enabled.value);
    Some(Canary { send, period: Duration::from_secs_f64(1.0 / rate) })
}

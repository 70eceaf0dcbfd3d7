//! Reads what concerns other sites: the node's own site, and links.

use super::channels::{ChannelDraft, Choice};
use super::{Link, Site, schema, values};
use daemon::config::{Field, Found, Source, Table};
use link::{Address, Fingerprint, Transport};
use presence::Eid;
use presence::link::{Filter, PeerConfig};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub(super) struct SiteDraft {
    name: Option<Found<String>>,
    key: Option<Found<PathBuf>>,
    pub(super) listen: Option<Found<SocketAddr>>,
    pub(super) listen_tcp: Option<Found<SocketAddr>>,
    keepalive: Option<Found<Duration>>,
    hold: Option<Found<Duration>>,
}

pub(super) struct LinkDraft {
    pub(super) name: Option<Found<String>>,
    pub(super) keys: Vec<Found<Fingerprint>>,
    pub(super) dial: Option<Found<Address>>,
    pub(super) transport: Option<Found<Transport>>,
    pub(super) choice: Choice,
    eids: Option<Vec<Found<Eid>>>,
}

/// A peer is asked so often at least before it is given up.
const QUESTIONS_MIN: u32 = 3;

pub(super) fn site(source: &mut Source<'_>, table: &Table<'_>) -> SiteDraft {
    let name = table.required(source, &schema::SITE_NAME);
    let key = table.required(source, &schema::SITE_KEY);
    let listen = table.or_default(source, &schema::SITE_LISTEN);
    let listen_tcp = table.text(source, &schema::SITE_LISTEN_TCP);
    let keepalive = seconds(source, table, &schema::SITE_KEEPALIVE, 0.1..=60.0);
    let hold = seconds(source, table, &schema::SITE_HOLD, 0.5..=600.0);
    if let (Some(keepalive), Some(hold)) = (&keepalive, &hold)
        && hold.value < keepalive.value * QUESTIONS_MIN
    {
        let least = (keepalive.value * QUESTIONS_MIN).as_secs_f64();
        source.report(hold.origin.problem(format_args!(
            "is less than {QUESTIONS_MIN} times keepalive ({} s): one lost question would be the end of a link; write hold = {least} or more",
            keepalive.value.as_secs_f64()
        )));
    }
    SiteDraft {
        name: source.read(name, daemon::config::values::name),
        key: source.read(key, values::path),
        listen: source.read(listen, |text| daemon::config::values::listen(text, schema::SITE_LISTEN.example)),
        listen_tcp: source
            .read(listen_tcp, |text| daemon::config::values::listen(text, schema::SITE_LISTEN_TCP.example)),
        keepalive,
        hold,
    }
}

fn seconds(
    source: &mut Source<'_>,
    table: &Table<'_>,
    field: &Field,
    range: std::ops::RangeInclusive<f64>,
) -> Option<Found<Duration>> {
    let found = if table.has(field) {
        table.number(source, field)?
    } else {
        Found { value: field.example.parse().ok()?, origin: table.origin(field) }
    };
    if !range.contains(&found.value) {
        source.report(found.origin.problem(format_args!(
            "{} is out of range; write {} to {} seconds",
            found.value,
            range.start(),
            range.end()
        )));
        return None;
    }
    Some(Found { value: Duration::from_secs_f64(found.value), origin: found.origin })
}

pub(super) fn link(source: &mut Source<'_>, table: &Table<'_>) -> LinkDraft {
    let name = table.required(source, &schema::LINK_NAME);
    let name = source.read(name, daemon::config::values::name);
    let written = table.has(&schema::LINK_KEYS);
    let keys = table.texts(source, &schema::LINK_KEYS).unwrap_or_default();
    if !written || keys.is_empty() && source.is_sound() || keys.len() > 2 {
        let sentence = "needs one key, or two while one takes the other's place; write what `asterism-node key show FILE` says at the peer";
        source.report(table.origin(&schema::LINK_KEYS).problem(sentence));
    }
    let keys = keys.into_iter().filter_map(|key| source.read(Some(key), values::fingerprint)).collect();
    let dial = table.text(source, &schema::LINK_DIAL);
    let transport = table.or_default(source, &schema::LINK_TRANSPORT);
    let eids = table.texts(source, &schema::LINK_EIDS);
    let eids =
        eids.map(|eids| eids.into_iter().filter_map(|eid| source.read(Some(eid), values::eid)).collect());
    LinkDraft {
        name,
        keys,
        dial: source.read(dial, values::dial),
        transport: source.read(transport, values::transport),
        choice: Choice::read(source, table),
        eids,
    }
}

impl SiteDraft {
    pub(super) fn finish(self) -> Option<Site> {
        Some(Site {
            name: self.name?.value,
            key: self.key?.value,
            listen: self.listen?.value,
            listen_tcp: self.listen_tcp.map(|listen| listen.value),
            keepalive: self.keepalive?.value,
            hold: self.hold?.value,
        })
    }
}

impl LinkDraft {
    /// Whether the peer may say anything of any server.
    pub(super) fn is_open(&self) -> bool {
        self.eids.is_none()
    }

    pub(super) fn finish(self, channels: &[ChannelDraft]) -> Option<Link> {
        let [tell, take] = self.choice.finish(channels);
        let eids = self.eids.map(|eids| eids.into_iter().map(|eid| eid.value).collect());
        Some(Link {
            name: self.name?.value,
            keys: self.keys.into_iter().map(|key| key.value).collect(),
            dial: self.dial.map(|dial| dial.value),
            transport: self.transport?.value,
            filters: PeerConfig { tell, take: Filter { eids, ..take } },
        })
    }
}

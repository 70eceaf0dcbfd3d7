//! Values that are right on their own but not together.

use super::sections::Draft;
use super::sites::LinkDraft;
use daemon::config::{Problem, Source};
use link::Transport;
use std::net::SocketAddr;

/// Reports every contradiction.
pub(super) fn report(source: &mut Source<'_>, draft: &Draft) {
    if draft.cluster.is_none() && draft.servers.is_empty() && draft.links.len() < 2 && source.is_sound() {
        source.report(Problem::at(
            1,
            "[cluster] and [[server]] are missing, so there is nothing to do; write at least one of them, or two [[link]] to stand between"
                .to_owned(),
        ));
    }
    if let Some(server) = draft.servers.get(presence::EIDS_MAX) {
        let origin = server.name.as_ref().map(|name| &name.origin);
        let sentence = format!(
            "is server {} of this node, which serves {} at most; let another node serve it",
            presence::EIDS_MAX + 1,
            presence::EIDS_MAX
        );
        origin.into_iter().for_each(|origin| source.report(origin.problem(&sentence)));
    }
    source.report_equal(draft.servers.iter().filter_map(|server| server.name.as_ref()), "name");
    source.report_equal(draft.servers.iter().filter_map(|server| server.address.as_ref()), "address");
    let eids = draft.eid.iter().chain(draft.servers.iter().filter_map(|server| server.eid.as_ref()));
    source.report_equal(eids, "EID, the entityid of its asterisk.conf");
    report_addresses(source, draft);
    draft.servers.iter().for_each(|server| server.choice.report(source, &draft.channels));
    report_links(source, draft);
}

/// Links need a site and a way, each peer stands once, and channels are those that there are.
fn report_links(source: &mut Source<'_>, draft: &Draft) {
    match (&draft.site, draft.links.first().and_then(|link| link.name.as_ref())) {
        (None, Some(name)) => source.report(name.origin.problem(
            "needs a [site] with the name of this site and this node's key; write it (node.example.toml shows how)",
        )),
        (Some(site), None) if draft.links.is_empty() => {
            let origin = site.listen.as_ref().map(|listen| &listen.origin);
            let sentence = "listens for nobody, as there is no [[link]]; write one for each peer, or remove [site]";
            origin.into_iter().for_each(|origin| source.report(origin.problem(sentence)));
        }
        (Some(_) | None, _) => {}
    }
    source.report_equal(draft.links.iter().filter_map(|link| link.name.as_ref()), "name");
    source.report_equal(draft.links.iter().flat_map(|link| &link.keys), "key: a peer stands once");
    source.report_equal(
        draft.links.iter().filter_map(|link| link.dial.as_ref()),
        "address: a peer stands once",
    );
    source.report_equal(draft.channels.iter().filter_map(|channel| channel.name.as_ref()), "name");
    for link in &draft.links {
        report_way(source, draft, link);
        link.choice.report(source, &draft.channels);
        if let Some(name) = link.name.as_ref().filter(|_| link.is_open()) {
            let sentence = "has no eids, so this peer may speak for any server of any other site; write eids = [...] to bound it";
            source.warn(name.origin.problem(sentence));
        }
    }
}

/// A peer is dialled, or dials us where we listen; and it is somebody else.
fn report_way(source: &mut Source<'_>, draft: &Draft, link: &LinkDraft) {
    let Some(site) = &draft.site else { return };
    let tcp = link.transport.as_ref().is_some_and(|transport| transport.value == Transport::Tcp);
    if let (None, true, None, Some(transport)) = (&link.dial, tcp, &site.listen_tcp, &link.transport) {
        let sentence = "is tcp, but there is neither dial here nor listen_tcp in [site]; write one of them";
        source.report(transport.origin.problem(sentence));
    }
    let own = if tcp { &site.listen_tcp } else { &site.listen };
    if let (Some(dial), Some(own)) = (&link.dial, own)
        && dial.value.to_string() == own.value.to_string()
    {
        let sentence = format!("\"{}\" is where this node listens itself; write the peer's", dial.value);
        source.report(dial.origin.problem(sentence));
    }
}

/// The node's own address may not be a server's, and one UDP socket speaks IPv4 or IPv6.
fn report_addresses(source: &mut Source<'_>, draft: &Draft) {
    let Some(listen) = &draft.sip.listen else {
        return;
    };
    let own = draft.sip.address.as_ref();
    let servers = draft.servers.iter().filter_map(|server| server.address.as_ref());
    for address in own.into_iter().chain(servers.clone()) {
        if address.value.is_ipv4() != listen.value.is_ipv4() {
            source.report(address.origin.problem(format_args!(
                "\"{}\" is {}, but [sip] listen \"{}\" is {}; write both in one family",
                address.value,
                family(address.value),
                listen.value,
                family(listen.value)
            )));
        }
    }
    for server in servers {
        if own.is_some_and(|own| own.value == server.value) || server.value == listen.value {
            source.report(server.origin.problem(format_args!(
                "\"{}\" is the node's own SIP address; write the server's",
                server.value
            )));
        }
    }
}

const fn family(address: SocketAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

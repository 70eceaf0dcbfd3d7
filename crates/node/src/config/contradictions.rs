//! Values that are right on their own but not together.

use super::sections::Draft;
use daemon::config::{Problem, Source};
use std::net::SocketAddr;

/// Reports every contradiction.
pub(super) fn report(source: &mut Source<'_>, draft: &Draft) {
    if draft.cluster.is_none() && draft.servers.is_empty() && source.is_sound() {
        source.report(Problem::at(
            1,
            "[cluster] and [[server]] are missing, so there is nothing to do; write at least one of them"
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

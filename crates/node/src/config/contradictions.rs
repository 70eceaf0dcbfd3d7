//! Values that are right on their own but not together.

use super::problem::Problem;
use super::sections::Draft;
use super::source::{Found, Source};
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

/// Reports every contradiction.
pub(super) fn report(source: &mut Source<'_>, draft: &Draft) {
    let problems = &mut source.problems;
    if draft.cluster.is_none() && draft.servers.is_empty() && problems.is_empty() {
        problems.push(Problem::at(
            1,
            "[cluster] and [[server]] are missing, so there is nothing to do; write at least one of them"
                .to_owned(),
        ));
    }
    report_open_http(problems, draft);
    report_equal(problems, draft.servers.iter().filter_map(|server| server.name.as_ref()), "name");
    report_equal(problems, draft.servers.iter().filter_map(|server| server.address.as_ref()), "address");
    let eids = draft.eid.iter().chain(draft.servers.iter().filter_map(|server| server.eid.as_ref()));
    report_equal(problems, eids, "EID, the entityid of its asterisk.conf");
    report_addresses(problems, draft);
}

fn report_open_http(problems: &mut Vec<Problem>, draft: &Draft) {
    let Some(listen) = &draft.http.listen else {
        return;
    };
    if !listen.value.ip().is_loopback() && !draft.http.has_token {
        problems.push(listen.origin.problem(format_args!(
            "\"{}\" is open to other hosts, but there is no token; write token = \"...\" into [http] or set \
             ASTERISM_HTTP_TOKEN, or listen on 127.0.0.1",
            listen.value
        )));
    }
}

fn report_equal<'a, T: Ord + fmt::Display + 'a>(
    problems: &mut Vec<Problem>,
    values: impl Iterator<Item = &'a Found<T>>,
    own: &str,
) {
    let mut first_by_value = BTreeMap::new();
    for found in values {
        let first = first_by_value.entry(&found.value).or_insert(&found.origin);
        if !std::ptr::eq(*first, &raw const found.origin) {
            let value = found.value.to_string();
            problems.push(
                found
                    .origin
                    .problem(format_args!("{value:?} is taken already ({first}); each needs its own {own}")),
            );
        }
    }
}

/// The node's own address may not be a server's, and one UDP socket speaks IPv4 or IPv6.
fn report_addresses(problems: &mut Vec<Problem>, draft: &Draft) {
    let Some(listen) = &draft.sip.listen else {
        return;
    };
    let own = draft.sip.address.as_ref();
    let servers = draft.servers.iter().filter_map(|server| server.address.as_ref());
    for address in own.into_iter().chain(servers.clone()) {
        if address.value.is_ipv4() != listen.value.is_ipv4() {
            problems.push(address.origin.problem(format_args!(
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
            problems.push(server.origin.problem(format_args!(
                "\"{}\" is the node's own SIP address; write the server's",
                server.value
            )));
        }
    }
}

const fn family(address: SocketAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

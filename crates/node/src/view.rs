//! What the node knows, as the JSON that operators and tests read. Field names are stable.

use crate::clock::now_us;
use crate::trail::Stamp;
use presence::{Device, Node};
use serde::Serialize;
use std::time::Duration;

/// `GET /readyz`.
#[derive(Serialize)]
pub(crate) struct Readiness {
    /// In the group, which delivers, and synced; without a `[cluster]`, always.
    pub(crate) ready: bool,
    in_group: bool,
    synced: bool,
    /// Whether what this node says to the group comes back.
    delivers: bool,
    /// Microseconds since 1970, by this machine's clock.
    unix_us: u64,
}

/// `GET /v1/members`.
#[derive(Serialize)]
pub(crate) struct Members {
    /// The group's name; `null` without a `[cluster]`.
    group: Option<String>,
    joined: bool,
    synced: bool,
    me: Option<MemberName>,
    members: Vec<MemberView>,
}

#[derive(Serialize)]
struct MemberName {
    nodeid: u32,
    pid: u32,
}

#[derive(Serialize)]
struct MemberView {
    nodeid: u32,
    pid: u32,
    /// The servers that the member speaks for.
    eids: Vec<String>,
    /// As the member introduced itself; `null` if it has not.
    address: Option<String>,
    me: bool,
}

/// `GET /v1/states`.
#[derive(Serialize)]
pub(crate) struct States {
    states: Vec<DeviceView>,
    mailboxes: Vec<MailboxView>,
}

/// `GET /v1/states/{device}`.
#[derive(Serialize)]
pub(crate) struct DeviceView {
    device: String,
    /// What all servers together say, as Asterisk aggregates.
    aggregate: &'static str,
    states: Vec<StateView>,
}

#[derive(Serialize)]
struct StateView {
    eid: String,
    state: &'static str,
}

#[derive(Serialize)]
struct MailboxView {
    mailbox: String,
    counts: Vec<CountsView>,
}

#[derive(Serialize)]
struct CountsView {
    eid: String,
    new: u32,
    old: u32,
}

/// `GET /v1/stamps/{device}`.
#[derive(Serialize)]
pub(crate) struct Stamps {
    pub(crate) device: String,
    pub(crate) stamps: Vec<Stamp>,
}

/// `GET /v1/links`.
#[derive(Serialize)]
pub(crate) struct Links {
    links: Vec<LinkView>,
    /// The nodes in reach, this one first.
    nodes: Vec<NodeView>,
}

#[derive(Serialize)]
struct LinkView {
    link: String,
    up: bool,
    /// Where the peer is, while it is up.
    remote: Option<String>,
    /// `udp` (QUIC) or `tcp` (TLS).
    transport: &'static str,
    /// The way there and back, in microseconds.
    rtt_us: Option<u64>,
    /// How late the last state came over it, in microseconds, where the clocks allow to say so.
    lag_us: Option<u64>,
    /// How far the peer's clock is ahead, in microseconds.
    clock_offset_us: Option<i64>,
    /// States that wait to be told.
    queue: usize,
}

#[derive(Serialize)]
struct NodeView {
    node: String,
    site: String,
    /// The nodes that it is linked with, or in one group.
    neighbours: Vec<String>,
    /// The servers that it vouches for.
    servers: Vec<String>,
}

pub(crate) fn links(node: &Node, links: Option<&crate::links::Links>) -> Links {
    let us = |time: Duration| u64::try_from(time.as_micros()).ok();
    let view = |links: &crate::links::Links, (peer, name, status): (_, &str, link::LinkStatus)| LinkView {
        link: name.to_owned(),
        up: status.up,
        remote: status.remote.map(|remote| remote.to_string()),
        transport: status.transport.as_str(),
        rtt_us: status.rtt.and_then(us),
        lag_us: links.lag(peer).and_then(us),
        clock_offset_us: status.clock_offset_us,
        queue: node.link_queue(peer),
    };
    let views = links.into_iter().flat_map(|links| links.status().map(|status| view(links, status)));
    let texts = |eids: &[presence::Eid]| eids.iter().map(ToString::to_string).collect();
    let nodes = node.roster().map(|it| NodeView {
        node: it.node.to_string(),
        site: it.site.to_string(),
        neighbours: texts(&it.neighbours),
        servers: texts(&it.servers),
    });
    Links { links: views.collect(), nodes: nodes.collect() }
}

pub(crate) fn readiness(node: &Node, now: Duration, clustered: bool) -> Readiness {
    let in_group = node.membership().me().is_some();
    let synced = node.synced();
    let delivers = in_group && !node.stalled(now);
    let unix_us = now_us();
    Readiness { ready: !clustered || delivers && synced, in_group, synced, delivers, unix_us }
}

pub(crate) fn members(node: &Node, group: Option<&str>) -> Members {
    let membership = node.membership();
    let own_eid = node.eid();
    let members = membership.members().map(|(member, peer)| {
        let me = membership.me() == Some(member);
        let own = me.then(|| std::iter::once(own_eid).chain(node.own_eids()));
        MemberView {
            nodeid: member.nodeid,
            pid: member.pid,
            eids: membership
                .eids_of(member)
                .chain(own.into_iter().flatten())
                .map(|eid| eid.to_string())
                .collect(),
            address: peer.address.as_deref().map(str::to_owned),
            me,
        }
    });
    Members {
        group: group.map(str::to_owned),
        joined: membership.me().is_some(),
        synced: node.synced(),
        me: membership.me().map(|me| MemberName { nodeid: me.nodeid, pid: me.pid }),
        members: members.collect(),
    }
}

pub(crate) fn states(node: &Node) -> States {
    let states = node.states();
    let mailboxes = states.mailboxes().into_iter().map(|mailbox| MailboxView {
        mailbox: mailbox.to_string(),
        counts: states
            .of_mailbox(mailbox)
            .map(|(eid, counts)| CountsView { eid: eid.to_string(), new: counts.new, old: counts.old })
            .collect(),
    });
    States {
        states: states.devices().into_iter().filter_map(|device| view(node, device)).collect(),
        mailboxes: mailboxes.collect(),
    }
}

/// `None` when no server has a state for the device.
pub(crate) fn device(node: &Node, device: &str) -> Option<DeviceView> {
    view(node, &Device::new(device).ok()?)
}

fn view(node: &Node, device: &Device) -> Option<DeviceView> {
    let states = node.states();
    let aggregate = states.aggregate_of(device)?;
    let states = states
        .of_device(device)
        .map(|(eid, state)| StateView { eid: eid.to_string(), state: state.as_str() });
    Some(DeviceView { device: device.to_string(), aggregate: aggregate.as_str(), states: states.collect() })
}

//! Who is in the lab: names, addresses and identities that compose and the documentation promise.

/// How a server takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Stock `res_corosync`: a member of the group itself.
    Stock,
    /// No cluster module: PUBLISHes to a node and is PUBLISHed to.
    Published,
}

/// Where something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// The first site, which is always there.
    East,
    /// The other one, beyond the wan.
    West,
}

/// One Asterisk of the lab.
#[derive(Debug, PartialEq, Eq)]
pub struct ServerSpec {
    /// The compose service, which is also the name on the lab's network.
    pub name: &'static str,
    /// Its site.
    pub site: Site,
    /// The last number of its address.
    pub host: u8,
    /// Its entity id.
    pub eid: &'static str,
    /// How it takes part.
    pub kind: Kind,
    /// Its machine in the corosync ring, if it is there.
    pub nodeid: Option<u32>,
    /// The phones that register there.
    pub phones: [&'static str; 2],
}

/// One node of the lab.
#[derive(Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// The compose service.
    pub name: &'static str,
    /// Its site.
    pub site: Site,
    /// The last number of its address.
    pub host: u8,
    /// Its entity id.
    pub eid: &'static str,
    /// Its machine in the corosync ring.
    pub nodeid: u32,
    /// The server that it serves.
    pub serves: &'static str,
}

/// The servers of the first site, in the order in which they are shown.
pub const SERVERS: [ServerSpec; 4] = [
    ServerSpec {
        name: "east-pbx1",
        site: Site::East,
        host: 11,
        eid: "02:00:00:00:01:01",
        kind: Kind::Stock,
        nodeid: Some(1),
        phones: ["1001", "1002"],
    },
    ServerSpec {
        name: "east-pbx2",
        site: Site::East,
        host: 12,
        eid: "02:00:00:00:01:02",
        kind: Kind::Stock,
        nodeid: Some(2),
        phones: ["1003", "1004"],
    },
    ServerSpec {
        name: "east-pbx3",
        site: Site::East,
        host: 13,
        eid: "02:00:00:00:01:03",
        kind: Kind::Published,
        nodeid: None,
        phones: ["1005", "1006"],
    },
    ServerSpec {
        name: "east-pbx4",
        site: Site::East,
        host: 14,
        eid: "02:00:00:00:01:04",
        kind: Kind::Published,
        nodeid: None,
        phones: ["1007", "1008"],
    },
];

/// The nodes of the first site.
pub const NODES: [NodeSpec; 2] = [
    NodeSpec {
        name: "east-node1",
        site: Site::East,
        host: 21,
        eid: "02:00:00:00:01:21",
        nodeid: 21,
        serves: "east-pbx3",
    },
    NodeSpec {
        name: "east-node2",
        site: Site::East,
        host: 22,
        eid: "02:00:00:00:01:22",
        nodeid: 22,
        serves: "east-pbx4",
    },
];

/// The servers of the other site.
pub const WEST_SERVERS: [ServerSpec; 2] = [
    ServerSpec {
        name: "west-pbx1",
        site: Site::West,
        host: 11,
        eid: "02:00:00:00:02:01",
        kind: Kind::Published,
        nodeid: None,
        phones: ["2001", "2002"],
    },
    ServerSpec {
        name: "west-pbx2",
        site: Site::West,
        host: 12,
        eid: "02:00:00:00:02:02",
        kind: Kind::Published,
        nodeid: None,
        phones: ["2003", "2004"],
    },
];

/// The nodes of the other site.
pub const WEST_NODES: [NodeSpec; 2] = [
    NodeSpec {
        name: "west-node1",
        site: Site::West,
        host: 21,
        eid: "02:00:00:00:02:21",
        nodeid: 31,
        serves: "west-pbx1",
    },
    NodeSpec {
        name: "west-node2",
        site: Site::West,
        host: 22,
        eid: "02:00:00:00:02:22",
        nodeid: 32,
        serves: "west-pbx2",
    },
];

/// What a cable cuts off as one: a server or a node, with its corosync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The compose service of its server or node.
    pub name: &'static str,
    /// The last number of its address.
    pub host: u8,
    /// Its place in the corosync ring; `None` without a corosync of its own.
    pub nodeid: Option<u32>,
}

impl Machine {
    /// All of the first site.
    pub fn all() -> impl Iterator<Item = Self> {
        let server = |spec: &ServerSpec| Self { name: spec.name, host: spec.host, nodeid: spec.nodeid };
        let node = |spec: &NodeSpec| Self { name: spec.name, host: spec.host, nodeid: Some(spec.nodeid) };
        SERVERS.iter().map(server).chain(NODES.iter().map(node))
    }

    /// The machine of this name; the site may be left out (`pbx1`).
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|machine| is_named(machine.name, name))
    }

    /// The compose service that owns its network.
    pub fn network(&self) -> String {
        self.nodeid.map_or_else(|| self.name.to_owned(), |_| format!("{}-host", self.name))
    }

    /// The compose service of its corosync.
    pub fn corosync(&self) -> Option<String> {
        self.nodeid.map(|_| format!("{}-corosync", self.name))
    }
}

/// The server of this name; the site may be left out (`pbx1`).
pub fn server(name: &str) -> Option<&'static ServerSpec> {
    SERVERS.iter().chain(&WEST_SERVERS).find(|server| is_named(server.name, name))
}

fn is_named(full: &str, name: &str) -> bool {
    full == name || full.strip_prefix("east-") == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_found_with_and_without_its_site() {
        assert_eq!(server("pbx3"), server("east-pbx3"));
        assert_eq!(server("pbx3").map(|found| found.host), Some(13));
        assert_eq!(server("west-pbx1").map(|found| found.site), Some(Site::West));
        assert_eq!(server("pbx9"), None);
    }

    #[test]
    fn a_machine_in_the_ring_has_a_corosync_and_a_network_of_its_own() {
        let node = Machine::named("node2").unwrap();
        assert_eq!((node.host, node.network().as_str()), (22, "east-node2-host"));
        assert_eq!(node.corosync().as_deref(), Some("east-node2-corosync"));
        let pbx = Machine::named("east-pbx4").unwrap();
        assert_eq!((pbx.network().as_str(), pbx.corosync()), ("east-pbx4", None));
        assert_eq!(Machine::all().count(), SERVERS.len() + NODES.len());
    }
}

//! Who is in the lab: names, addresses and identities that compose and the documentation promise.

/// How a server takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Stock `res_corosync`: a member of the group itself.
    Stock,
    /// No cluster module: PUBLISHes to a node and is PUBLISHed to.
    Published,
}

/// One Asterisk of the lab.
#[derive(Debug, PartialEq, Eq)]
pub struct ServerSpec {
    /// The compose service, which is also the name on the lab's network.
    pub name: &'static str,
    /// The last number of its address.
    pub host: u8,
    /// Its entity id.
    pub eid: &'static str,
    /// How it takes part.
    pub kind: Kind,
    /// The phones that register there.
    pub phones: [&'static str; 2],
}

/// One node of the lab.
#[derive(Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// The compose service.
    pub name: &'static str,
    /// The last number of its address.
    pub host: u8,
    /// Its entity id.
    pub eid: &'static str,
    /// The server that it serves.
    pub serves: &'static str,
}

/// The servers, in the order in which they are shown.
pub const SERVERS: [ServerSpec; 4] = [
    ServerSpec {
        name: "east-pbx1",
        host: 11,
        eid: "02:00:00:00:01:01",
        kind: Kind::Stock,
        phones: ["1001", "1002"],
    },
    ServerSpec {
        name: "east-pbx2",
        host: 12,
        eid: "02:00:00:00:01:02",
        kind: Kind::Stock,
        phones: ["1003", "1004"],
    },
    ServerSpec {
        name: "east-pbx3",
        host: 13,
        eid: "02:00:00:00:01:03",
        kind: Kind::Published,
        phones: ["1005", "1006"],
    },
    ServerSpec {
        name: "east-pbx4",
        host: 14,
        eid: "02:00:00:00:01:04",
        kind: Kind::Published,
        phones: ["1007", "1008"],
    },
];

/// The nodes.
pub const NODES: [NodeSpec; 2] = [
    NodeSpec { name: "east-node1", host: 21, eid: "02:00:00:00:01:21", serves: "east-pbx3" },
    NodeSpec { name: "east-node2", host: 22, eid: "02:00:00:00:01:22", serves: "east-pbx4" },
];

/// The server of this name; the site may be left out (`pbx1`).
pub fn server(name: &str) -> Option<&'static ServerSpec> {
    SERVERS.iter().find(|server| server.name == name || server.name.strip_prefix("east-") == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_found_with_and_without_its_site() {
        assert_eq!(server("pbx3"), server("east-pbx3"));
        assert_eq!(server("pbx3").map(|found| found.host), Some(13));
        assert_eq!(server("pbx9"), None);
    }
}

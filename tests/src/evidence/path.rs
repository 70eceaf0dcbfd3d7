//! The ways that are measured, and the devices that belong to each.

/// How the lab has to be while a path is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// The node containers of the first site run.
    Nodes,
    /// They are stopped.
    NoNodes,
    /// They run, and a datagram takes so many milliseconds from site to site.
    Wan(u32),
}

/// One way through the lab.
pub(super) struct Path {
    /// Stands in the names of its devices; letters only.
    pub(super) tag: &'static str,
    /// In tables and plots.
    pub(super) name: &'static str,
    /// In words.
    pub(super) way: &'static str,
    pub(super) from: &'static str,
    pub(super) to: &'static str,
    pub(super) setting: Setting,
}

/// So many devices of each path have a hint, and a phone that watches it.
pub(super) const LAMPS: u32 = 100;

pub(super) static PATHS: [Path; 13] = [
    Path {
        tag: "one",
        name: "one server",
        way: "east-pbx1 alone: set over AMI, seen at the same server. What the harness and one Asterisk cost",
        from: "east-pbx1",
        to: "east-pbx1",
        setting: Setting::Nodes,
    },
    Path {
        tag: "stock",
        name: "stock → stock",
        way: "east-pbx1 to east-pbx2 by res_corosync, the node containers stopped",
        from: "east-pbx1",
        to: "east-pbx2",
        setting: Setting::NoNodes,
    },
    Path {
        tag: "beside",
        name: "stock → stock, nodes there",
        way: "the same while two nodes are members of the group",
        from: "east-pbx1",
        to: "east-pbx2",
        setting: Setting::Nodes,
    },
    Path {
        tag: "in",
        name: "stock → node → unmodified",
        way: "east-pbx1 by res_corosync to east-node1, which PUBLISHes to east-pbx3",
        from: "east-pbx1",
        to: "east-pbx3",
        setting: Setting::Nodes,
    },
    Path {
        tag: "out",
        name: "unmodified → node → stock",
        way: "east-pbx3 PUBLISHes to east-node1, which tells east-pbx1 on the group",
        from: "east-pbx3",
        to: "east-pbx1",
        setting: Setting::Nodes,
    },
    Path {
        tag: "two",
        name: "unmodified → node → node → unmodified",
        way: "east-pbx3 PUBLISHes to east-node1, on the group to east-node2, which PUBLISHes to east-pbx4 (digest)",
        from: "east-pbx3",
        to: "east-pbx4",
        setting: Setting::Nodes,
    },
    Path {
        tag: "direct",
        name: "direct PUBLISH",
        way: "two more servers, direct1 and direct2, that PUBLISH to each other: stock Asterisk without corosync and without us",
        from: "direct1",
        to: "direct2",
        setting: Setting::Nodes,
    },
    Path {
        tag: "zeroout",
        name: "stock → link → unmodified, 0 ms",
        way: "east-pbx1 by res_corosync to east's nodes, over a link to west's, which PUBLISH to west-pbx1; the wan takes 0 ms",
        from: "east-pbx1",
        to: "west-pbx1",
        setting: Setting::Wan(0),
    },
    Path {
        tag: "zeroin",
        name: "unmodified → link → stock, 0 ms",
        way: "west-pbx1 PUBLISHes to west-node1, over a link to east's nodes, which tell east-pbx1 on the group; the wan takes 0 ms",
        from: "west-pbx1",
        to: "east-pbx1",
        setting: Setting::Wan(0),
    },
    Path {
        tag: "fortyout",
        name: "stock → link → unmodified, 40 ms",
        way: "the same; the wan takes 40 ms one way",
        from: "east-pbx1",
        to: "west-pbx1",
        setting: Setting::Wan(40),
    },
    Path {
        tag: "fortyin",
        name: "unmodified → link → stock, 40 ms",
        way: "the same; the wan takes 40 ms one way",
        from: "west-pbx1",
        to: "east-pbx1",
        setting: Setting::Wan(40),
    },
    Path {
        tag: "farout",
        name: "stock → link → unmodified, 150 ms",
        way: "the same; the wan takes 150 ms one way",
        from: "east-pbx1",
        to: "west-pbx1",
        setting: Setting::Wan(150),
    },
    Path {
        tag: "farin",
        name: "unmodified → link → stock, 150 ms",
        way: "the same; the wan takes 150 ms one way",
        from: "west-pbx1",
        to: "east-pbx1",
        setting: Setting::Wan(150),
    },
];

/// Devices from this number on are of a burst, and common to all paths: servers keep what they were ever told, and nodes tell all
/// of it to a server that comes back, so that many more of them would be a measurement of its own.
pub(super) const OWN_DEVICES: u32 = 250;

const COMMON: &str = "burst";
const DEVICE: &str = "Custom:latency-";
const EXTEN: &str = "latency";

impl Path {
    pub(super) fn device(&self, n: u32) -> String {
        format!("{DEVICE}{}-{n}", if n < OWN_DEVICES { self.tag } else { COMMON })
    }

    /// The extension with the hint. Without dashes, which a dialplan ignores.
    pub(super) fn exten(&self, n: u32) -> String {
        format!("{EXTEN}{}{n}", self.tag)
    }
}

/// Path and number of a device of ours; no path where it is common to all.
pub(super) fn parse_device(device: &[u8]) -> Option<(Option<usize>, u32)> {
    let (tag, n) = std::str::from_utf8(device).ok()?.strip_prefix(DEVICE)?.split_once('-')?;
    let path = if tag == COMMON { None } else { Some(position(tag)?) };
    Some((path, n.parse().ok()?))
}

/// Path and number of a hint of ours.
pub(super) fn parse_exten(exten: &str) -> Option<(usize, u32)> {
    let rest = exten.strip_prefix(EXTEN)?;
    let (tag, n) = rest.split_at(rest.find(|letter: char| letter.is_ascii_digit())?);
    Some((position(tag)?, n.parse().ok()?))
}

/// What AMI is to show of one server: the devices of the paths that begin or end there, and nothing else.
pub(super) fn filter(server: &str) -> String {
    let mine = PATHS.iter().filter(|path| path.from == server || path.to == server);
    let tags: Vec<&str> = mine.map(|path| path.tag).chain([COMMON]).collect();
    format!("Device: {DEVICE}({})-", tags.join("|"))
}

fn position(tag: &str) -> Option<usize> {
    PATHS.iter().position(|path| path.tag == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_and_its_hint_name_their_path_and_number() {
        for (index, path) in PATHS.iter().enumerate() {
            assert!(path.tag.chars().all(|letter| letter.is_ascii_lowercase()));
            assert_eq!(parse_device(path.device(17).as_bytes()), Some((Some(index), 17)));
            assert_eq!(parse_device(path.device(OWN_DEVICES).as_bytes()), Some((None, OWN_DEVICES)));
            assert_eq!(parse_exten(&path.exten(17)), Some((index, 17)));
        }
        for strange in ["Custom:latency-in-", "Custom:latency-none-1", "Custom:lamp", "latency-in-1"] {
            assert_eq!(parse_device(strange.as_bytes()), None);
        }
        assert_eq!(parse_exten("latencyin"), None);
    }

    #[test]
    fn a_server_shows_only_its_own_paths() {
        assert_eq!(filter("east-pbx4"), "Device: Custom:latency-(two|burst)-");
        assert_eq!(filter("east-pbx2"), "Device: Custom:latency-(stock|beside|burst)-");
    }
}

//! Where on its way a canary stopped, by what was seen of it and by the nodes' own stamps.

use crate::place::{At, NodeId, Place, ServerId};
use crate::propagation::Reached;
use std::collections::BTreeSet;

/// A stretch of the way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Hop {
    /// The server that was told did not show it itself.
    Origin,
    /// From the server to its node.
    PublishIn,
    /// From node to node, server to server or between them in the corosync group.
    Bus,
    /// From site to site.
    Link,
    /// From the node to the server that should show it.
    PublishOut,
    /// From the device's state to the hint.
    Hint,
    /// From the hint to the phone.
    Notify,
    /// A node that should know did not answer.
    Unknown,
}

impl Hop {
    pub(crate) const ALL: [Self; 8] = [
        Self::Origin,
        Self::PublishIn,
        Self::Bus,
        Self::Link,
        Self::PublishOut,
        Self::Hint,
        Self::Notify,
        Self::Unknown,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::PublishIn => "publish_in",
            Self::Bus => "bus",
            Self::Link => "link",
            Self::PublishOut => "publish_out",
            Self::Hint => "hint",
            Self::Notify => "notify",
            Self::Unknown => "unknown",
        }
    }
}

/// The nodes between two servers; a server without one is in the group itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Route {
    pub(crate) origin: Option<NodeId>,
    pub(crate) target: Option<NodeId>,
    /// Set when the servers are at different sites.
    pub(crate) across: Option<Across>,
}

/// The nodes through which a state may go from one site to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Across {
    /// At the site of the origin.
    pub(crate) near: Vec<NodeId>,
    /// At the site of the target.
    pub(crate) far: Vec<NodeId>,
}

impl Route {
    /// The nodes that may know of a state on its way; within a site it passes each of them.
    pub(crate) fn nodes(&self) -> BTreeSet<NodeId> {
        let serving = self.origin.into_iter().chain(self.target);
        let across = self.across.iter().flat_map(|across| across.near.iter().chain(&across.far));
        serving.chain(across.copied()).collect()
    }
}

/// Which stamps a node has of a canary, or of a later one of the same device.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Passed {
    /// A server's PUBLISH.
    pub(crate) received: bool,
    /// To the group.
    pub(crate) sent: bool,
    /// From the group.
    pub(crate) heard: bool,
    /// From another site.
    pub(crate) linked: bool,
}

/// The hop by what was seen alone, where that is enough.
pub(crate) fn seen(origin: ServerId, place: Place, reached: Reached, route: &Route) -> Option<Hop> {
    if !reached.origin {
        return Some(Hop::Origin);
    }
    if reached.ami || place.server == origin && place.at != At::Ami {
        return Some(if reached.hint { Hop::Notify } else { Hop::Hint });
    }
    route.nodes().is_empty().then_some(if route.across.is_some() { Hop::Unknown } else { Hop::Bus })
}

/// The hop between two servers; `passed` gives a node's stamps, or nothing where it did not answer.
pub(crate) fn stamped(route: &Route, passed: impl Fn(NodeId) -> Option<Passed>) -> Hop {
    if let Some(across) = &route.across {
        return stamped_across(route, across, passed);
    }
    if let Some(origin) = route.origin {
        let Some(passed) = passed(origin) else { return Hop::Unknown };
        if !passed.received {
            return Hop::PublishIn;
        }
        if route.target == route.origin {
            return Hop::PublishOut;
        }
        if !passed.sent {
            return Hop::Bus;
        }
    }
    let Some(target) = route.target else { return Hop::Bus };
    match passed(target) {
        None => Hop::Unknown,
        Some(passed) if !passed.heard => Hop::Bus,
        Some(_) => Hop::PublishOut,
    }
}

/// The hop between servers at different sites. Which node of a site took a state over does not matter.
fn stamped_across(route: &Route, across: &Across, passed: impl Fn(NodeId) -> Option<Passed>) -> Hop {
    let silent = |nodes: &[NodeId]| nodes.iter().any(|node| passed(*node).is_none());
    let any =
        |nodes: &[NodeId], has: fn(Passed) -> bool| nodes.iter().filter_map(|node| passed(*node)).any(has);
    if any(&across.far, |there| there.linked) {
        return match route.target.map(&passed) {
            Some(None) => Hop::Unknown,
            Some(Some(there)) if there.linked || there.heard => Hop::PublishOut,
            Some(Some(_)) | None => Hop::Bus,
        };
    }
    if any(&across.near, |here| here.received || here.heard) {
        return if silent(&across.far) { Hop::Unknown } else { Hop::Link };
    }
    match route.origin {
        _ if silent(&across.near) => Hop::Unknown,
        Some(_) => Hop::PublishIn,
        None => Hop::Bus,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE_1: Option<NodeId> = Some(NodeId(1));
    const NODE_2: Option<NodeId> = Some(NodeId(2));

    #[test]
    fn what_was_seen_names_the_hop_where_it_can() {
        let stock = Route { origin: None, target: None, across: None };
        let lamp = Place { server: ServerId(1), at: At::Lamp };
        let ami = Place { server: ServerId(1), at: At::Ami };
        let reached = |origin, ami, hint| Reached { origin, ami, hint };
        let hop = |place, reached| seen(ServerId(0), place, reached, &stock);
        assert_eq!(hop(ami, reached(false, false, false)), Some(Hop::Origin));
        assert_eq!(hop(ami, reached(true, false, false)), Some(Hop::Bus));
        assert_eq!(hop(lamp, reached(true, true, false)), Some(Hop::Hint));
        assert_eq!(hop(lamp, reached(true, true, true)), Some(Hop::Notify));
        let route = Route { origin: NODE_1, ..stock.clone() };
        assert_eq!(seen(ServerId(0), ami, reached(true, false, false), &route), None);
    }

    #[test]
    fn each_missing_stamp_names_its_hop() {
        let all = Passed { received: true, sent: true, heard: true, linked: false };
        let cases = [
            (NODE_1, NODE_2, Some(Passed { received: false, ..all }), Some(all), Hop::PublishIn),
            (NODE_1, NODE_2, Some(Passed { sent: false, ..all }), Some(all), Hop::Bus),
            (NODE_1, NODE_2, Some(all), Some(Passed { heard: false, ..all }), Hop::Bus),
            (NODE_1, NODE_2, Some(all), Some(all), Hop::PublishOut),
            (NODE_1, NODE_2, None, Some(all), Hop::Unknown),
            (NODE_1, NODE_2, Some(all), None, Hop::Unknown),
            (NODE_1, NODE_1, Some(Passed { sent: false, heard: false, ..all }), None, Hop::PublishOut),
            (NODE_1, None, Some(all), None, Hop::Bus),
            (None, NODE_2, None, Some(all), Hop::PublishOut),
            (None, NODE_2, None, Some(Passed { heard: false, ..all }), Hop::Bus),
        ];
        for (origin, target, of_1, of_2, hop) in cases {
            let stamps = |node| if node == NodeId(1) { of_1 } else { of_2 };
            assert_eq!(
                stamped(&Route { origin, target, across: None }, stamps),
                hop,
                "{origin:?} {target:?} {of_1:?} {of_2:?}"
            );
        }
    }

    /// Nodes 1 and 2 are at the origin's site, 3 and 4 at the target's.
    #[test]
    fn each_missing_stamp_names_its_hop_between_sites() {
        const NODE_4: Option<NodeId> = Some(NodeId(4));
        let none = Passed::default();
        let here = Some(Passed { received: true, sent: true, ..none });
        let told = Some(Passed { heard: true, ..none });
        let over = Some(Passed { linked: true, ..none });
        let cases = [
            (NODE_1, NODE_4, [Some(none), Some(none), Some(none), Some(none)], Hop::PublishIn),
            (None, NODE_4, [Some(none), Some(none), Some(none), Some(none)], Hop::Bus),
            (None, NODE_4, [Some(none), None, Some(none), Some(none)], Hop::Unknown),
            (NODE_1, NODE_4, [here, told, Some(none), Some(none)], Hop::Link),
            (None, None, [Some(none), told, Some(none), Some(none)], Hop::Link),
            (NODE_1, NODE_4, [here, told, None, Some(none)], Hop::Unknown),
            (NODE_1, NODE_4, [here, told, over, Some(none)], Hop::Bus),
            (NODE_1, NODE_4, [here, told, over, told], Hop::PublishOut),
            (NODE_1, NODE_4, [None, None, Some(none), over], Hop::PublishOut),
            (NODE_1, NODE_4, [here, told, over, None], Hop::Unknown),
            (NODE_1, None, [here, told, over, Some(none)], Hop::Bus),
        ];
        for (origin, target, stamps, hop) in cases {
            let (near, far) = (vec![NodeId(1), NodeId(2)], vec![NodeId(3), NodeId(4)]);
            let route = Route { origin, target, across: Some(Across { near, far }) };
            assert_eq!(stamped(&route, |node| stamps[node.0 - 1]), hop, "{origin:?} {target:?} {stamps:?}");
        }
    }
}

//! Links between nodes of different sites, as `crates/link` gives them to a node: while a connection is up, what is sent on it arrives whole
//! and in order, late, and as fast as the link is; a packet that is lost or overtaken only makes the rest wait, and one that comes twice
//! is not seen at all. Both ends see it come and go, each in its time.

use crate::shell::Site;
use crate::wide::Wide;
use presence::Member;
use presence::link::PeerId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// All links of a run, and which site everybody is in.
pub(crate) struct Wan {
    pub(crate) sites: usize,
    pub(crate) hold: Duration,
    pub(crate) lines: Vec<Line>,
    /// The site of each node.
    nodes: Vec<usize>,
    /// The site of each machine.
    machines: BTreeMap<u32, usize>,
    /// The nodes that each node can hear of, by whatever way; see `world/links.rs`.
    pub(crate) reach: Vec<BTreeSet<usize>>,
    /// The line on which nothing has just ceased to get through, and for how long.
    pub(crate) spoilt: Option<(usize, Duration)>,
}

/// One link.
pub(crate) struct Line {
    pub(crate) ends: [End; 2],
    /// What each end sends.
    pub(crate) flows: [Flow; 2],
    /// Names the connection.
    pub(crate) number: u64,
    /// It is being made.
    pub(crate) pending: bool,
    /// When the next attempt to make one is due.
    pub(crate) dial_at: Duration,
    /// Nothing gets through.
    pub(crate) cut: bool,
    pub(crate) slow: bool,
    /// Names what is wrong with it.
    pub(crate) fault: u64,
}

/// One end of a link.
pub(crate) struct End {
    pub(crate) node: usize,
    pub(crate) peer: PeerId,
    /// There is a connection, as it sees it.
    pub(crate) open: bool,
    pub(crate) heard_at: Duration,
}

/// One direction of a connection.
#[derive(Default)]
pub(crate) struct Flow {
    /// Until then the link is busy with what was sent.
    pub(crate) busy_until: Duration,
    /// When the last of it arrives.
    pub(crate) last_at: Duration,
    /// Bytes that have not arrived.
    pub(crate) under_way: usize,
    /// What could not get through.
    pub(crate) held: VecDeque<Rc<[u8]>>,
}

impl Flow {
    /// Bytes that may be under way.
    pub(crate) const WINDOW: usize = 32_768;
}

impl Wan {
    pub(crate) fn new(wide: &Wide, members: &[Member], stock: usize, nodes: usize) -> Self {
        let site = |sites: &[usize], place: usize| sites.get(place).copied().unwrap_or(0);
        let of_member = |place: usize| match place.checked_sub(stock) {
            None => site(&wide.stock, place),
            Some(node) => site(&wide.nodes, node),
        };
        let mut peers = vec![0; nodes];
        let mut end = |node: usize| {
            let peer = PeerId(peers[node]);
            peers[node] += 1;
            End { node, peer, open: false, heard_at: Duration::ZERO }
        };
        let line = |(from, to): &(usize, usize)| Line {
            ends: [end(*from), end(*to)],
            flows: Default::default(),
            number: 0,
            pending: false,
            dial_at: Duration::ZERO,
            cut: false,
            slow: false,
            fault: 0,
        };
        Self {
            sites: wide.sites,
            hold: wide.hold,
            lines: wide.links.iter().map(line).collect(),
            nodes: (0..nodes).map(|node| site(&wide.nodes, node)).collect(),
            machines: members
                .iter()
                .enumerate()
                .map(|(place, member)| (member.nodeid, of_member(place)))
                .collect(),
            reach: vec![BTreeSet::new(); nodes],
            spoilt: None,
        }
    }

    /// Where a node stands.
    pub(crate) fn site_of_node(&self, node: usize) -> Site {
        Site { number: self.nodes[node], peers: self.ends_of(node).len(), hold: self.hold }
    }

    /// The site of a machine. Strangers have one of their own, unless there is but one.
    pub(crate) fn site_of_machine(&self, nodeid: u32) -> u32 {
        let alone = if self.sites > 1 { self.sites } else { 0 };
        let site = self.machines.get(&nodeid).copied().unwrap_or(alone);
        u32::try_from(site).unwrap_or(u32::MAX)
    }

    /// The lines of a node, and which end it has.
    pub(crate) fn ends_of(&self, node: usize) -> Vec<(usize, usize)> {
        let lines = self.lines.iter().enumerate();
        let ends = lines.flat_map(|(line, it)| (0..2).map(move |end| (line, end, it.ends[end].node)));
        ends.filter(|(.., whose)| *whose == node).map(|(line, end, _)| (line, end)).collect()
    }
}

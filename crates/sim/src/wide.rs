//! What a seed chooses of the wide world: sites, who is where, and who is linked with whom.

use crate::random::Random;
use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

/// The sites of a run; by default one, without links.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Wide {
    pub(crate) sites: usize,
    /// The site of each stock server, and of each node.
    pub(crate) stock: Vec<usize>,
    pub(crate) nodes: Vec<usize>,
    /// How many servers each node has.
    pub(crate) served: Vec<usize>,
    /// Pairs of nodes.
    pub(crate) links: Vec<(usize, usize)>,
    /// One way.
    pub(crate) delay: Range<Duration>,
    /// How often a frame has to be sent again by the transport.
    pub(crate) loss: f64,
    pub(crate) bytes_per_second: u32,
    pub(crate) hold: Duration,
}

/// How sites are linked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Graph {
    /// Each with the next one.
    Chain,
    /// All with the first one.
    Star,
    /// A chain whose ends are linked.
    Ring,
    /// Each with all.
    Mesh,
    /// Each with one of those before it, and one link more.
    Random,
}

impl Graph {
    /// Every graph.
    pub const ALL: [Self; 5] = [Self::Chain, Self::Star, Self::Ring, Self::Mesh, Self::Random];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Star => "star",
            Self::Ring => "ring",
            Self::Mesh => "mesh",
            Self::Random => "random",
        }
    }
}

impl Default for Wide {
    fn default() -> Self {
        Self {
            sites: 1,
            stock: Vec::new(),
            nodes: Vec::new(),
            served: Vec::new(),
            links: Vec::new(),
            delay: Duration::ZERO..Duration::ZERO,
            loss: 0.0,
            bytes_per_second: 1,
            hold: presence::HOLD,
        }
    }
}

impl Wide {
    /// Draws all.
    pub(crate) fn draw(random: &mut Random) -> Self {
        let sites = random.pick(&[2, 2, 3, 3, 4, 5]);
        let (mut stock, mut nodes, mut served) = (Vec::new(), Vec::new(), Vec::new());
        for site in 0..sites {
            let with_module = random.pick(&[0, 1, 1, 2]);
            let first = nodes.len();
            for _ in 0..random.pick(&[1, 1, 2]) {
                nodes.push(site);
                served.push(random.pick(&[0, 1, 1]));
            }
            if with_module + served[first..].iter().sum::<usize>() == 0 {
                served[first] = 1;
            }
            stock.extend((0..with_module).map(|_| site));
        }
        let links = links(random, sites, &nodes);
        let millis = |from, to| Duration::from_millis(from)..Duration::from_millis(to);
        Self {
            sites,
            stock,
            nodes,
            served,
            links,
            delay: random.pick_range(&[millis(1, 3), millis(5, 25), millis(40, 60), millis(100, 300)]),
            loss: random.pick(&[0.0, 0.005, 0.05, 0.2]),
            bytes_per_second: random.pick(&[20_000, 200_000, 2_500_000]),
            hold: Duration::from_secs(random.pick(&[3, 5, 15])),
        }
    }
}

fn links(random: &mut Random, sites: usize, nodes: &[usize]) -> Vec<(usize, usize)> {
    let graph = random.pick(&Graph::ALL);
    let ways = random.pick(&[1, 1, 2, 4]);
    let mut links = BTreeSet::new();
    for (one, other) in edges(random, graph, sites) {
        let at = |site: usize| (0..nodes.len()).filter(move |node| nodes[*node] == site).collect::<Vec<_>>();
        for _ in 0..ways {
            let (from, to) = (random.pick(&at(one)), random.pick(&at(other)));
            links.insert((from.min(to), from.max(to)));
        }
    }
    links.into_iter().collect()
}

/// Pairs of sites.
pub(crate) fn edges(random: &mut Random, graph: Graph, sites: usize) -> BTreeSet<(usize, usize)> {
    let mut edges: BTreeSet<(usize, usize)> = match graph {
        Graph::Chain | Graph::Ring => (1..sites).map(|site| (site - 1, site)).collect(),
        Graph::Star => (1..sites).map(|site| (0, site)).collect(),
        Graph::Mesh => (0..sites).flat_map(|one| (one + 1..sites).map(move |other| (one, other))).collect(),
        Graph::Random => (1..sites).map(|site| (random.number(0..site), site)).collect(),
    };
    if graph == Graph::Ring {
        edges.insert((0, sites - 1));
    }
    if graph == Graph::Random {
        let (one, other) = (random.number(0..sites), random.number(0..sites));
        edges.insert((one.min(other), one.max(other)));
        edges.retain(|(one, other)| one != other);
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_site_has_a_node_and_a_server_and_a_way_to_every_other() {
        for seed in 0..200 {
            let wide = Wide::draw(&mut Random::new(seed));
            let mut reached = BTreeSet::from([0]);
            for _ in 0..wide.sites {
                for (from, to) in &wide.links {
                    let (from, to) = (wide.nodes[*from], wide.nodes[*to]);
                    assert_ne!(from, to);
                    if reached.contains(&from) || reached.contains(&to) {
                        reached.extend([from, to]);
                    }
                }
            }
            assert_eq!(reached.len(), wide.sites);
        }
    }
}

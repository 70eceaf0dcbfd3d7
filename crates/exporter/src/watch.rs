//! All that is decided: reports of servers and phones in, measurements and commands out. No clock, no socket.

use crate::canary::{self, Canaries, Loss, PREFIX, Stamp};
use crate::config;
use crate::disagreement::Disagreements;
use crate::hop::{Across, Hop, Route};
use crate::place::{At, Look, NodeId, Place, ServerId, SiteId, has_opinion};
use crate::propagation::{Change, Fate, Finding, Kind, Propagation, Sight};
use crate::views::{DEVICES_MAX, Refused, Views};
use asterisk::ami::HintStatus;
use asterisk::lamp::LampState;
use presence::DeviceState;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Timers are so inexact at most; a canary that is sent later than this is measured from when it was due.
const TIMER_LATENESS_MAX: Duration = Duration::from_millis(5);
/// Hints of one server that are known.
const HINTS_MAX: usize = DEVICES_MAX;

/// What is to be done or to be counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Effect {
    /// Give a device of ours this state at the server.
    Set { server: ServerId, device: Arc<str>, state: DeviceState },
    /// Ask the node for its stamps, and say [`Watch::stamps`] in any case.
    Ask { node: NodeId, server: ServerId, device: Arc<str> },
    /// A change was seen at another place.
    Seen { change: Change, place: Place, latency: Duration },
    /// A change was not seen where it should have been.
    Missed { change: Change, place: Place, fate: Fate },
    /// A canary was lost, and where.
    CanaryLost { origin: ServerId, target: ServerId, hop: Hop },
    /// So many of a server were dropped.
    Dropped { server: ServerId, reason: Dropped, count: u64 },
}

/// Why something was dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Dropped {
    /// An event without a valid device, state or hint.
    Malformed,
    /// A device's name is longer than any of Asterisk's.
    LongName,
    /// There are more devices or hints than the exporter follows.
    TableFull,
    /// There are more changes under way than the exporter follows.
    ChangesFull,
    /// A NOTIFY without a lamp in it, or from nobody.
    Lamp,
    /// A canary whose time had passed before it could be sent.
    CanaryLate,
    /// A canary that the server did not take.
    CanaryRefused,
    /// The server tells more than can be followed; the connection was closed.
    Flood,
}

impl Dropped {
    pub(crate) const ALL: [Self; 8] = [
        Self::Malformed,
        Self::LongName,
        Self::TableFull,
        Self::ChangesFull,
        Self::Lamp,
        Self::CanaryLate,
        Self::CanaryRefused,
        Self::Flood,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::LongName => "long_name",
            Self::TableFull => "table_full",
            Self::ChangesFull => "changes_full",
            Self::Lamp => "lamp",
            Self::CanaryLate => "canary_late",
            Self::CanaryRefused => "canary_refused",
            Self::Flood => "flood",
        }
    }
}

/// What is watched, and all that is known of it.
pub(crate) struct Watch {
    servers: Vec<Server>,
    /// The site of each node.
    nodes: Vec<SiteId>,
    views: Views,
    propagation: Propagation,
    disagreements: Disagreements,
    canaries: Canaries,
    effects: VecDeque<Effect>,
}

/// What is known of a server beside the states that it shows.
struct Server {
    site: SiteId,
    node: Option<NodeId>,
    /// The devices that the list under way has told; nothing when no list is.
    listing: Option<BTreeSet<Arc<str>>>,
    /// The one device that each extension's hint follows.
    hints: BTreeMap<String, Arc<str>>,
    /// The lamps that are subscribed and what they show.
    lamps: BTreeMap<String, LampState>,
}

/// A server of the configuration.
pub(crate) struct ServerConfig<'a> {
    pub(crate) name: &'a str,
    /// The name of its site.
    pub(crate) site: &'a str,
    /// The node that serves it; a server in the group itself has none.
    pub(crate) node: Option<NodeId>,
}

impl Server {
    fn new(site: SiteId, node: Option<NodeId>) -> Self {
        Self { site, node, listing: None, hints: BTreeMap::new(), lamps: BTreeMap::new() }
    }
}

impl Watch {
    /// Knows nothing yet. `nodes` has the site of each node.
    pub(crate) fn new(
        servers: &[ServerConfig<'_>],
        nodes: &[&str],
        canary: config::Canary,
        start: Duration,
    ) -> Self {
        let sites: BTreeSet<&str> =
            servers.iter().map(|server| server.site).chain(nodes.iter().copied()).collect();
        let site = |name: &str| SiteId(sites.iter().take_while(|site| **site < name).count());
        Self {
            servers: servers.iter().map(|server| Server::new(site(server.site), server.node)).collect(),
            nodes: nodes.iter().copied().map(site).collect(),
            views: Views::default(),
            propagation: Propagation::default(),
            disagreements: Disagreements::default(),
            canaries: Canaries::new(servers.iter().map(|server| server.name), canary, start),
            effects: VecDeque::new(),
        }
    }

    /// A server begins to tell all states that it has.
    pub(crate) fn list_began(&mut self, server: ServerId) {
        self.servers[server.0].listing = Some(BTreeSet::new());
    }

    /// A server has told all states that it has; what it did not tell, it does not have.
    pub(crate) fn list_ended(&mut self, server: ServerId, now: Duration) {
        let listed = self.servers[server.0].listing.take().unwrap_or_default();
        let ami = Place { server, at: At::Ami };
        let vanished = self.views.forget(|device, place| place == ami && !listed.contains(device));
        if self.disagreements.counts(server) {
            vanished.iter().for_each(|device| self.judge(device, now));
        } else {
            self.disagreements.admit(server);
            self.canaries.connected(server);
            self.judge_all(&vanished, now);
        }
    }

    /// A server cannot be heard any more.
    pub(crate) fn server_gone(&mut self, server: ServerId, now: Duration) {
        self.servers[server.0].listing = None;
        let gone = |_: &str, place: Place| place.server == server && place.at != At::Lamp;
        self.propagation.forget(gone);
        let vanished = self.views.forget(gone);
        self.disagreements.dismiss(server);
        self.judge_all(&vanished, now);
    }

    /// A server tells a device's state: of its own accord, or (`listed`) because it was asked for all.
    pub(crate) fn device_state(
        &mut self,
        server: ServerId,
        device: &str,
        state: DeviceState,
        listed: bool,
        at: Duration,
    ) {
        let place = Place { server, at: At::Ami };
        let Some((device, news)) = self.shows(device, place, At::Ami.look(state), listed, at) else { return };
        if let Some(listing) = &mut self.servers[server.0].listing {
            listing.insert(device.clone());
        }
        if !news || !has_opinion(state) {
            return;
        }
        if !device.starts_with(PREFIX) {
            let change = Change { device, state, origin: server, kind: Kind::Passive, at };
            self.begin(change, |awaited| awaited != place && awaited.at != At::Hint);
        } else if let Some(number) = self.canaries.followed(server, &device) {
            let change = Change { device, state, origin: server, kind: Kind::Followed(number), at };
            self.begin(change, |awaited| awaited != place);
        }
    }

    /// A server tells the status of a hint, and which devices it follows.
    pub(crate) fn hint(
        &mut self,
        server: ServerId,
        exten: &str,
        devices: &str,
        status: HintStatus,
        listed: bool,
        at: Duration,
    ) {
        let devices = devices.split(',').next().unwrap_or_default();
        let gone = matches!(status, HintStatus::Removed | HintStatus::Deactivated);
        let device = (!gone && !devices.is_empty() && !devices.contains('&')).then_some(devices);
        let place = Place { server, at: At::Hint };
        self.map_hint(server, exten, device, at);
        if let Some(device) = device {
            self.shows(device, place, Look::Hint(status), listed, at);
        }
    }

    /// A phone was told what a lamp shows.
    pub(crate) fn lamp(
        &mut self,
        server: ServerId,
        exten: &str,
        state: LampState,
        first: bool,
        at: Duration,
    ) {
        self.servers[server.0].lamps.insert(exten.to_owned(), state);
        if let Some(device) = self.servers[server.0].hints.get(exten).cloned() {
            let place = Place { server, at: At::Lamp };
            self.shows(&device, place, Look::Lamp(state), first, at);
        }
    }

    /// A lamp is not subscribed any more.
    pub(crate) fn lamp_gone(&mut self, server: ServerId, exten: &str, now: Duration) {
        self.servers[server.0].lamps.remove(exten);
        if let Some(device) = self.servers[server.0].hints.get(exten).cloned() {
            self.forget_lamp(server, &device, now);
        }
    }

    /// A node told its stamps of a server's canary, or nothing.
    pub(crate) fn stamps(&mut self, node: NodeId, server: ServerId, stamps: Option<&[Stamp]>) {
        self.canaries.answered(node, server, stamps);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.propagation.poll_timeout().into_iter().chain(self.canaries.poll_timeout()).min()
    }

    /// Does what is due and passes on what was found. To be called after each input, too.
    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        self.propagation.handle_timeout(now);
        while let Some(finding) = self.propagation.poll_finding() {
            self.find(finding, now);
        }
        let ready = |server| self.disagreements.counts(server);
        let shows = |server, device: &str| match self.views.at(device, Place { server, at: At::Ami }) {
            Some(Look::Device(state)) => Some(state),
            Some(Look::Hint(_) | Look::Lamp(_)) | None => None,
        };
        self.canaries.handle_timeout(now, ready, shows);
        while let Some(output) = self.canaries.poll_output() {
            self.release(output, now);
        }
    }

    pub(crate) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Whether a server is connected and has told all its states.
    pub(crate) fn is_synced(&self, server: ServerId) -> bool {
        self.disagreements.counts(server)
    }

    /// Lamps of a server that are subscribed.
    pub(crate) fn lamps_of(&self, server: ServerId) -> usize {
        self.servers[server.0].lamps.len()
    }

    /// How many nodes a state passes from one server to another of its site; nothing between sites.
    pub(crate) fn nodes_between(&self, origin: ServerId, target: ServerId) -> Option<usize> {
        let (origin, target) = (&self.servers[origin.0], &self.servers[target.0]);
        let second = target.node.filter(|node| origin.node != Some(*node));
        (origin.site == target.site).then(|| origin.node.iter().chain(&second).count())
    }

    /// The nodes that a state passes from one server to another.
    fn route(&self, origin: ServerId, target: ServerId) -> Route {
        let (origin, target) = (&self.servers[origin.0], &self.servers[target.0]);
        let across = (origin.site != target.site)
            .then(|| Across { near: self.nodes_at(origin.site), far: self.nodes_at(target.site) });
        Route { origin: origin.node, target: target.node, across }
    }

    fn nodes_at(&self, site: SiteId) -> Vec<NodeId> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node] == site).map(NodeId).collect()
    }

    pub(crate) fn views(&self) -> &Views {
        &self.views
    }

    pub(crate) fn disagreements(&self) -> &Disagreements {
        &self.disagreements
    }

    /// Enters what a place shows. Gives the device and whether that is news which nothing explains.
    fn shows(
        &mut self,
        device: &str,
        place: Place,
        look: Look,
        listed: bool,
        at: Duration,
    ) -> Option<(Arc<str>, bool)> {
        let (device, before) = match self.views.set(device, place, look) {
            Ok(entered) => entered,
            Err(Refused::Name) => return self.dropped(place.server, Dropped::LongName, 1),
            Err(Refused::Full) => return self.dropped(place.server, Dropped::TableFull, 1),
        };
        if before == Some(look) {
            return Some((device, false));
        }
        let is_live = !listed && (place.at == At::Lamp || self.disagreements.counts(place.server));
        let news = is_live && self.propagation.saw(&device, place, look, at) == Sight::News;
        self.judge(&device, at);
        Some((device, news))
    }

    fn begin(&mut self, change: Change, awaited: impl Fn(Place) -> bool) {
        let (device, origin) = (change.device.clone(), change.origin);
        let ami = (0..self.servers.len()).map(|server| Place { server: ServerId(server), at: At::Ami });
        let ami = ami.filter(|place| self.disagreements.counts(place.server));
        let others = self.views.row(&device).map(|(place, _)| place).filter(|place| place.at != At::Ami);
        let places = ami.chain(others).filter(|place| awaited(*place));
        let places = places.map(|place| (place, self.views.at(&device, place)));
        if self.propagation.begin(change, places).is_err() {
            self.dropped::<()>(origin, Dropped::ChangesFull, 1);
        }
    }

    fn map_hint(&mut self, server: ServerId, exten: &str, device: Option<&str>, now: Duration) {
        let known = &mut self.servers[server.0];
        if known.hints.get(exten).map(|known| &**known) == device {
            return;
        }
        if let Some(former) = known.hints.remove(exten) {
            let hint = Place { server, at: At::Hint };
            self.views.forget(|device, place| place == hint && *device == *former);
            self.forget_lamp(server, &former, now);
        }
        let known = &mut self.servers[server.0];
        let Some(device) = device else { return };
        if known.hints.len() >= HINTS_MAX || exten.len() > crate::views::NAME_BYTES_MAX {
            self.dropped::<()>(server, Dropped::TableFull, 1);
            return;
        }
        known.hints.insert(exten.to_owned(), device.into());
        if let Some(state) = known.lamps.get(exten).copied() {
            self.shows(device, Place { server, at: At::Lamp }, Look::Lamp(state), true, now);
        }
    }

    fn forget_lamp(&mut self, server: ServerId, device: &Arc<str>, now: Duration) {
        let lamp = Place { server, at: At::Lamp };
        let gone = |of: &str, place: Place| place == lamp && *of == **device;
        self.propagation.forget(gone);
        self.views.forget(gone);
        self.judge(device, now);
    }

    fn find(&mut self, finding: Finding, now: Duration) {
        match finding {
            Finding::Seen { place: Place { at: At::Hint, .. }, .. }
            | Finding::Missed { place: Place { at: At::Hint, .. }, .. } => {}
            Finding::Seen { change, place, latency } => {
                self.effects.push_back(Effect::Seen { change, place, latency });
            }
            Finding::Missed { change, place, fate, reached } => {
                // What did not come to the server cannot come to its lamp: one loss, not two.
                let counts = fate == Fate::Lost && (place.at == At::Ami || reached.ami);
                if change.kind.canary().is_some() && counts {
                    let Change { origin, state, at, .. } = change;
                    let route = self.route(origin, place.server);
                    self.canaries.lost(Loss { origin, place, reached, route, state, at }, now);
                }
                self.effects.push_back(Effect::Missed { change, place, fate });
            }
        }
    }

    fn release(&mut self, output: canary::Output, now: Duration) {
        match output {
            canary::Output::Send { server, device, number, state, intended } => {
                let is_late = now.saturating_sub(intended) > TIMER_LATENESS_MAX;
                let at = if is_late { intended } else { now };
                let kind = Kind::Canary(number);
                self.begin(Change { device: device.clone(), state, origin: server, kind, at }, |_| true);
                self.effects.push_back(Effect::Set { server, device, state });
            }
            canary::Output::Skipped { server, count } => {
                self.dropped::<()>(server, Dropped::CanaryLate, count);
            }
            canary::Output::Ask { node, server, device } => {
                self.effects.push_back(Effect::Ask { node, server, device });
            }
            canary::Output::Lost { origin, target, hop } => {
                self.effects.push_back(Effect::CanaryLost { origin, target, hop });
            }
        }
    }

    fn judge(&mut self, device: &Arc<str>, now: Duration) {
        self.disagreements.judge(device, self.views.row(device), now);
    }

    /// Judges every device, and those of which nothing may be left.
    fn judge_all(&mut self, vanished: &[Arc<str>], now: Duration) {
        for device in self.views.devices().chain(vanished) {
            self.disagreements.judge(device, self.views.row(device), now);
        }
    }

    fn dropped<T>(&mut self, server: ServerId, reason: Dropped, count: u64) -> Option<T> {
        self.effects.push_back(Effect::Dropped { server, reason, count });
        None
    }
}

#[cfg(test)]
mod tests;

//! Canaries: a device of our own at each server, toggled at a steady rate, so that there are figures while nobody calls.
//!
//! Each has its schedule, and is measured from when it should have been sent: what holds the exporter up counts. A lost
//! one is looked into: what was seen of it says where it stopped, or else the stamps of the nodes on its way. A node tells
//! how old each stamp is, so no clock of any machine has to be right.

use crate::config;
use crate::hop::{self, Hop, Passed, Route};
use crate::place::{NodeId, Place, ServerId};
use crate::propagation::Reached;
use presence::DeviceState;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Begins the name of every canary; nodes keep stamps of devices that are named so.
pub(crate) const PREFIX: &str = "Custom:asterism-canary-";
/// A stamp that seems so much older than a canary is still of it: when the node told its age is known that well.
const STAMP_ERROR_MAX: Duration = Duration::from_millis(200);
/// How long stamps are waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Lost canaries that are being looked into; of more the hop is unknown.
const LOSSES_MAX: usize = 1_024;

/// What is to be done or to be counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Output {
    /// Tell the server this state of the canary.
    Send { server: ServerId, device: Arc<str>, number: u64, state: DeviceState, intended: Duration },
    /// This many were not sent to the server because their time had passed.
    Skipped { server: ServerId, count: u64 },
    /// Ask the node for its stamps of the server's canary, and say [`Canaries::answered`] in any case.
    Ask { node: NodeId, server: ServerId, device: Arc<str> },
    /// A canary was lost on its way to the target, and where.
    Lost { origin: ServerId, target: ServerId, hop: Hop },
}

/// One stamp of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stamp {
    /// `received`, `sent_group`, `heard_group`, `sent_link:<link>`, `heard_link:<link>` or `published:<server>`.
    pub(crate) hop: String,
    /// What was passed on.
    pub(crate) state: String,
    /// When, by our clock.
    pub(crate) at: Duration,
}

/// A canary that was not seen where it should have been.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Loss {
    pub(crate) origin: ServerId,
    pub(crate) place: Place,
    pub(crate) reached: Reached,
    pub(crate) route: Route,
    pub(crate) state: DeviceState,
    /// When it should have been sent.
    pub(crate) at: Duration,
}

/// The canaries of all servers.
pub(crate) struct Canaries {
    /// We send them; else another exporter does.
    send: bool,
    period: Duration,
    canaries: Vec<Canary>,
    losses: Vec<Open>,
    outputs: VecDeque<Output>,
}

struct Canary {
    device: Arc<str>,
    due: Duration,
    number: u64,
    /// What was sent last since the server is connected.
    sent: Option<DeviceState>,
}

/// A loss whose hop is not known yet.
struct Open {
    loss: Loss,
    until: Duration,
    waits: BTreeSet<NodeId>,
    passed: BTreeMap<NodeId, Passed>,
}

impl Canaries {
    /// One canary for each server, spread evenly over the period.
    pub(crate) fn new<'a>(
        servers: impl ExactSizeIterator<Item = &'a str>,
        config::Canary { send, period }: config::Canary,
        start: Duration,
    ) -> Self {
        let step = period / u32::try_from(servers.len().max(1)).unwrap_or(u32::MAX);
        let canaries = servers.enumerate().map(|(index, name)| Canary {
            device: format!("{PREFIX}{name}").into(),
            due: start + step * u32::try_from(index + 1).unwrap_or(u32::MAX),
            number: 0,
            sent: None,
        });
        Self { send, period, canaries: canaries.collect(), losses: Vec::new(), outputs: VecDeque::new() }
    }

    /// The server was connected anew: what it shows counts, not what it was told before.
    pub(crate) fn connected(&mut self, server: ServerId) {
        self.canaries[server.0].sent = None;
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        let sends = self.canaries.iter().filter(|_| self.send).map(|canary| canary.due);
        sends.chain(self.losses.iter().map(|open| open.until)).min()
    }

    /// Sends what is due to servers that are `ready`, the opposite of what they `show`, and ends what waits too long.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Duration,
        ready: impl Fn(ServerId) -> bool,
        shows: impl Fn(ServerId, &str) -> Option<DeviceState>,
    ) {
        let due = |(_, canary): &(usize, &mut Canary)| self.send && canary.due <= now;
        for (index, canary) in self.canaries.iter_mut().enumerate().filter(due) {
            let server = ServerId(index);
            let late = now - canary.due;
            let passed = u32::try_from(late.as_nanos() / self.period.as_nanos()).unwrap_or(u32::MAX);
            let intended = canary.due + self.period * passed;
            canary.due = intended + self.period;
            if passed > 0 && ready(server) {
                self.outputs.push_back(Output::Skipped { server, count: passed.into() });
            }
            if !ready(server) {
                continue;
            }
            let state = match canary.sent.or_else(|| shows(server, &canary.device)) {
                Some(DeviceState::InUse) => DeviceState::NotInUse,
                Some(_) | None => DeviceState::InUse,
            };
            canary.number += 1;
            canary.sent = Some(state);
            let (device, number) = (canary.device.clone(), canary.number);
            self.outputs.push_back(Output::Send { server, device, number, state, intended });
        }
        self.close(|open| open.until <= now);
    }

    /// A server showed a new state of one of the canaries. Gives its number if another exporter sent it there.
    pub(crate) fn followed(&mut self, server: ServerId, device: &str) -> Option<u64> {
        let canary = &mut self.canaries[server.0];
        let is_its = !self.send && *canary.device == *device;
        canary.number += u64::from(is_its);
        is_its.then_some(canary.number)
    }

    /// Looks into a lost canary.
    pub(crate) fn lost(&mut self, loss: Loss, now: Duration) {
        let Loss { origin, place, reached, .. } = loss;
        if let Some(hop) = hop::seen(origin, place, reached, &loss.route) {
            return self.outputs.push_back(Output::Lost { origin, target: place.server, hop });
        }
        if self.losses.len() >= LOSSES_MAX {
            let hop = Hop::Unknown;
            return self.outputs.push_back(Output::Lost { origin, target: place.server, hop });
        }
        let waits = loss.route.nodes();
        for node in waits.iter().copied() {
            let asked = |open: &Open| open.loss.origin == origin && open.waits.contains(&node);
            if !self.losses.iter().any(asked) {
                let device = self.canaries[origin.0].device.clone();
                self.outputs.push_back(Output::Ask { node, server: origin, device });
            }
        }
        self.losses.push(Open { loss, until: now + PATIENCE, waits, passed: BTreeMap::new() });
    }

    /// A node told its stamps of this server's canary, or nothing.
    pub(crate) fn answered(&mut self, node: NodeId, server: ServerId, stamps: Option<&[Stamp]>) {
        for open in self.losses.iter_mut().filter(|open| open.loss.origin == server) {
            if open.waits.remove(&node)
                && let Some(stamps) = stamps
            {
                open.passed.insert(node, passed(stamps, &open.loss, self.period));
            }
        }
        self.close(|open| open.waits.is_empty());
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn close(&mut self, done: impl Fn(&Open) -> bool) {
        for Open { loss, passed, .. } in self.losses.extract_if(.., |open| done(open)) {
            let hop = hop::stamped(&loss.route, |node| passed.get(&node).copied());
            self.outputs.push_back(Output::Lost { origin: loss.origin, target: loss.place.server, hop });
        }
    }
}

/// A stamp is of this canary when it has its state and was made before the next canary with that state. Where a node
/// has forgotten what was then, one of a later canary will do.
fn passed(stamps: &[Stamp], loss: &Loss, period: Duration) -> Passed {
    let begin = loss.at.saturating_sub(STAMP_ERROR_MAX);
    let knows = stamps.iter().any(|stamp| stamp.at < begin);
    let end = if knows { begin + period * 2 } else { Duration::MAX };
    let its = |stamp: &&Stamp| {
        let is_state = !knows || stamp.state == loss.state.as_str();
        is_state && (begin..end).contains(&stamp.at)
    };
    let has = |hop: &str| stamps.iter().filter(its).any(|stamp| stamp.hop.split(':').next() == Some(hop));
    Passed {
        received: has("received"),
        sent: has("sent_group"),
        heard: has("heard_group"),
        linked: has("heard_link"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::At;
    use DeviceState::{InUse, NotInUse};

    const ORIGIN: ServerId = ServerId(0);
    const TARGET: ServerId = ServerId(1);

    #[test]
    fn canaries_are_sent_in_turn_and_toggle() {
        let mut core = canaries();
        assert_eq!(core.poll_timeout(), Some(ms(500)));
        assert_eq!(sent(&mut core, 500, &[ORIGIN, TARGET]), [(ORIGIN, 1, InUse, ms(500))]);
        assert_eq!(sent(&mut core, 1_003, &[ORIGIN, TARGET]), [(TARGET, 1, InUse, ms(1_000))]);
        assert_eq!(sent(&mut core, 1_500, &[ORIGIN, TARGET]), [(ORIGIN, 2, NotInUse, ms(1_500))]);
    }

    #[test]
    fn the_first_one_is_the_opposite_of_what_the_server_shows() {
        let mut core = canaries();
        core.handle_timeout(
            ms(500),
            |_| true,
            |_, device| (device == "Custom:asterism-canary-a").then_some(InUse),
        );
        assert!(matches!(core.poll_output(), Some(Output::Send { state: NotInUse, .. })));
    }

    #[test]
    fn a_server_that_is_away_is_told_nothing() {
        let mut core = canaries();
        assert_eq!(sent(&mut core, 500, &[TARGET]), []);
        assert_eq!(sent(&mut core, 1_500, &[ORIGIN]), [(ORIGIN, 1, InUse, ms(1_500))]);
    }

    #[test]
    fn what_was_overslept_is_skipped_and_counted() {
        let mut core = canaries();
        core.handle_timeout(ms(60_600), |server| server == ORIGIN, |_, _| None);
        assert_eq!(core.poll_output(), Some(Output::Skipped { server: ORIGIN, count: 60 }));
        assert!(
            matches!(core.poll_output(), Some(Output::Send { number: 1, intended, .. }) if intended == ms(60_500))
        );
        assert_eq!(core.poll_timeout(), Some(ms(61_000)));
    }

    #[test]
    fn a_loss_between_two_nodes_is_found_by_their_stamps() {
        let mut core = canaries();
        core.lost(loss(Some(NodeId(0)), Some(NodeId(1)), 1_000), ms(11_000));
        core.lost(loss(Some(NodeId(0)), Some(NodeId(1)), 3_000), ms(11_000));
        assert_eq!(asked(&mut core), [NodeId(0), NodeId(1)], "once for both");
        core.answered(NodeId(0), ORIGIN, Some(&[stamp("received", 1_003), stamp("sent_group", 1_004)]));
        assert_eq!(core.poll_output(), None);
        core.answered(NodeId(1), ORIGIN, Some(&[stamp("heard_group", 1_005)]));
        assert_eq!(hops(&mut core), [Hop::PublishOut, Hop::PublishIn]);
    }

    #[test]
    fn a_way_that_is_open_again_does_not_hide_where_it_was_cut() {
        let mut core = canaries();
        let heard = [stamp("heard_group", 1_005), stamp("heard_group", 5_005), stamp("heard_group", 7_005)];
        core.lost(loss(None, Some(NodeId(1)), 3_000), ms(7_200));
        core.answered(NodeId(1), ORIGIN, Some(&heard));
        core.lost(loss(None, Some(NodeId(1)), 3_000), ms(7_200));
        core.answered(NodeId(1), ORIGIN, Some(&heard[1..]));
        assert_eq!(hops(&mut core), [Hop::Bus, Hop::PublishOut], "at last the node does not remember");
    }

    #[test]
    fn a_stamp_whose_age_is_told_a_little_wrong_is_still_of_its_canary() {
        let mut core = canaries();
        core.lost(loss(None, Some(NodeId(1)), 1_000), ms(11_000));
        core.answered(NodeId(1), ORIGIN, Some(&[stamp("heard_group", 850)]));
        asked(&mut core);
        core.lost(loss(None, Some(NodeId(1)), 1_000), ms(11_000));
        core.answered(NodeId(1), ORIGIN, Some(&[stamp("heard_group", 0)]));
        assert_eq!(
            core.outputs.pop_back(),
            Some(Output::Lost { origin: ORIGIN, target: TARGET, hop: Hop::Bus })
        );
    }

    #[test]
    fn a_node_that_does_not_answer_leaves_the_hop_unknown() {
        let mut core = canaries();
        core.lost(loss(Some(NodeId(0)), None, 0), ms(10_000));
        core.answered(NodeId(0), ORIGIN, None);
        core.lost(loss(Some(NodeId(0)), None, 0), ms(10_000));
        core.handle_timeout(ms(15_000), |_| false, |_, _| None);
        let lost =
            std::iter::from_fn(|| core.poll_output()).filter(|output| matches!(output, Output::Lost { .. }));
        assert_eq!(lost.count(), 2);
    }

    #[test]
    fn losses_are_bounded() {
        let mut core = canaries();
        for _ in 0..=LOSSES_MAX {
            core.lost(loss(Some(NodeId(0)), None, 0), ms(10_000));
        }
        asked(&mut core);
        assert_eq!(core.losses.len(), LOSSES_MAX);
    }

    fn canaries() -> Canaries {
        Canaries::new(["a", "b"].into_iter(), config::Canary { send: true, period: ms(1_000) }, ms(0))
    }

    fn loss(origin: Option<NodeId>, target: Option<NodeId>, at: u64) -> Loss {
        Loss {
            origin: ORIGIN,
            place: Place { server: TARGET, at: At::Ami },
            reached: Reached { origin: true, ami: false, hint: false },
            route: Route { origin, target, across: None },
            state: InUse,
            at: ms(at),
        }
    }

    fn sent(core: &mut Canaries, now: u64, up: &[ServerId]) -> Vec<(ServerId, u64, DeviceState, Duration)> {
        core.handle_timeout(ms(now), |server| up.contains(&server), |_, _| None);
        let outputs = std::iter::from_fn(|| core.poll_output());
        let sends = outputs.filter_map(|output| match output {
            Output::Send { server, number, state, intended, .. } => Some((server, number, state, intended)),
            Output::Skipped { .. } | Output::Ask { .. } | Output::Lost { .. } => None,
        });
        sends.collect()
    }

    fn asked(core: &mut Canaries) -> Vec<NodeId> {
        let outputs = std::iter::from_fn(|| core.poll_output());
        outputs
            .filter_map(|output| if let Output::Ask { node, .. } = output { Some(node) } else { None })
            .collect()
    }

    fn hops(core: &mut Canaries) -> Vec<Hop> {
        let outputs = std::iter::from_fn(|| core.poll_output());
        outputs
            .filter_map(|output| if let Output::Lost { hop, .. } = output { Some(hop) } else { None })
            .collect()
    }

    fn stamp(hop: &str, at: u64) -> Stamp {
        Stamp { hop: hop.to_owned(), state: "INUSE".to_owned(), at: ms(at) }
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }
}

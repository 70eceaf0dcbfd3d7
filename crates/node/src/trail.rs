//! The trail of events through this node: how long each hop takes, and for canaries when exactly it was taken.

use crate::metrics::{Hop, Metrics};
use crate::notes::Names;
use presence::link::{Frame, Statement};
use presence::{Change, Device, DeviceState, Eid, Message, ServerId};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Devices whose every hop is kept: an exporter toggles them to see where a lost change stopped.
const CANARY: &str = "Custom:asterism-canary";

const CANARIES_MAX: usize = 64;
/// Some turns of a canary, at a node with a few servers and links.
const STAMPS_MAX: usize = 32;

/// Messages whose way through the group is timed at once; more than can be in flight.
const ON_BUS_MAX: usize = 512;

/// What is known of events on their way.
pub(crate) struct Trail {
    /// The wall clock when the driver's time was zero.
    epoch: Duration,
    on_bus: VecDeque<(Message, Duration)>,
    publishing: Vec<Option<(Duration, Eid, Change)>>,
    canaries: BTreeMap<Device, VecDeque<Stamp>>,
}

/// One hop of a canary.
#[derive(Clone, Serialize)]
pub(crate) struct Stamp {
    hop: String,
    eid: String,
    state: &'static str,
    /// Microseconds since 1970, by this machine's clock as it was when the node started.
    unix_us: u64,
    /// Microseconds that have passed since, whatever was done to the clock.
    age_us: u64,
    #[serde(skip)]
    at: Duration,
}

impl Trail {
    /// A trail of a node with so many servers, whose time was zero at `epoch` after 1970.
    pub(crate) fn new(servers: usize, epoch: Duration) -> Self {
        Self { epoch, on_bus: VecDeque::new(), publishing: vec![None; servers], canaries: BTreeMap::new() }
    }

    /// A server's report, received then, is in the table now.
    pub(crate) fn reported(
        &mut self,
        received: Duration,
        now: Duration,
        eid: Eid,
        change: &Change,
        metrics: &Metrics,
    ) {
        metrics.hop(Hop::table, now.saturating_sub(received));
        self.stamp(received, "received", eid, change);
    }

    /// A message goes to the group; it had waited that long since the core decided on it.
    pub(crate) fn sent(&mut self, now: Duration, waited: Duration, message: &Message, metrics: &Metrics) {
        metrics.hop(Hop::sent, waited);
        if self.on_bus.len() == ON_BUS_MAX {
            self.on_bus.pop_front();
        }
        self.on_bus.push_back((message.clone(), now));
        self.passed_group(now, "sent_group", message);
    }

    /// A message came from the group; `ours` if we had sent it. The group keeps order, so what was sent before it is lost.
    pub(crate) fn heard(&mut self, now: Duration, ours: bool, message: &Message, metrics: &Metrics) {
        if ours && let Some(position) = self.on_bus.iter().position(|(sent, _)| sent == message) {
            let sent_at = self.on_bus.drain(..=position).next_back().map(|(_, at)| at);
            metrics.hop(Hop::group, now.saturating_sub(sent_at.unwrap_or(now)));
        }
        self.passed_group(now, "heard_group", message);
    }

    fn passed_group(&mut self, now: Duration, hop: &str, message: &Message) {
        match message {
            Message::Change { eid, change, .. } => self.stamp(now, hop, *eid, change),
            Message::Told(statement) => self.stamp(now, hop, statement.eid, &statement.change),
            Message::Withdrawal { .. }
            | Message::Aggregate { .. }
            | Message::Ping { .. }
            | Message::Discovery { .. }
            | Message::Digest { .. }
            | Message::States { .. }
            | Message::Link { .. }
            | Message::Request { .. } => {}
        }
    }

    /// A frame went out on a link.
    pub(crate) fn sent_link(&mut self, now: Duration, link: &str, frame: &Frame) {
        self.passed_link(now, "sent_link", link, frame);
    }

    /// A frame came in on a link.
    pub(crate) fn heard_link(&mut self, now: Duration, link: &str, frame: &Frame) {
        self.passed_link(now, "heard_link", link, frame);
    }

    fn passed_link(&mut self, now: Duration, hop: &str, link: &str, frame: &Frame) {
        let Frame::States(statements) = frame else { return };
        for Statement { eid, change, .. } in statements {
            // Only of canaries is there more to do than to look at the name.
            if canary(change).is_some() {
                self.stamp(now, &format!("{hop}:{link}"), *eid, change);
            }
        }
    }

    /// A state goes to a server.
    pub(crate) fn publishing(&mut self, now: Duration, server: ServerId, eid: Eid, change: Change) {
        self.publishing[server.0] = Some((now, eid, change));
    }

    /// What went to a server was answered, or never will be.
    pub(crate) fn published(
        &mut self,
        now: Duration,
        server: ServerId,
        accepted: bool,
        names: &Names,
        metrics: &Metrics,
    ) {
        let Some((sent_at, eid, change)) = self.publishing[server.0].take() else { return };
        if accepted {
            metrics.hop(Hop::publish, now.saturating_sub(sent_at));
            self.stamp(now, &format!("published:{}", names.of(server)), eid, &change);
        }
    }

    /// The latest hops of a canary, oldest first.
    pub(crate) fn stamps(&self, now: Duration, device: &str) -> Vec<Stamp> {
        let device = Device::new(device).ok();
        let stamps = device.and_then(|device| self.canaries.get(&device)).into_iter().flatten();
        stamps.map(|stamp| Stamp { age_us: micros(now.saturating_sub(stamp.at)), ..stamp.clone() }).collect()
    }

    fn stamp(&mut self, at: Duration, hop: &str, eid: Eid, change: &Change) {
        let Some((device, state)) = canary(change) else { return };
        if !self.canaries.contains_key(device) && self.canaries.len() == CANARIES_MAX {
            return;
        }
        let stamps = self.canaries.entry(device.clone()).or_default();
        if stamps.len() == STAMPS_MAX {
            stamps.pop_front();
        }
        stamps.push_back(Stamp {
            hop: hop.to_owned(),
            eid: eid.to_string(),
            state: state.as_str(),
            unix_us: micros(self.epoch + at),
            age_us: 0,
            at,
        });
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn canary(change: &Change) -> Option<(&Device, DeviceState)> {
    match change {
        Change::DeviceState { device, state, .. } if device.as_str().starts_with(CANARY) => {
            Some((device, *state))
        }
        Change::DeviceState { .. } | Change::Mwi { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use presence::link::Version;

    const EID: Eid = Eid([0, 0, 0, 0, 0, 1]);
    const AT: Duration = Duration::from_millis(7);

    fn change(device: &str) -> Change {
        Change::DeviceState {
            device: Device::new(device).unwrap(),
            state: DeviceState::InUse,
            cachable: true,
        }
    }

    fn statement() -> Statement {
        Statement {
            eid: EID,
            change: change("Custom:lamp"),
            withdrawn: false,
            version: Version { clock: 0, writer: EID },
            origin: presence::Stamp::default(),
        }
    }

    #[test]
    fn a_canary_leaves_a_stamp_at_each_hop_and_others_leave_none() {
        let names = Names::new(["pbx".to_owned()], []);
        let metrics = Metrics::new(&names);
        let mut trail = Trail::new(1, Duration::ZERO);
        for device in ["Custom:asterism-canary-a", "Custom:lamp"] {
            let change = change(device);
            let message = Message::Change { eid: EID, change: change.clone(), stamp: None };
            trail.reported(Duration::ZERO, AT, EID, &change, &metrics);
            trail.sent(AT, Duration::ZERO, &message, &metrics);
            trail.heard(AT * 2, true, &message, &metrics);
            let statement = Statement { change: change.clone(), ..statement() };
            trail.sent_link(AT * 2, "west", &Frame::States(vec![statement.clone()]));
            trail.heard_link(AT * 3, "north", &Frame::States(vec![statement.clone()]));
            trail.heard(AT * 3, false, &Message::Told(statement), &metrics);
            trail.publishing(AT, ServerId(0), EID, change);
            trail.published(AT * 3, ServerId(0), true, &names, &metrics);
        }
        let stamps = trail.stamps(AT * 4, "Custom:asterism-canary-a");
        let told: Vec<_> = stamps.iter().map(|stamp| (stamp.hop.as_str(), stamp.age_us)).collect();
        assert_eq!(
            told,
            [
                ("received", 28_000),
                ("sent_group", 21_000),
                ("heard_group", 14_000),
                ("sent_link:west", 14_000),
                ("heard_link:north", 7_000),
                ("heard_group", 7_000),
                ("published:pbx", 7_000)
            ]
        );
        assert!(trail.stamps(AT * 4, "Custom:lamp").is_empty());
        assert!(trail.on_bus.is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let metrics = Metrics::new(&Names::new([], []));
        let mut trail = Trail::new(0, Duration::ZERO);
        for number in 0..2 * ON_BUS_MAX {
            let change = change(&format!("Custom:asterism-canary-{}", number % (2 * CANARIES_MAX)));
            let message = Message::Change { eid: EID, change: change.clone(), stamp: None };
            trail.sent(AT, Duration::ZERO, &message, &metrics);
            trail.reported(AT, AT, EID, &change, &metrics);
        }
        assert_eq!(trail.on_bus.len(), ON_BUS_MAX);
        assert_eq!(trail.canaries.len(), CANARIES_MAX);
        assert!(trail.canaries.values().all(|stamps| stamps.len() <= STAMPS_MAX));
    }
}

//! Which devices look different at different places now, and since when: the number that must be zero.
//!
//! The places of one device *agree* when there is one device state that all of them can be showing ([`Look::fits`]).
//! So:
//!
//! - Only places of servers that are connected and have told all their states count.
//! - A server that does not know the device (UNKNOWN, INVALID or nothing at all) has no opinion: that fits any state
//!   that lights no lamp, and contradicts one that does. Idle devices need not be known everywhere; a lit lamp must be.
//! - A hint and a lamp count as what they show. So a lamp that stays lit at a server which has forgotten why
//!   contradicts that server's own states, though no other server is in sight.
//! - Devices of `Local/` channels are left out: they last as long as a call's set-up, and no transport keeps them.
//! - What lasts no longer than [`GRACE`] is propagation and no disagreement.

use crate::place::{At, Look, Place, ServerId, has_opinion};
use presence::DeviceState;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long places may differ while a change is on its way.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// Devices that differ.
#[derive(Default)]
pub(crate) struct Disagreements {
    /// Servers whose word counts.
    servers: BTreeSet<ServerId>,
    since: BTreeMap<Arc<str>, Duration>,
}

impl Disagreements {
    /// A server's word counts from now on. Every device is to be judged anew.
    pub(crate) fn admit(&mut self, server: ServerId) {
        self.servers.insert(server);
    }

    /// A server's word counts no more. Every device is to be judged anew.
    pub(crate) fn dismiss(&mut self, server: ServerId) {
        self.servers.remove(&server);
    }

    /// Whether a server's word counts.
    pub(crate) fn counts(&self, server: ServerId) -> bool {
        self.servers.contains(&server)
    }

    /// Judges a device by all that is shown of it.
    pub(crate) fn judge(
        &mut self,
        device: &Arc<str>,
        row: impl Iterator<Item = (Place, Look)>,
        now: Duration,
    ) {
        if device.starts_with("Local/") || self.agree(row) {
            self.since.remove(device);
        } else {
            self.since.entry(device.clone()).or_insert(now);
        }
    }

    /// How many devices differ for longer than the grace.
    pub(crate) fn count(&self, now: Duration) -> usize {
        self.since.values().filter(|since| is_old(**since, now)).count()
    }

    /// How long the oldest of them has lasted, its grace included; nothing when there is none.
    pub(crate) fn oldest(&self, now: Duration) -> Option<Duration> {
        let oldest = self.since.values().min().filter(|since| is_old(**since, now))?;
        Some(now - *oldest)
    }

    /// The oldest of them and since when, at most `limit`.
    pub(crate) fn list(&self, now: Duration, limit: usize) -> Vec<(&Arc<str>, Duration)> {
        let mut list: Vec<_> = self.since.iter().map(|(device, since)| (device, *since)).collect();
        list.retain(|(_, since)| is_old(*since, now));
        list.sort_by_key(|(_, since)| *since);
        list.truncate(limit);
        list
    }

    fn agree(&self, row: impl Iterator<Item = (Place, Look)>) -> bool {
        let shown: Vec<_> = row.filter(|(place, _)| self.servers.contains(&place.server)).collect();
        let told = |server: &ServerId| {
            shown.iter().any(|(place, _)| *place == Place { server: *server, at: At::Ami })
        };
        let silent = !self.servers.iter().all(told);
        DeviceState::ALL.into_iter().filter(|state| has_opinion(*state)).any(|state| {
            let nothing = Look::Device(DeviceState::Unknown);
            (!silent || nothing.fits(state)) && shown.iter().all(|(_, look)| look.fits(state))
        })
    }
}

fn is_old(since: Duration, now: Duration) -> bool {
    now.saturating_sub(since) > GRACE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::Views;
    use DeviceState::{InUse, Invalid, NotInUse, Ringing, Unavailable, Unknown};
    use asterisk::ami::HintStatus;
    use asterisk::lamp::LampState;

    #[test]
    fn places_that_differ_for_longer_than_the_grace_disagree() {
        let mut world = World::new(2);
        world.shows(0, 0, InUse);
        assert_eq!(world.differing(2_000), 0, "it may be on its way");
        assert_eq!(world.differing(2_001), 1);
        assert_eq!(world.core.oldest(ms(5_000)), Some(ms(5_000)));
        world.shows(6_000, 1, InUse);
        assert_eq!(world.differing(6_000), 0);
        assert_eq!(world.core.oldest(ms(9_000)), None);
    }

    #[test]
    fn a_device_that_changes_while_it_differs_differs_since_it_began() {
        let mut world = World::new(2);
        world.shows(0, 0, Ringing);
        world.shows(1_500, 0, InUse);
        world.shows(3_000, 1, Ringing);
        assert_eq!(world.core.list(ms(3_500), 9), [(&"PJSIP/1".into(), ms(0))]);
        assert_eq!(world.core.list(ms(3_500), 0), []);
    }

    #[test]
    fn an_idle_device_need_not_be_known_everywhere() {
        for idle in [NotInUse, Unavailable] {
            for none in [None, Some(Unknown), Some(Invalid)] {
                let mut world = World::new(3);
                world.shows(0, 0, idle);
                world.shows(0, 1, idle);
                none.into_iter().for_each(|state| world.shows(0, 2, state));
                assert_eq!(world.differing(9_000), 0, "{idle} and {none:?}");
            }
        }
    }

    #[test]
    fn a_device_in_use_must_be_known_everywhere() {
        for none in [None, Some(Unknown), Some(Invalid), Some(NotInUse)] {
            let mut world = World::new(2);
            world.shows(0, 0, Ringing);
            none.into_iter().for_each(|state| world.shows(0, 1, state));
            assert_eq!(world.differing(9_000), 1, "RINGING and {none:?}");
        }
    }

    #[test]
    fn two_opinions_on_an_idle_device_disagree() {
        let mut world = World::new(2);
        world.shows(0, 0, NotInUse);
        world.shows(0, 1, Unavailable);
        assert_eq!(world.differing(9_000), 1);
    }

    #[test]
    fn a_server_that_is_not_connected_has_no_word() {
        let mut world = World::new(2);
        world.shows(0, 0, InUse);
        world.core.dismiss(ServerId(1));
        world.judge(0);
        assert_eq!(world.differing(9_000), 0);
        world.core.admit(ServerId(1));
        world.judge(9_000);
        assert_eq!(world.differing(12_000), 1);
    }

    #[test]
    fn a_ghost_lamp_contradicts_its_own_server() {
        let mut world = World::new(1);
        world.set(0, 0, Look::Hint(HintStatus::InUse));
        assert_eq!(world.differing(9_000), 1, "the hint is lit and the server knows nothing of the device");
        world.set(9_000, 0, Look::Hint(HintStatus::Idle));
        world.set(9_000, 0, Look::Lamp(LampState::Confirmed));
        assert_eq!(world.differing(12_000), 1);
        world.set(12_000, 0, Look::Lamp(LampState::Terminated));
        assert_eq!(world.differing(15_000), 0);
    }

    #[test]
    fn channels_of_the_set_up_of_calls_are_left_out() {
        let mut world = World::new(2);
        world.device = "Local/1@x";
        world.shows(0, 0, InUse);
        assert_eq!(world.differing(9_000), 0);
    }

    struct World {
        core: Disagreements,
        views: Views,
        device: &'static str,
    }

    impl World {
        fn new(servers: usize) -> Self {
            let mut core = Disagreements::default();
            (0..servers).for_each(|server| core.admit(ServerId(server)));
            Self { core, views: Views::default(), device: "PJSIP/1" }
        }

        fn shows(&mut self, at: u64, server: usize, state: DeviceState) {
            self.set(at, server, Look::Device(state));
        }

        fn set(&mut self, at: u64, server: usize, look: Look) {
            let kind = match look {
                Look::Device(_) => At::Ami,
                Look::Hint(_) => At::Hint,
                Look::Lamp(_) => At::Lamp,
            };
            self.views.set(self.device, Place { server: ServerId(server), at: kind }, look).unwrap();
            self.judge(at);
        }

        fn judge(&mut self, at: u64) {
            self.core.judge(&self.device.into(), self.views.row(self.device), ms(at));
        }

        fn differing(&self, at: u64) -> usize {
            self.core.count(ms(at))
        }
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }
}

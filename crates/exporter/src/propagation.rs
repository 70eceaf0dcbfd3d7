//! How long a change takes from the server where it began to each other place: sightings in, latencies out.
//!
//! A place sees changes of one device in their order but not each of them: a value that was superseded before it was
//! told is *coalesced*, and that is no fault. Which change a sighting belongs to is therefore decided a little later
//! ([`SETTLE`]), by aligning what a place has shown with the changes from the latest backwards: what came late is
//! measured in full, and what was left out does not shift all that follows.
//!
//! A change that a place does not show by [`DEADLINE`] is *lost* there. A canary is also lost where a later canary was
//! seen and it was not, though it was there to be told for [`EXPOSURE_MIN`]. As a canary has two values only, one that is
//! later than the next of its origin can be told from it only when both are shown.

use crate::place::{At, Look, Place, ServerId};
use presence::DeviceState;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// What is later than this is lost; it is also the last bucket of the histogram.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);
/// After so long without another sighting at a place, what it has shown is aligned.
pub(crate) const SETTLE: Duration = Duration::from_millis(200);
/// A canary that was shown for less than this, before the next one, may be left out by what follows.
pub(crate) const EXPOSURE_MIN: Duration = Duration::from_millis(500);
/// Sightings of one place and device that wait to be aligned.
const SIGHTINGS_MAX: usize = 32;
/// Changes under way, over all devices.
const CHANGES_MAX: usize = 20_000;

/// One change of one device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Change {
    pub(crate) device: Arc<str>,
    pub(crate) state: DeviceState,
    /// The server where it began: for a canary of ours the one that was told, else the one that showed it first.
    pub(crate) origin: ServerId,
    pub(crate) kind: Kind,
    /// When it began: for a canary of ours, when it should have been sent.
    pub(crate) at: Duration,
}

/// Why a device changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// We made it, and this is its number.
    Canary(u64),
    /// Another exporter made it; the number is ours.
    Followed(u64),
    /// Somebody used a phone.
    Passive,
}

impl Kind {
    /// The number of a canary.
    pub(crate) const fn canary(self) -> Option<u64> {
        match self {
            Self::Canary(number) | Self::Followed(number) => Some(number),
            Self::Passive => None,
        }
    }

    /// Whether the origin was the first to show it; a canary of ours the origin has still to show.
    const fn begins_at_origin(self) -> bool {
        matches!(self, Self::Followed(_) | Self::Passive)
    }
}

/// What became of a change at a place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Finding {
    Seen { change: Change, place: Place, latency: Duration },
    Missed { change: Change, place: Place, fate: Fate, reached: Reached },
}

/// Why a change was not seen.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Fate {
    /// A later value took its place.
    Coalesced,
    /// It should have been seen.
    Lost,
}

/// Where a change that was missed at a place was seen otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reached {
    /// In the origin's own AMI.
    pub(crate) origin: bool,
    /// In the AMI of the place's server.
    pub(crate) ami: bool,
    /// In the hint of the place's server.
    pub(crate) hint: bool,
}

/// Whether a sighting shows a change that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sight {
    /// A change that began elsewhere has come here.
    Echo,
    /// No known change explains it.
    News,
}

/// Too many changes are under way; this one is not followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Full;

/// All changes that are under way.
#[derive(Default)]
pub(crate) struct Propagation {
    tracks: BTreeMap<Arc<str>, Track>,
    changes: usize,
    numbers: u64,
    /// No later than the first deadline; derived anew whenever it has passed.
    due: Option<Duration>,
    findings: VecDeque<Finding>,
}

impl Propagation {
    /// A change begins. `places` are all where it could be seen, with what they show now; where it would change
    /// nothing, it is not awaited.
    pub(crate) fn begin(
        &mut self,
        change: Change,
        places: impl IntoIterator<Item = (Place, Option<Look>)>,
    ) -> Result<(), Full> {
        if self.changes >= CHANGES_MAX {
            return Err(Full);
        }
        self.numbers += 1;
        let track = self.tracks.entry(change.device.clone()).or_default();
        let due = change.at + DEADLINE;
        if track.begin(self.numbers, change, places) {
            self.changes += 1;
            self.due = Some(self.due.map_or(due, |earliest| earliest.min(due)));
        }
        Ok(())
    }

    /// A place shows something new of a device.
    pub(crate) fn saw(&mut self, device: &str, place: Place, look: Look, at: Duration) -> Sight {
        let Some(track) = self.tracks.get_mut(device) else { return Sight::News };
        let sight = track.saw(place, look, at, &mut self.findings);
        let due = at + SETTLE;
        self.due = Some(self.due.map_or(due, |earliest| earliest.min(due)));
        self.sweep(device);
        sight
    }

    /// Nothing is known of these places from now on; what was awaited there is neither seen nor lost.
    pub(crate) fn forget(&mut self, gone: impl Fn(&str, Place) -> bool) {
        for (device, track) in &mut self.tracks {
            track.places.retain(|place, _| !gone(device, *place));
        }
        self.sweep_all();
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next, or a little earlier.
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.due
    }

    /// Aligns what has settled and gives up what is late. Calling it late is safe.
    pub(crate) fn handle_timeout(&mut self, now: Duration) {
        if self.due.is_none_or(|due| now < due) {
            return;
        }
        for track in self.tracks.values_mut() {
            track.handle_timeout(now, &mut self.findings);
        }
        self.sweep_all();
        self.due = self.tracks.values().filter_map(Track::due).min();
    }

    pub(crate) fn poll_finding(&mut self) -> Option<Finding> {
        self.findings.pop_front()
    }

    /// Changes under way.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.changes
    }

    fn sweep(&mut self, device: &str) {
        if let Some(track) = self.tracks.get_mut(device) {
            self.changes -= track.sweep();
            if track.places.is_empty() {
                self.tracks.remove(device);
            }
        }
    }

    fn sweep_all(&mut self) {
        let swept = &mut self.changes;
        self.tracks.retain(|_, track| {
            *swept -= track.sweep();
            !track.places.is_empty()
        });
    }
}

/// The changes of one device that are under way.
#[derive(Default)]
struct Track {
    changes: BTreeMap<u64, Under>,
    places: BTreeMap<Place, Watched>,
}

/// A change and where it has been seen.
struct Under {
    change: Change,
    seen: BTreeMap<Place, Duration>,
}

/// What one place has still to show, and what it has shown.
#[derive(Default)]
struct Watched {
    expected: VecDeque<u64>,
    /// How many of the expected ones the sightings account for at least.
    explained: usize,
    sightings: Vec<(Look, Duration)>,
}

impl Track {
    /// False when no place has to show it.
    fn begin(
        &mut self,
        number: u64,
        change: Change,
        places: impl IntoIterator<Item = (Place, Option<Look>)>,
    ) -> bool {
        let mut awaited = false;
        for (place, shown) in places {
            let last = self.places.get(&place).and_then(|watched| watched.expected.back());
            let anticipated = match last {
                Some(last) => Some(self.look(*last, place.at)),
                None => shown,
            };
            if anticipated != Some(place.at.look(change.state)) {
                self.places.entry(place).or_default().expected.push_back(number);
                awaited = true;
            }
        }
        if awaited {
            self.changes.insert(number, Under { change, seen: BTreeMap::new() });
        }
        awaited
    }

    fn saw(&mut self, place: Place, look: Look, at: Duration, findings: &mut VecDeque<Finding>) -> Sight {
        let Some(watched) = self.places.get(&place) else { return Sight::News };
        let explains = |number: &u64| {
            let change = &self.changes[number].change;
            change.at <= at && place.at.look(change.state) == look
        };
        let Some(next) = watched.expected.iter().skip(watched.explained).position(explains) else {
            self.align(place, findings);
            return Sight::News;
        };
        if let Some(watched) = self.places.get_mut(&place) {
            watched.explained += next + 1;
            watched.sightings.push((look, at));
            if watched.sightings.len() >= SIGHTINGS_MAX {
                self.align(place, findings);
            }
        }
        Sight::Echo
    }

    fn handle_timeout(&mut self, now: Duration, findings: &mut VecDeque<Finding>) {
        let places: Vec<Place> = self.places.keys().copied().collect();
        for place in places {
            let watched = &self.places[&place];
            let settled = watched.sightings.last().is_some_and(|(_, at)| *at + SETTLE <= now);
            let late = |track: &Self| {
                let first = *track.places[&place].expected.front()?;
                (track.changes[&first].change.at + DEADLINE <= now).then_some(first)
            };
            if settled || late(self).is_some() {
                self.align(place, findings);
            }
            while let Some(number) = late(self) {
                self.miss(place, number, Fate::Lost, findings);
                if let Some(watched) = self.places.get_mut(&place) {
                    watched.expected.pop_front();
                }
            }
        }
    }

    /// Says which changes the sightings of a place were: the last one is the latest that it can be, and so on
    /// backwards. What lies between was left out.
    fn align(&mut self, place: Place, findings: &mut VecDeque<Finding>) {
        let Some(watched) = self.places.get_mut(&place) else { return };
        let sightings = std::mem::take(&mut watched.sightings);
        watched.explained = 0;
        let mut shown = BTreeMap::new();
        let mut end = watched.expected.len();
        for (look, at) in sightings.into_iter().rev() {
            let explains = |number: &u64| {
                let change = &self.changes[number].change;
                change.at <= at && place.at.look(change.state) == look
            };
            let Some(index) = watched.expected.iter().take(end).rposition(explains) else { continue };
            shown.insert(index, at);
            end = index;
        }
        let Some(last) = shown.last_key_value().map(|(index, _)| *index) else { return };
        let decided: Vec<u64> = watched.expected.drain(..=last).collect();
        for (index, number) in decided.into_iter().enumerate() {
            match shown.get(&index) {
                Some(at) => self.see(place, number, *at, findings),
                None => self.miss(place, number, Fate::Coalesced, findings),
            }
        }
    }

    fn see(&mut self, place: Place, number: u64, at: Duration, findings: &mut VecDeque<Finding>) {
        if let Some(under) = self.changes.get_mut(&number) {
            under.seen.insert(place, at);
            let latency = at.saturating_sub(under.change.at);
            findings.push_back(Finding::Seen { change: under.change.clone(), place, latency });
        }
    }

    /// `fate` is lost where it is too late, and coalesced where a later one was seen.
    fn miss(&self, place: Place, number: u64, fate: Fate, findings: &mut VecDeque<Finding>) {
        let Under { change, seen } = &self.changes[&number];
        let fate = match change.kind {
            Kind::Canary(_) | Kind::Followed(_)
                if self.exposure(place, number).is_none_or(|long| long >= EXPOSURE_MIN) =>
            {
                Fate::Lost
            }
            Kind::Passive if self.changes.range(number + 1..).next().is_some() => Fate::Coalesced,
            Kind::Canary(_) | Kind::Followed(_) | Kind::Passive => fate,
        };
        let shown = change.kind.begins_at_origin();
        let at = |at, server| seen.contains_key(&Place { server, at });
        let reached = Reached {
            origin: shown || at(At::Ami, change.origin),
            ami: at(At::Ami, place.server) || shown && place.server == change.origin,
            hint: at(At::Hint, place.server),
        };
        findings.push_back(Finding::Missed { change: change.clone(), place, fate, reached });
    }

    /// How long a change was there to be told to a place, before the next one was: at its origin, or for hints and lamps
    /// at their server. Nothing while there is no next one.
    fn exposure(&self, place: Place, number: u64) -> Option<Duration> {
        let ami = Place { at: At::Ami, ..place };
        let told = |under: &Under| match place.at {
            At::Ami => Some(under.change.at),
            At::Hint | At::Lamp => under.seen.get(&ami).copied(),
        };
        let began = told(&self.changes[&number])?;
        let ended = self.changes.range(number + 1..).find_map(|(_, under)| told(under))?;
        Some(ended.saturating_sub(began))
    }

    fn due(&self) -> Option<Duration> {
        let due = |watched: &Watched| {
            let settles = watched.sightings.last().map(|(_, at)| *at + SETTLE);
            let expires = watched.expected.front().map(|number| self.changes[number].change.at + DEADLINE);
            settles.into_iter().chain(expires).min()
        };
        self.places.values().filter_map(due).min()
    }

    /// Drops what nothing awaits any more; says how many changes that were.
    fn sweep(&mut self) -> usize {
        self.places.retain(|_, watched| !watched.expected.is_empty());
        let first = self.places.values().filter_map(|watched| watched.expected.front()).min();
        let kept = first.map_or(BTreeMap::new(), |first| self.changes.split_off(first));
        std::mem::replace(&mut self.changes, kept).len()
    }

    fn look(&self, number: u64, at: At) -> Look {
        at.look(self.changes[&number].change.state)
    }
}

#[cfg(test)]
mod tests;

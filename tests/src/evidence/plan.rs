//! What is measured when. The paths take turns in short slices, again and again, so that what disturbs one disturbs all.

use std::time::Duration;

use super::path::{OWN_DEVICES, PATHS, Setting};

/// How fast changes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Rate {
    /// Evenly spaced.
    PerSecond(u32),
    /// [`BURST`] different devices, all due at the same moment.
    Burst,
}

pub(super) const RATES: [Rate; 5] =
    [Rate::PerSecond(1), Rate::PerSecond(10), Rate::PerSecond(100), Rate::PerSecond(1000), Rate::Burst];
pub(super) const BURST: u32 = 5000;

/// A part of the run.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Bring the lab into this condition.
    Set(Setting),
    /// Change each device of these paths to and fro, unmeasured, until all of them arrive.
    WarmUp(Vec<usize>),
    Slice(Slice),
}

/// Some paths at one rate.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Slice {
    pub(super) paths: Vec<usize>,
    pub(super) rate: Rate,
    /// Changes of each path.
    pub(super) changes: u32,
}

/// For setting up, warming up, stopping nodes, bursts with their rests, and taking down.
const OVERHEAD: Duration = Duration::from_secs(420);
/// Each path's part of the time at each rate. At one change a second all paths run at once, else each runs alone.
const SHARES: [(u32, f64); 4] = [(1, 0.09), (10, 0.02), (100, 0.013), (1000, 0.009)];
const ROUNDS_RUNNING: u32 = 3;
const ROUNDS_STOPPED: u32 = 2;
/// From site to site, one way.
const WAN_MS: [u32; 3] = [0, 40, 150];

/// All steps of a run of about so many minutes: the stock path alone first and last, all others of the site in between; then from
/// site to site.
pub(super) fn plan(minutes: f64) -> Vec<Step> {
    let whole = minutes * 60.0;
    let seconds = (whole - OVERHEAD.as_secs_f64()).max(whole * 0.3);
    let (stopped, running) = (paths(Setting::NoNodes), paths(Setting::Nodes));
    let mut steps = vec![Step::Set(Setting::NoNodes), Step::WarmUp(stopped.clone())];
    steps.extend(round(&stopped, seconds / f64::from(ROUNDS_STOPPED)));
    steps.extend([Step::Set(Setting::Nodes), Step::WarmUp(running.clone())]);
    for _ in 0..ROUNDS_RUNNING {
        steps.extend(round(&running, seconds / f64::from(ROUNDS_RUNNING)));
    }
    steps.push(Step::Set(Setting::NoNodes));
    for _ in 1..ROUNDS_STOPPED {
        steps.extend(round(&stopped, seconds / f64::from(ROUNDS_STOPPED)));
    }
    steps.extend(stopped.iter().flat_map(|path| bursts(*path)));
    steps.push(Step::Set(Setting::Nodes));
    steps.extend(running.iter().flat_map(|path| bursts(*path)));
    for setting in WAN_MS.map(Setting::Wan) {
        let across = paths(setting);
        steps.extend([Step::Set(setting), Step::WarmUp(across.clone())]);
        steps.extend(round(&across, seconds));
        steps.extend(across.iter().flat_map(|path| bursts(*path)));
    }
    steps
}

fn paths(setting: Setting) -> Vec<usize> {
    (0..PATHS.len()).filter(|index| PATHS[*index].setting == setting).collect()
}

/// Each path once at each rate.
fn round(paths: &[usize], seconds: f64) -> Vec<Step> {
    let mut steps = Vec::new();
    for (rate, share) in SHARES {
        let changes = changes(f64::from(rate) * share * seconds);
        let rate_of = Rate::PerSecond(rate);
        match rate {
            1 => steps.push(Step::Slice(Slice { paths: paths.to_vec(), rate: rate_of, changes })),
            _ => steps.extend(
                paths.iter().map(|path| Step::Slice(Slice { paths: vec![*path], rate: rate_of, changes })),
            ),
        }
    }
    steps
}

/// All lamps on, then all off.
fn bursts(path: usize) -> [Step; 2] {
    let burst = Step::Slice(Slice { paths: vec![path], rate: Rate::Burst, changes: BURST });
    [burst.clone(), burst]
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a run is not that long")]
fn changes(number: f64) -> u32 {
    (number.round() as u32).max(1)
}

impl Rate {
    pub(super) fn name(self) -> String {
        match self {
            Self::PerSecond(rate) => format!("{rate}/s"),
            Self::Burst => format!("burst of {BURST}"),
        }
    }

    /// In file names and tags.
    pub(super) fn tag(self) -> String {
        match self {
            Self::PerSecond(rate) => rate.to_string(),
            Self::Burst => "burst".to_owned(),
        }
    }

    /// The changes go round so many devices: none changes again before a slow path has shown its last change.
    pub(super) fn devices(self) -> u32 {
        match self {
            Self::PerSecond(rate) => (rate / 4).clamp(8, OWN_DEVICES),
            Self::Burst => BURST,
        }
    }

    /// After its intended time a change that has not shown for so long counts as lost.
    pub(super) fn deadline(self) -> Duration {
        match self {
            Self::PerSecond(_) => Duration::from_secs(10),
            Self::Burst => Duration::from_secs(15),
        }
    }
}

impl Slice {
    /// All changes in the order in which they are due.
    pub(super) fn dues(&self) -> impl Iterator<Item = Due> + Send + 'static {
        let Self { paths, rate, changes } = self.clone();
        let count = paths.len() as u64;
        (0..u64::from(changes) * count).map(move |index| {
            let after = match rate {
                Rate::PerSecond(rate) => {
                    Duration::from_nanos(index * 1_000_000_000 / (count * u64::from(rate)))
                }
                Rate::Burst => Duration::ZERO,
            };
            let path = paths[usize::try_from(index % count).unwrap_or(0)];
            Due { after, path, device: device(rate, index / count) }
        })
    }
}

/// A change that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// Since the slice's beginning.
    pub(super) after: Duration,
    pub(super) path: usize,
    pub(super) device: u32,
}

/// Not one device after the other: those with lamps come as often at each time as the others.
fn device(rate: Rate, change: u64) -> u32 {
    /// Prime, and so a stride that visits all devices before it comes back.
    const STRIDE: u64 = 7919;
    u32::try_from(change * STRIDE % u64::from(rate.devices())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn slices(minutes: f64) -> Vec<Slice> {
        let slice = |step| if let Step::Slice(slice) = step { Some(slice) } else { None };
        plan(minutes).into_iter().filter_map(slice).collect()
    }

    #[test]
    fn a_plan_fits_into_its_minutes() {
        for minutes in [15.0, 60.0] {
            let seconds: f64 = slices(minutes)
                .iter()
                .map(|slice| match slice.rate {
                    Rate::PerSecond(rate) => f64::from(slice.changes) / f64::from(rate),
                    Rate::Burst => 0.0,
                })
                .sum();
            let whole = minutes * 60.0 - OVERHEAD.as_secs_f64();
            assert!(
                (seconds - whole).abs() < 0.1 * whole + 5.0,
                "{minutes} minutes: {seconds} s of {whole} s"
            );
        }
    }

    #[test]
    fn every_path_runs_at_every_rate_and_in_the_setting_that_it_wants() {
        let mut seen = HashSet::new();
        let mut setting = Setting::Nodes;
        for step in plan(3.0) {
            match step {
                Step::Set(now) => setting = now,
                Step::WarmUp(_) => {}
                Step::Slice(slice) => {
                    assert!(slice.paths.iter().all(|path| PATHS[*path].setting == setting));
                    seen.extend(slice.paths.iter().map(|path| (*path, slice.rate)));
                }
            }
        }
        assert_eq!(seen.len(), PATHS.len() * RATES.len());
    }

    #[test]
    fn changes_are_due_evenly_and_paths_are_staggered() {
        let slice = Slice { paths: vec![4, 5], rate: Rate::PerSecond(10), changes: 3 };
        let dues: Vec<_> = slice.dues().map(|due| (due.after.as_millis(), due.path)).collect();
        assert_eq!(dues, [(0, 4), (50, 5), (100, 4), (150, 5), (200, 4), (250, 5)]);
        let burst = Slice { paths: vec![0], rate: Rate::Burst, changes: 2 };
        assert!(burst.dues().all(|due| due.after.is_zero()));
    }

    #[test]
    fn changes_visit_every_device_before_they_come_back() {
        for rate in RATES {
            let devices = rate.devices();
            let seen: HashSet<u32> = (0..u64::from(devices)).map(|change| device(rate, change)).collect();
            assert_eq!(seen.len(), devices as usize);
            assert_eq!(device(rate, u64::from(devices)), device(rate, 0));
        }
    }
}

//! What a seed chooses before anything happens: every knob, so that runs differ in kind and not only in detail.

use crate::asterisk::Flavour;
use crate::bus::Pace;
use crate::faults::FaultKind;
use crate::random::Random;
use crate::wide::Wide;
use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// A run's choices.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Options {
    /// Servers that run `res_corosync`.
    pub(crate) stock: Vec<Flavour>,
    /// The servers of each node, which run no cluster module.
    pub(crate) nodes: Vec<Vec<Flavour>>,
    /// Devices and mailboxes of each server, and those of which several servers speak.
    pub(crate) devices: usize,
    pub(crate) mailboxes: usize,
    pub(crate) shared: usize,
    /// Everything starts at once, or one after the other.
    pub(crate) cold_start: bool,
    pub(crate) pace: Pace,
    /// From corosync to a process.
    pub(crate) dispatch: Range<Duration>,
    /// From a server to its node and back.
    pub(crate) sip: Range<Duration>,
    pub(crate) sip_loss: f64,
    /// How often corosync refuses a message, or swallows it, without any fault.
    pub(crate) refusal: f64,
    pub(crate) swallowing: f64,
    /// Inputs that a node takes before it carries out what they led to.
    pub(crate) batch: usize,
    /// The mean time between two changes of anything, and between two faults.
    pub(crate) change_gap: Duration,
    pub(crate) fault_gap: Duration,
    /// How often a change is the first of many of the same device.
    pub(crate) flapping: f64,
    /// How often a change is followed by seconds of silence.
    pub(crate) pausing: f64,
    /// How often a device is said to be UNKNOWN, INVALID or UNAVAILABLE.
    pub(crate) odd_states: f64,
    /// How often a server that starts says something of what is its.
    pub(crate) say_again: f64,
    /// How often a node is configured with the EID of a server, and has not to learn it.
    pub(crate) configured_eids: f64,
    /// Stock servers send their aggregates, as they do.
    pub(crate) aggregates: bool,
    /// A process that starts again has its old pid, as in a container.
    pub(crate) same_pid: bool,
    /// A stock server finds back into the group when its corosync was restarted; mostly it does not.
    pub(crate) stock_recovers: f64,
    /// How often what is dead at the end stays dead.
    pub(crate) for_good: f64,
    /// Whether a last split ends the faults.
    pub(crate) last_split: bool,
    pub(crate) faults: Vec<FaultKind>,
    /// Which sites there are, and how they are linked.
    pub(crate) wide: Wide,
    /// How long faults are injected.
    pub(crate) unrest: Duration,
}

const fn millis(from: u64, to: u64) -> Range<Duration> {
    Duration::from_millis(from)..Duration::from_millis(to)
}

const fn micros(from: u64, to: u64) -> Range<Duration> {
    Duration::from_micros(from)..Duration::from_micros(to)
}

impl Options {
    /// Draws all.
    pub(crate) fn draw(random: &mut Random) -> Self {
        let flavours = |random: &mut Random, count: usize| -> Vec<Flavour> {
            (0..count).map(|_| random.pick(&[Flavour::Sixteen, Flavour::TwentyTwo])).collect()
        };
        let stock = random.pick(&[0, 1, 1, 2, 2, 3]);
        let nodes = random.pick(&[1, 1, 2, 2, 2, 3]);
        let mut served: Vec<usize> = (0..nodes).map(|_| random.pick(&[0, 1, 1, 1, 2])).collect();
        if stock + served.iter().sum::<usize>() < 2 {
            served[0] += 2;
        }
        let dispatch = random.pick_range(&[micros(20, 200), micros(20, 2000), millis(1, 30)]);
        // A process that is slow to be woken finds more that waits; one that takes milliseconds for each message is none of ours.
        let slow = dispatch.end > Duration::from_millis(1);
        let batch = random.pick(if slow { &[64] } else { &[1, 1, 4, 64] });
        let unrest = random.pick(&[10, 20, 30, 60]);
        Self {
            stock: flavours(random, stock),
            nodes: served.into_iter().map(|count| flavours(random, count)).collect(),
            devices: random.pick(&[1, 2, 3, 4, 5, 6, 60, 150]),
            mailboxes: random.number(0..3),
            shared: random.pick(&[0, 0, 1, 2]),
            cold_start: random.chance(0.3),
            pace: pace(random),
            dispatch,
            sip: random.pick_range(&[micros(100, 1000), micros(200, 8000)]),
            sip_loss: random.pick(&[0.0, 0.0, 0.0, 0.01, 0.1]),
            refusal: random.pick(&[0.0, 0.0, 0.0, 0.02, 0.2]),
            swallowing: random.pick(&[0.0, 0.0, 0.0, 0.0, 0.01, 0.05]),
            batch,
            change_gap: Duration::from_millis(random.pick(&[20, 60, 200, 600, 3000])),
            fault_gap: Duration::from_millis(random.pick(&[700, 1500, 3000, 6000, 12_000])),
            flapping: random.pick(&[0.0, 0.0, 0.02]),
            pausing: random.pick(&[0.0, 0.02, 0.1]),
            odd_states: random.pick(&[0.0, 0.1, 0.3]),
            say_again: random.pick(&[1.0, 0.7, 0.3]),
            configured_eids: random.pick(&[0.0, 0.5, 1.0]),
            aggregates: random.chance(0.3),
            same_pid: random.chance(0.5),
            stock_recovers: random.pick(&[0.0, 0.3, 1.0]),
            for_good: random.pick(&[0.0, 0.3, 0.8]),
            last_split: random.chance(0.3),
            faults: faults(random),
            wide: Wide::default(),
            unrest: Duration::from_secs(unrest),
        }
    }

    /// Draws all for several sites.
    pub(crate) fn draw_wide(random: &mut Random) -> Self {
        let options = Self::draw(random);
        let wide = Wide::draw(random);
        let flavour = |random: &mut Random| random.pick(&[Flavour::Sixteen, Flavour::TwentyTwo]);
        let stock = wide.stock.iter().map(|_| flavour(random)).collect();
        let nodes = wide.served.iter().map(|count| (0..*count).map(|_| flavour(random)).collect()).collect();
        Self {
            stock,
            nodes,
            devices: random.pick(&[1, 2, 3, 5, 20]),
            shared: random.pick(&[0, 0, 1]),
            fault_gap: Duration::from_millis(random.pick(&[1500, 3000, 6000, 12_000])),
            faults: wide_faults(random),
            wide,
            ..options
        }
    }

    /// The sites that are small enough to be understood: no noise but the faults.
    pub(crate) fn is_calm(&self) -> bool {
        self.sip_loss == 0.0 && self.refusal == 0.0 && self.swallowing == 0.0
    }
}

fn pace(random: &mut Random) -> Pace {
    Pace {
        rotation: random.pick_range(&[micros(10, 200), micros(50, 2000), millis(1, 10)]),
        travel: random.pick_range(&[micros(50, 300), micros(50, 5000)]),
        token_loss: random.pick_range(&[millis(1000, 1300), millis(200, 400), millis(3000, 3700)]),
        merge: random.pick_range(&[millis(20, 60), millis(100, 400)]),
        block: random.pick_range(&[millis(1, 5), millis(5, 60), millis(50, 300)]),
    }
}

/// Half of the kinds on average, so that each is seen with and without each other.
fn faults(random: &mut Random) -> Vec<FaultKind> {
    let share = random.pick(&[0.1, 0.3, 0.5, 0.9]);
    let mut chosen: Vec<FaultKind> = FaultKind::ALL.into_iter().filter(|_| random.chance(share)).collect();
    if chosen.is_empty() {
        chosen.push(random.pick(&FaultKind::ALL));
    }
    chosen
}

/// A stranger is no matter of links, nor is a server that takes another's machine.
fn wide_faults(random: &mut Random) -> Vec<FaultKind> {
    let local = random.pick(&[0.0, 0.1, 0.3, 0.5]);
    let strange = [FaultKind::Stranger, FaultKind::StockReplaced];
    let fits = |kind: &FaultKind| !strange.contains(kind);
    let mut chosen: Vec<FaultKind> =
        FaultKind::ALL.into_iter().filter(fits).filter(|_| random.chance(local)).collect();
    chosen.extend(FaultKind::WIDE.into_iter().filter(|_| random.chance(0.5)));
    if chosen.is_empty() {
        chosen.push(random.pick(&FaultKind::WIDE));
    }
    chosen
}

impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#?}")
    }
}

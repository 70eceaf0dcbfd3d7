//! What a run comes to: a verdict, and what it has seen.

use crate::faults::FaultKind;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What a run was judged by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Checker {
    /// A lamp that only a departed server lit is out in time.
    GhostLamp,
    /// After the last fault everybody shows the last state of everything.
    LastWord,
    /// No server is told what its originator did not say, or has said something newer than.
    FalseWord,
    /// What the core derives is what an Asterisk derives.
    Aggregate,
    /// Nothing is sent that can hurt an Asterisk, and the codec loses nothing.
    Harm,
    /// No queue has more than there is to say.
    Bounds,
    /// Nothing goes towards where it came from.
    Echo,
    /// A node's return changes no lamp of which nothing has changed.
    Intermediate,
    /// When all is said, nothing more is.
    Idle,
    /// A site that is lost for the hold time is out a second later.
    LostSite,
    /// A site that returns shows its last states directly.
    SiteReturn,
    /// A link that blinks changes no lamp.
    Blink,
    /// The core did not panic.
    Panic,
}

/// The first promise that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// Which promise.
    pub checker: Checker,
    /// When, in simulated time.
    pub at: Duration,
    /// What was seen.
    pub text: String,
}

/// A situation worth having been in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mark {
    /// A stock server's dump was refused.
    DumpLost,
    /// A stock server's change was refused.
    ChangeLost,
    /// A node's message was refused and tried again.
    NodeRefused,
    /// A node's message was taken and swallowed.
    NodeSwallowed,
    /// A node had as much on its way as its session lets it.
    WindowFull,
    /// A node let a helper join and leave.
    Touch,
    /// A node took a state back in the group.
    Withdrawal,
    /// A node repeated what did not come back.
    Repeated,
    /// A node asked another for what it lacked.
    Request,
    /// A node refused a second speaker for an EID.
    EqualEid,
    /// A server gave up waiting for a node's answer, and dropped what it had to say.
    ReportDropped,
    /// A server no longer knew a node's publication.
    Forgotten,
    /// A ghost lamp was judged against its deadline.
    GhostJudged,
    /// A node's return was judged.
    ReturnJudged,
    /// A departed server's lamps stay, because no node was there to see it go.
    Unwitnessed,
    /// A stock server's word was lost, and no node could know.
    StockLost,
    /// A server said nothing of its own, so its node did not learn its EID, and told it nothing.
    NamelessServer,
    /// A server had refused what its node told it.
    Rejected,
    /// A stock server has forgotten what it said of a mailbox, because another spoke of it later, and no node is left that has heard it.
    Overwritten,
    /// A listener heard of a server elsewhere something older than what it had heard, for a moment.
    Relapse,
    /// The lamps of a lost site were judged.
    LostSiteJudged,
    /// A site's return was judged.
    SiteReturnJudged,
    /// A blink of a link was judged.
    BlinkJudged,
}

/// What a run has seen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// How often each kind of fault was injected.
    pub faults: BTreeMap<FaultKind, u64>,
    /// How often each situation arose.
    pub marks: BTreeMap<Mark, u64>,
    /// Words that servers said.
    pub words: u64,
    /// Messages that nodes sent to the group.
    pub multicasts: u64,
    /// Words that nodes told their servers.
    pub publishes: u64,
    /// Frames that nodes sent to other sites, and their bytes.
    pub frames: u64,
    /// See [`Self::frames`].
    pub link_bytes: u64,
    /// How often cores were woken because they wanted to be.
    pub wakeups: u64,
    /// Steps of the simulation.
    pub steps: u64,
    /// From the last cure until everybody showed the right thing.
    pub convergence: Duration,
}

/// A run's verdict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The seed, which makes the same run again.
    pub seed: u64,
    /// What the seed has chosen.
    pub options: String,
    /// What was broken, if anything.
    pub failure: Option<Failure>,
    /// What was seen.
    pub stats: Stats,
}

impl Stats {
    pub(crate) fn mark(&mut self, mark: Mark) {
        *self.marks.entry(mark).or_default() += 1;
    }

    pub(crate) fn fault(&mut self, kind: FaultKind) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Adds what another run has seen; of times, keeps the longest.
    pub fn add(&mut self, other: &Self) {
        for (kind, count) in &other.faults {
            *self.faults.entry(*kind).or_default() += count;
        }
        for (mark, count) in &other.marks {
            *self.marks.entry(*mark).or_default() += count;
        }
        self.words += other.words;
        self.multicasts += other.multicasts;
        self.publishes += other.publishes;
        self.frames += other.frames;
        self.link_bytes += other.link_bytes;
        self.wakeups += other.wakeups;
        self.steps += other.steps;
        self.convergence = self.convergence.max(other.convergence);
    }
}

impl Mark {
    /// Those that only several sites come to.
    pub const WIDE: [Self; 4] =
        [Self::Relapse, Self::LostSiteJudged, Self::SiteReturnJudged, Self::BlinkJudged];

    /// Every situation that one site comes to.
    pub const ALL: [Self; 19] = [
        Self::DumpLost,
        Self::ChangeLost,
        Self::NodeRefused,
        Self::NodeSwallowed,
        Self::WindowFull,
        Self::Touch,
        Self::Withdrawal,
        Self::Repeated,
        Self::Request,
        Self::EqualEid,
        Self::ReportDropped,
        Self::Forgotten,
        Self::GhostJudged,
        Self::ReturnJudged,
        Self::Unwitnessed,
        Self::StockLost,
        Self::NamelessServer,
        Self::Rejected,
        Self::Overwritten,
    ];
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:.3} s: {}", self.checker, self.at.as_secs_f64(), self.text)
    }
}

//! What can go wrong in a site, and between sites.

use std::fmt;

/// The kinds of faults. What each does is in `world/unrest.rs`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FaultKind {
    /// A stock server is killed.
    StockKilled,
    /// A stock server ends in good order.
    StockStopped,
    /// A stock server is stopped by a signal, and goes on.
    StockFrozen,
    /// A stock server is gone for good, and another starts on its machine, with its nodeid.
    StockReplaced,
    /// A second process on a stock server's machine joins the group and leaves it.
    HelperLeft,
    /// corosync is killed on a machine, and started again.
    CorosyncKilled,
    /// corosync is stopped by a signal on a machine, and goes on.
    CorosyncFrozen,
    /// The site's machines are split in two.
    Split,
    /// A split that is over before anybody is missed.
    Blink,
    /// A machine's corosync refuses most messages.
    Refusals,
    /// A machine's corosync takes messages and drops many.
    Swallows,
    /// A node is killed.
    NodeKilled,
    /// A node ends in good order.
    NodeStopped,
    /// A node is stopped by a signal, and goes on.
    NodeFrozen,
    /// A server of a node is killed.
    PlainKilled,
    /// A server of a node ends in good order.
    PlainStopped,
    /// A server of a node is stopped by a signal, and goes on.
    PlainFrozen,
    /// A server of a node reloads its module, and asks for everything.
    PlainReloaded,
    /// A server and its node cannot reach each other.
    PathCut,
    /// Half of what a server and its node send each other is lost.
    PathLossy,
    /// A server refuses what its node tells it.
    Rejections,
    /// A stranger in the group sends junk, and speaks under other servers' EIDs.
    Stranger,
    /// Nothing gets through on a link between sites.
    LinkCut,
    /// A connection between sites breaks, and is made again.
    LinkReset,
    /// A link's addresses change: for a moment nothing gets through.
    LinkRebound,
    /// A link is slow, and its delay long.
    LinkSlow,
    /// A whole site is without power.
    SiteStopped,
}

impl FaultKind {
    /// Those that only several sites know.
    pub const WIDE: [Self; 5] =
        [Self::LinkCut, Self::LinkReset, Self::LinkRebound, Self::LinkSlow, Self::SiteStopped];

    /// Those of which one comes at the end of a run, alone.
    pub(crate) const DRILL: [Self; 7] = [
        Self::CorosyncKilled,
        Self::NodeKilled,
        Self::StockKilled,
        Self::PlainKilled,
        Self::Split,
        Self::CorosyncFrozen,
        Self::HelperLeft,
    ];

    /// Every kind that one site knows.
    pub const ALL: [Self; 22] = [
        Self::StockKilled,
        Self::StockStopped,
        Self::StockFrozen,
        Self::StockReplaced,
        Self::HelperLeft,
        Self::CorosyncKilled,
        Self::CorosyncFrozen,
        Self::Split,
        Self::Blink,
        Self::Refusals,
        Self::Swallows,
        Self::NodeKilled,
        Self::NodeStopped,
        Self::NodeFrozen,
        Self::PlainKilled,
        Self::PlainStopped,
        Self::PlainFrozen,
        Self::PlainReloaded,
        Self::PathCut,
        Self::PathLossy,
        Self::Rejections,
        Self::Stranger,
    ];
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

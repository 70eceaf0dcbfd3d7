//! What a run is judged by: one file for each promise. Harm to a stock server is seen where it would be done (`asterisk/reader.rs`), and
//! quiet at the end of a run (`world/phases.rs`).
//!
//! The promises are the nodes'. What stock servers get wrong among themselves, and nobody could put right, is excused, and each excuse
//! is counted: a state that a stock server tried to say and could not while nobody knew ([`Mark::StockLost`](crate::Mark)), and lamps of a
//! server whose end was seen by no node that could have told the listener ([`Mark::Unwitnessed`](crate::Mark)).

mod aggregate;
mod blink;
mod bounds;
mod echo;
mod false_word;
mod ghost_lamp;
mod held;
mod intermediate;
pub(crate) mod last_word;
mod lost_site;
mod site_return;

use crate::names::Topic;
use crate::world::World;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What the checkers remember.
#[derive(Default)]
pub(crate) struct Checkers {
    /// How far each listener has come in the history of each server's topics: never back.
    reached: BTreeMap<(usize, usize, Topic), usize>,
    /// Nodes that are on their way back into the group.
    returns: Vec<intermediate::Return>,
    /// When a server was last seen to have told its node not yet all that it had said.
    pub(crate) backlog_at: Duration,
    /// When so much was last waiting for a listener that its lamps may be late.
    crowded: BTreeMap<usize, Duration>,
    /// When something was last said of a topic.
    touched: BTreeMap<Topic, Duration>,
    /// Since when a listener has shown something of a server elsewhere that is older than what it had heard.
    relapses: BTreeMap<(usize, usize, Topic), Duration>,
    /// Sites to which there is no way.
    lost: lost_site::Lost,
    /// The same, with the time at which the last way ended.
    lost_first: lost_site::Lost,
    /// The nodes to which there is a way from each site.
    reached_nodes: BTreeMap<usize, BTreeSet<usize>>,
    /// When a node last went on after a stop, with what had waited for it all the while.
    pub(crate) thawed_at: Duration,
    /// Sites that are on their way back.
    site_returns: Vec<site_return::SiteReturn>,
    /// Links that blink.
    blinks: Vec<blink::Blink>,
}

impl Checkers {
    /// Something is said of a topic.
    pub(crate) fn touch(&mut self, now: Duration, topic: Topic) {
        self.touched.insert(topic, now);
        self.returns.iter_mut().for_each(|back| back.lamps.release(topic));
        self.site_returns.iter_mut().for_each(|back| back.lamps.release(topic));
        self.blinks.iter_mut().for_each(|blink| blink.lamps.release(topic));
    }

    /// The node that is on its way back.
    pub(crate) fn returning(&self) -> Option<usize> {
        self.returns.first().map(|back| back.node)
    }

    /// Something else happens than the return of this node: of others nothing is demanded any more.
    pub(crate) fn interrupt(&mut self, but: Option<usize>) {
        self.returns.retain(|back| Some(back.node) == but);
    }

    /// Something happens that may change lamps of servers elsewhere.
    pub(crate) fn interrupt_links(&mut self) {
        self.site_returns.clear();
        self.blinks.clear();
    }
}

impl World<'_> {
    /// Looks at everything, now and then.
    pub(crate) fn judge(&mut self) {
        ghost_lamp::judge(self);
        aggregate::judge(self);
        bounds::judge(self);
        intermediate::end(self);
        false_word::judge(self);
        site_return::end(self);
        blink::end(self);
        lost_site::judge(self);
    }
}

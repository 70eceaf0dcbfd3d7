//! Lamps that are to stay as they are while something happens that is no news.

use super::blink::Blink;
use super::intermediate::Return;
use super::site_return::SiteReturn;
use crate::names::{Topic, Value};
use crate::report::Checker;
use crate::world::World;
use std::collections::BTreeMap;

/// What each lamp may show, by listener, as far as nobody says anything else.
pub(super) struct Held(BTreeMap<(usize, Topic), Vec<Value>>);

impl Held {
    /// All lamps of which it is known what they may show.
    pub(super) fn of(world: &World<'_>, rights: impl Fn(usize, Topic) -> Option<Vec<Value>>) -> Self {
        let topics = world.model.topics();
        let lamps =
            (0..world.servers.len()).flat_map(|listener| topics.iter().map(move |topic| (listener, *topic)));
        Self(lamps.filter_map(|lamp| Some((lamp, rights(lamp.0, lamp.1)?))).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Something is said of a topic: its lamps may change.
    pub(super) fn release(&mut self, topic: Topic) {
        self.0.retain(|(_, about), _| *about != topic);
    }

    /// What a lamp was to show, if it may not show this.
    fn broken_by(&self, listener: usize, topic: Topic, after: Option<Value>) -> Option<Value> {
        let rights = self.0.get(&(listener, topic))?;
        (!after.is_some_and(|after| rights.contains(&after))).then_some(rights[0])
    }
}

impl World<'_> {
    /// A lamp has changed.
    pub(crate) fn judge_lamp(&mut self, listener: usize, topic: Topic, after: Option<Value>) {
        let after = after.map(Value::shown);
        let Some((checker, right, why)) = self.reason_against(listener, topic, after) else { return };
        let name = &self.servers[listener].name;
        let after = after.map_or("-".to_owned(), |value| value.to_string());
        let text = format!("{name}'s lamp of {topic} goes to {after}, and was to show {right}: {why}");
        self.fail(checker, text);
    }

    /// Which promise it breaks that a lamp shows this, what it was to show, and all that happens meanwhile.
    fn reason_against(
        &self,
        listener: usize,
        topic: Topic,
        after: Option<Value>,
    ) -> Option<(Checker, Value, String)> {
        let broken = |held: &Held| held.broken_by(listener, topic, after);
        let back = |back: &Return| {
            let why = || format!("only {} comes back", self.nodes[back.node].name);
            broken(&back.lamps).map(|right| (Checker::Intermediate, right, why()))
        };
        let blink = |blink: &Blink| {
            let why = || format!("only line {} blinks", blink.line);
            broken(&blink.lamps).map(|right| (Checker::Blink, right, why()))
        };
        let site = |back: &SiteReturn| {
            let why = || format!("only site {} returns", back.site);
            broken(&back.lamps).map(|right| (Checker::SiteReturn, right, why()))
        };
        let checkers = &self.checkers;
        let returns = checkers.returns.iter().find_map(back);
        let blinks = || checkers.blinks.iter().find_map(blink);
        returns.or_else(blinks).or_else(|| checkers.site_returns.iter().find_map(site))
    }
}

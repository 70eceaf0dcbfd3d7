//! No false word: a server is told only what its originator said, in the originator's order, or that the originator is gone.

use super::last_word::in_table;
use crate::names::{Topic, Value, Word};
use crate::report::{Checker, Mark};
use crate::world::World;
use presence::Eid;
use std::time::Duration;

/// For so long after a server was out of anybody's sight somebody may still take its states back: a node repeats what did not come back
/// after ten seconds, and tries a server that did not answer again after sixteen.
const WITHDRAWN_MAX: Duration = Duration::from_secs(30);

/// So long something old may be shown of a server elsewhere: a node of its site waits a second before it corrects what others say.
const RELAPSE_MAX: Duration = Duration::from_secs(3);

/// What was heard again has been corrected in time.
pub(super) fn judge(world: &mut World<'_>) {
    // The time begins when somebody knows better.
    let mut relapses = std::mem::take(&mut world.checkers.relapses);
    let unknown = relapses
        .iter_mut()
        .filter(|((listener, server, topic), _)| !is_known_better(world, *listener, *server, *topic));
    unknown.for_each(|(_, since)| *since = world.now);
    world.checkers.relapses = relapses;
    let late = |since: Duration| world.now > since.max(world.sight.disturbed_at) + RELAPSE_MAX;
    let fair = world.are_links_clear() && !world.is_stormy() && !world.bus.is_forming();
    let relapse = world.checkers.relapses.iter().find(|(_, since)| fair && late(**since));
    if let Some(((listener, server, topic), _)) = relapse {
        let (name, whose) = (&world.servers[*listener].name, &world.servers[*server].name);
        let history = world.last_words(*server, *topic);
        let text = format!("{name} still shows something old of {whose}'s {topic}, which said: {history}");
        world.fail(Checker::FalseWord, text);
    }
}

/// Whether a server is in a listener's sight, and each node that hears it has another word of it than what the listener shows. What a server has
/// said many times in turn, and has not told its node yet, only looks old; who is out of sight is not corrected, but goes out in time; and what a
/// stock server could not say nobody corrects.
fn is_known_better(world: &World<'_>, listener: usize, server: usize, topic: Topic) -> bool {
    let eid = world.servers[server].eid;
    let Some(asterisk) = &world.servers[listener].asterisk else { return false };
    let shows = match topic {
        Topic::Mailbox(_) => asterisk.lamp(topic),
        Topic::Device(_) | Topic::Ephemeral(_) => asterisk.heard(topic, eid).map(Value::State),
    };
    let near = (0..world.nodes.len()).filter(|node| world.node_sees_near(*node, server));
    let mut cores = near.filter_map(|node| world.nodes[node].core.as_ref());
    let lost = world.servers[server].has_lost(topic);
    !lost && world.sees(listener, server) && cores.all(|core| in_table(core, topic, eid) != shows)
}

impl World<'_> {
    /// A listener is told something under an EID.
    pub(crate) fn judge_word(&mut self, listener: usize, eid: Eid, word: Word) {
        if !word.topic.is_cachable() {
            return;
        }
        let name = self.servers[listener].name.clone();
        let Some(server) = self.server_of(eid) else {
            if self.is_reminder(eid, word) {
                return;
            }
            return self.fail(Checker::FalseWord, format!("{name} hears {word} of {eid}, which nobody has"));
        };
        // A server may say itself that a device is unavailable; which of the two it was, nobody can tell.
        if self.is_withdrawal(listener, server, word) {
            self.checkers.relapses.remove(&(listener, server, word.topic));
            return;
        }
        if self.may_come_round(listener, server) && self.is_relapse(listener, server, word) {
            return;
        }
        if !self.is_said(listener, server, word) {
            let whose = self.servers[server].name.clone();
            let history = self.last_words(server, word.topic);
            let text = format!("{name} hears {word} of {whose}, which said: {history}");
            self.fail(Checker::FalseWord, text);
        }
    }

    /// Whether a node tells, under its own EID, what some server said of a mailbox: the only way to tell a server that its own word is not the
    /// last.
    fn is_reminder(&self, eid: Eid, word: Word) -> bool {
        let says = |server: usize| {
            self.model.history(server, word.topic).iter().any(|said| said.value == Some(word.value))
        };
        let node = self.nodes.iter().any(|node| node.eid == eid);
        node && matches!(word.topic, Topic::Mailbox(_)) && self.model.speakers(word.topic).any(says)
    }

    /// Whether a server said so, no earlier than what this listener has heard already.
    fn is_said(&mut self, listener: usize, server: usize, word: Word) -> bool {
        let history = self.model.history(server, word.topic);
        let reached = self.checkers.reached.entry((listener, server, word.topic)).or_default();
        let further = history.iter().skip(*reached).position(|said| said.value == Some(word.value));
        *reached += further.unwrap_or(0);
        further.is_some()
    }

    /// Whether a listener may hear of a server over links: from elsewhere, or from the other part of its own site's group.
    fn may_come_round(&self, listener: usize, server: usize) -> bool {
        let site = self.site_of(listener);
        let mates = (0..self.nodes.len()).filter(|node| self.wan.site_of_node(*node).number == site);
        self.wan.sites > 1 && (self.site_of(server) != site || mates.count() > 1)
    }

    /// Whether a listener hears of a server elsewhere what it has heard before. Two nodes of one site each give their word to what its servers
    /// say, and the words of two gates cross in a group; whoever knows better says so at once.
    fn is_relapse(&mut self, listener: usize, server: usize, word: Word) -> bool {
        let key = (listener, server, word.topic);
        let reached = self.checkers.reached.get(&key).copied().unwrap_or(0);
        let history = self.model.history(server, word.topic);
        let further = history.iter().skip(reached).any(|said| said.value == Some(word.value));
        if further || !history.iter().any(|said| said.value == Some(word.value)) {
            self.checkers.relapses.remove(&key);
            return false;
        }
        let now = self.now;
        self.checkers.relapses.entry(key).or_insert(now);
        self.stats.mark(Mark::Relapse);
        let name = self.servers[listener].name.clone();
        self.note(&name, || format!("is told {word}, which is older than what it has heard"));
        true
    }

    /// Whether it takes back what a server said, when there was a reason to. What another has overwritten of a mailbox, the server
    /// does not say again when it is back from a split, and so it stays taken back; nodes that come later are told.
    fn is_withdrawal(&self, listener: usize, server: usize, word: Word) -> bool {
        let asterisk = self.servers[server].asterisk.as_ref();
        // What a stock server could not say, nobody knows that it stands for.
        let lost = self.servers[server].stock().is_some_and(|stock| stock.lost.contains(&word.topic));
        let stands = self.model.current(server, word.topic).is_some()
            && !lost
            && asterisk.is_some_and(|asterisk| asterisk.stands_for(word.topic));
        let late = WITHDRAWN_MAX + self.servers[listener].late;
        // A link that is cut as soon as it is up seems to be one, and nothing has come over it.
        let torn = self.is_far(listener, server) && !self.are_links_clear();
        // It may have begun anew and not said this again in time.
        let history = self.model.history(server, word.topic);
        let ended = history.iter().any(|said| said.value.is_none() && self.now < said.at + late);
        let unseen = self.sight.unseen_at(server).is_some_and(|at| self.now < at + late);
        let behind = self.servers[server].has_backlog() || self.is_crowded_lately(listener);
        let absent = !stands || torn || ended || unseen || behind;
        absent && (word.value == Value::withdrawn(word.topic) || self.falls_back(server, word))
    }

    /// A mailbox has one value at an Asterisk: when a server goes, it is what another said of it.
    fn falls_back(&self, server: usize, word: Word) -> bool {
        let mut others = self.model.speakers(word.topic).filter(|other| *other != server);
        let says = |other: usize| {
            self.model.history(other, word.topic).iter().any(|said| said.value == Some(word.value))
        };
        matches!(word.topic, Topic::Mailbox(_)) && others.any(says)
    }

    /// The end of a history, for people.
    pub(crate) fn last_words(&self, server: usize, topic: Topic) -> String {
        let history = self.model.history(server, topic);
        let said = history.iter().skip(history.len().saturating_sub(6)).map(|said| {
            let value = said.value.map_or("(ended)".to_owned(), |value| value.to_string());
            format!("{value} at {:.3}", said.at.as_secs_f64())
        });
        said.collect::<Vec<_>>().join(", ")
    }
}

//! What is taken from links, and from the nodes of our group.

use super::filter::Barred;
use super::frame::{Frame, Hello, Standing, Statement};
use super::ledger::{BUCKETS, Entry, Version};
use super::peer::{Comparison, PeerId};
use super::roster::{Place, Worth};
use super::telling::reordered;
use super::{AHEAD_WAIT, Effect, Links, Rumour, SILENCE_WAIT, STANDBY_WAIT, Way};
use crate::{Eid, States, Subject};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

/// A version is a time, and none lies so far ahead of ours, in microseconds: a clock that begins again in 1970 still takes what is said today. Whoever
/// could give one without bound would have the last word for ever.
const AHEAD_MAX_US: u64 = 100 * 365 * 24 * 3_600 * 1_000_000;

/// What others remember of this site's servers and those have not said again is taken back in turns, if it is more.
const RUMOURS_MAX: usize = 200_000;

impl Links {
    /// A frame came. Returns what it does.
    pub fn hear(
        &mut self,
        now: Duration,
        now_us: u64,
        way: Way,
        frame: Frame,
        states: &States,
    ) -> Vec<Effect> {
        if way == Way::Group && !self.has_links {
            self.has_links = true;
            self.meet_group();
        }
        let mut effects = Vec::new();
        let absurd = |clock: u64| clock > now_us.saturating_add(AHEAD_MAX_US);
        match (frame, way) {
            (Frame::Adjacency(adjacency), _) if absurd(adjacency.version) => {
                effects.push(self.bar_clock(way, adjacency.node));
            }
            (Frame::Adjacency(adjacency), _) => {
                let node = adjacency.node;
                let silent = self.left_to_others();
                match self.roster.hear(now, adjacency) {
                    Worth::News => self.tell_node(node, Some(way)),
                    Worth::Ours => self.tell_node(node, None),
                    Worth::Known => {}
                    Worth::Full => effects.push(Effect::Refuse),
                }
                self.compare_where_we_speak(&silent);
            }
            (Frame::States(statements), _) => {
                for it in statements {
                    if absurd(it.version.clock) {
                        effects.push(self.bar_clock(way, it.eid));
                    } else {
                        self.take(now, way, it, states, &mut effects);
                    }
                }
            }
            (Frame::Hello(hello), Way::Link(peer)) => self.meet(now, now_us, peer, &hello),
            (Frame::Digest(standings), Way::Link(peer)) => {
                effects.extend(self.compare_all(peer, &standings));
            }
            (Frame::Digest(standings), Way::Group) => self.tell_group_what_differs(&standings),
            (Frame::Buckets { eid, fingerprints, answer }, Way::Link(peer)) => {
                effects.extend(self.compare_one(peer, eid, &fingerprints, answer));
            }
            // In a group nobody needs to say who he is, and servers are told whole.
            (Frame::Hello(_) | Frame::Buckets { .. }, Way::Group) => {}
        }
        effects
    }

    /// A node of the group has said this there for stock servers, too: nobody need wait for it any longer. What nodes tell each other in frames
    /// those do not hear.
    pub fn heard_said(&mut self, eid: Eid, subject: &Subject, version: Version) {
        self.standby.settle(eid, subject, version);
    }

    fn bar_clock(&mut self, way: Way, eid: Eid) -> Effect {
        match way {
            Way::Link(peer) => {
                let first = self.peers[peer.0].heard.bar(Barred::Clock, true);
                Effect::Bar { peer, eid, rule: Barred::Clock, first }
            }
            Way::Group => Effect::Refuse,
        }
    }

    /// The node at the other end says who it is.
    fn meet(&mut self, now: Duration, now_us: u64, peer: PeerId, hello: &Hello) {
        self.peers[peer.0].meet(hello.node);
        self.refresh(now, now_us);
        self.tell_roster(Way::Link(peer));
    }

    /// The peer tells what it knows of each server. Of one of which it knows nothing it is told all at once; of one of which it knows something else,
    /// it is asked what. Of one that we do not know it tells us all, for it has our digest, too.
    fn compare_all(&mut self, peer: PeerId, theirs: &[Standing]) -> Option<Effect> {
        let theirs = by_eid(theirs);
        let differing: Vec<Eid> = self.ledger.eids().filter(|eid| self.differs(*eid, &theirs)).collect();
        let (asked, told) = differing.into_iter().partition::<Vec<_>, _>(|eid| theirs.contains_key(eid));
        told.into_iter().for_each(|eid| self.tell_differing(peer, eid, &[0; BUCKETS]));
        let ask = |eid| self.peers[peer.0].push_comparison(Comparison::One { eid, answer: false });
        (!asked.into_iter().all(ask)).then_some(Effect::Refuse)
    }

    fn differs(&self, eid: Eid, theirs: &BTreeMap<Eid, u64>) -> bool {
        theirs.get(&eid).copied().unwrap_or(0) != self.ledger.summary(eid).1
    }

    fn tell_group_what_differs(&mut self, theirs: &[Standing]) {
        let theirs = by_eid(theirs);
        let foreign = self.ledger.eids().filter(|eid| !self.site.vouches_for(*eid) && self.is_gate(*eid));
        for eid in foreign.filter(|eid| self.differs(*eid, &theirs)).collect::<Vec<_>>() {
            for subject in self.ledger.subjects(eid).cloned().collect::<Vec<_>>() {
                self.group.push_state(eid, &subject);
            }
        }
    }

    /// Tells what a server says in the parts of which the peer has other fingerprints; who knows nothing of it has none.
    fn tell_differing(&mut self, peer: PeerId, eid: Eid, theirs: &[u64; BUCKETS]) {
        for subject in self.ledger.differing(eid, theirs) {
            self.tell_one(peer, eid, &subject);
        }
    }

    fn compare_one(
        &mut self,
        peer: PeerId,
        eid: Eid,
        theirs: &[u64; BUCKETS],
        answer: bool,
    ) -> Option<Effect> {
        self.tell_differing(peer, eid, theirs);
        let answered = answer || self.peers[peer.0].push_comparison(Comparison::One { eid, answer: true });
        (!answered).then_some(Effect::Refuse)
    }

    fn take(
        &mut self,
        now: Duration,
        way: Way,
        statement: Statement,
        states: &States,
        effects: &mut Vec<Effect>,
    ) {
        if self.site.vouches_for(statement.eid) {
            effects.extend(self.judge_rumour(now, way, statement, states));
            return;
        }
        if !self.believes(way, statement.eid) {
            // An earlier run of this node may have given the version, and it is not to be given again.
            self.ledger.outdo(statement.version);
            // Once somebody vouches for the server again, all is compared.
            self.forget_for_now(statement.eid);
            return;
        }
        // What peers remember of our own site's servers that are gone is no trespass.
        let trespass = !self.was_of_this_site(statement.eid);
        if let Way::Link(peer) = way
            && let Err((rule, first)) =
                self.peers[peer.0].heard.admit(statement.eid, &statement.change, trespass)
        {
            effects.push(Effect::Bar { peer, eid: statement.eid, rule, first });
            return;
        }
        let Statement { eid, change, withdrawn, version, origin } = statement;
        let subject = change.subject();
        if let Some(known) = self.ledger.of(eid, &subject).filter(|known| known.version >= version) {
            if known.version > version {
                effects.extend(self.contradict(now, way, eid, &subject));
            }
            return;
        }
        if !self.ledger.has_room(eid, &subject) {
            effects.push(Effect::Refuse);
            return;
        }
        self.ledger.put(eid, &subject, Entry::heard(version, withdrawn));
        if self.roster.place(eid) != Place::Vouched {
            self.unvouched.entry(eid).or_insert(now);
        }
        self.tell(eid, &subject, Some(way));
        let say = matches!(way, Way::Link(_)) && self.says(now, eid, &subject, version);
        effects.push(if withdrawn {
            Effect::Withdraw { eid, subject: subject.clone() }
        } else {
            Effect::Enter { eid, change, origin }
        });
        effects.extend(say.then_some(Effect::Say { eid, subject }));
    }

    /// Whether what comes about a server elsewhere can be true. It cannot if the server is one of our site and nobody in our group has heard of
    /// it, nor if it was on its way for longer than the server was waited for. On a link who vouches for whom comes before what those
    /// say; in the group it may come later.
    fn believes(&self, way: Way, eid: Eid) -> bool {
        let gone = || match self.roster.place(eid) {
            Place::Vouched => false,
            Place::Unvouched => self.forgotten.contains(&eid),
            Place::CutOff | Place::Unknown => way != Way::Group || self.forgotten.contains(&eid),
        };
        !self.is_of_this_site(eid) && !gone()
    }

    /// Whether a node that calls our site its own vouches for a server, or did so last.
    fn was_of_this_site(&self, eid: Eid) -> bool {
        let home = self.roster.home(eid).and_then(|home| self.roster.of(home));
        home.is_some_and(|home| home.site == self.hello.site)
    }

    /// Something old comes. Who says it may have said so before it heard us, or never hear what we know from anybody else.
    fn contradict(&mut self, now: Duration, way: Way, eid: Eid, subject: &Subject) -> Option<Effect> {
        match way {
            Way::Link(peer) => {
                self.peers[peer.0].push_state(eid, subject);
                None
            }
            // It may be the gate itself, whose link is dead and not yet given up.
            Way::Group => {
                self.falls_to_us(now, eid, subject).then(|| Effect::Say { eid, subject: subject.clone() })
            }
        }
    }

    /// Whether a state is to be said in the group by us. If it falls to another node, we wait whether that does.
    pub(crate) fn falls_to_us(&mut self, now: Duration, eid: Eid, subject: &Subject) -> bool {
        self.version(eid, subject).is_some_and(|version| self.says(now, eid, subject, version))
    }

    fn says(&mut self, now: Duration, eid: Eid, subject: &Subject, version: Version) -> bool {
        let ours = self.is_gate(eid);
        if !ours {
            self.standby.wait(now + STANDBY_WAIT, eid, subject, version);
        }
        ours
    }

    /// Somebody says something of a server of this site, which we hear ourselves.
    fn judge_rumour(
        &mut self,
        now: Duration,
        way: Way,
        statement: Statement,
        states: &States,
    ) -> Option<Effect> {
        let Statement { eid, change, withdrawn, version, .. } = statement;
        let subject = change.subject();
        self.ledger.outdo(version);
        let key = (eid, subject.clone());
        if self.rumours.get(&key).is_some_and(|rumour| rumour.version >= version) {
            return None;
        }
        if self.rumours.len() >= RUMOURS_MAX && !self.rumours.contains_key(&key)
            || !self.ledger.has_room(eid, &subject)
        {
            return Some(Effect::Refuse);
        }
        let ours = self.ledger.of(eid, &subject);
        let same = match ours {
            Some(ours) if ours.withdrawn => withdrawn,
            _ if withdrawn => ours.is_none(),
            // A node without links gives no versions until it hears that others have some.
            _ => states.says(eid, &change),
        };
        let newer = ours.is_none_or(|ours| version > ours.version);
        if matches!(subject, Subject::Mailbox(_)) && same {
            return self.agree_on_order(way, eid, &subject, Entry::heard(version, withdrawn), newer);
        } else if same && ours.is_none_or(|ours| ours.yields_to(version)) {
            self.ledger.put(eid, &subject, Entry::heard(version, withdrawn));
        } else if !same && ours.is_none_or(|ours| version >= ours.version) {
            // An equal one was given by an earlier run of this node.
            let wait = if ours.is_some() { AHEAD_WAIT } else { SILENCE_WAIT };
            let change = (!withdrawn).then_some(change);
            self.rumours.insert(key, Rumour { change, version, until: now + wait });
        } else if !same {
            self.at(way).push_state(eid, &subject);
        }
        None
    }

    /// Somebody has given another version to what a server of this site says of a mailbox. All have to come to the same, because it says whose word
    /// about the mailbox is the latest; so the highest counts, and whoever may not have heard it is told.
    fn agree_on_order(
        &mut self,
        way: Way,
        eid: Eid,
        subject: &Subject,
        theirs: Entry,
        newer: bool,
    ) -> Option<Effect> {
        if newer {
            self.ledger.put(eid, subject, theirs);
            self.tell(eid, subject, Some(way));
            if way == Way::Group {
                self.shared.insert((eid, subject.clone()), theirs.version);
            }
            self.share(eid, subject);
            return reordered(subject);
        }
        if self.ledger.of(eid, subject).is_some_and(|ours| ours.version > theirs.version) {
            self.at(way).push_state(eid, subject);
        }
        None
    }
}

/// The fingerprints that somebody has of each server of which it knows something.
fn by_eid(standings: &[Standing]) -> BTreeMap<Eid, u64> {
    let known = standings.iter().filter(|standing| standing.fingerprint != 0);
    known.map(|standing| (standing.eid, standing.fingerprint)).collect()
}

//! Servers without cluster module: PUBLISH to their node, and from it.
//!
//! Requests are repeated until they are answered or given up, each side knows only its own half, and a process that is new knows
//! nothing of its predecessor's publications.

use super::{Event, World};
use crate::names::Word;
use crate::report::{Checker, Mark};
use crate::server::{Flight, Item, Publish, channel_of};
use crate::shell::{Report, Standing};
use presence::{Input, Outcome, ServerId};
use std::time::Duration;

/// How long a server waits for an answer.
const SERVER_PATIENCE: Duration = Duration::from_secs(32);
/// How long a node waits for one.
const NODE_PATIENCE: Duration = Duration::from_secs(8);
/// The first and the longest wait before a request is sent again.
const AGAIN_MIN: Duration = Duration::from_millis(500);
const AGAIN_MAX: Duration = Duration::from_secs(4);
/// Two packages' wishes to be told everything, within this time, are one.
const TWIN: Duration = Duration::from_secs(1);

/// From a server to its node.
impl World<'_> {
    pub(super) fn queue_report(&mut self, server: usize, word: Word) {
        self.queue_item(server, channel_of(word.topic), Item::State(word));
    }

    fn queue_item(&mut self, server: usize, channel: usize, item: Item) {
        self.servers[server].plain_mut().channels[channel].queue.push_back(item);
        self.next_report(server, channel);
    }

    /// Sends the next request, if none is under way.
    fn next_report(&mut self, server: usize, channel: usize) {
        let number = self.counted();
        let life = self.servers[server].life;
        let now = self.now;
        let plain = self.servers[server].plain_mut();
        let channel_of = &mut plain.channels[channel];
        if channel_of.flight.is_some() || plain.starting {
            return;
        }
        let Some(item) = channel_of.queue.pop_front() else { return };
        channel_of.flight = Some(Flight { number, item, since: now, delivered: None, answer: None });
        self.attempt_report(server, life, channel, number);
    }

    /// Sends the request in flight, or sends it again.
    pub(super) fn attempt_report(&mut self, server: usize, life: u32, channel: usize, number: u64) {
        let the = &self.servers[server];
        if the.life != life || the.asterisk.is_none() {
            return;
        }
        let (frozen, plain) = (the.frozen, the.plain().expect("only these report"));
        let Some(flight) = plain.channels[channel].flight.filter(|flight| flight.number == number) else {
            return;
        };
        let node = plain.node;
        let age = self.now - flight.since;
        if age >= SERVER_PATIENCE && !frozen {
            self.stats.mark(Mark::ReportDropped);
            self.servers[server].plain_mut().channels[channel].flight = None;
            return self.next_report(server, channel);
        }
        let again = age.clamp(AGAIN_MIN, AGAIN_MAX);
        self.plan(again, Event::ReportAttempt { server, life, channel, number });
        if frozen || !self.gets_through(server) || self.nodes[node].core.is_none() {
            return;
        }
        let node_life = self.nodes[node].life;
        let travel = self.random.time(self.options.sip.clone());
        if flight.delivered != Some(node_life) {
            self.flight_mut(server, channel, number, |flight| {
                flight.delivered = Some(node_life);
                flight.answer = None;
            });
            let item = flight.item;
            self.plan(travel, Event::ReportArrives { server, life, node_life, channel, number, item });
        } else if let Some(accepted) = flight.answer {
            self.plan(travel, Event::ReportAnswered { server, life, channel, number, accepted });
        }
    }

    /// Whether a datagram between a server and its node arrives.
    fn gets_through(&mut self, server: usize) -> bool {
        let plain = self.servers[server].plain().expect("only these have a path");
        let (cut, loss) = (plain.cut, plain.loss);
        !cut && !self.random.chance(loss)
    }

    fn flight_mut(&mut self, server: usize, channel: usize, number: u64, change: impl FnOnce(&mut Flight)) {
        let flight = &mut self.servers[server].plain_mut().channels[channel].flight;
        if let Some(flight) = flight.as_mut().filter(|flight| flight.number == number) {
            change(flight);
        }
    }

    /// A request reaches the node's agent, which hands states to the core and answers all else itself.
    pub(super) fn receive_report(
        &mut self,
        server: usize,
        life: u32,
        node_life: u32,
        channel: usize,
        number: u64,
        item: Item,
    ) {
        let plain = self.servers[server].plain().expect("only these report");
        let (node, slot, published) = (plain.node, plain.slot, plain.channels[channel].published);
        if self.nodes[node].life != node_life || self.nodes[node].core.is_none() {
            return;
        }
        self.hear_from(node, slot);
        let link = &mut self.nodes[node].links[slot];
        let fresh = link.knows[channel] != Some(life);
        link.knows[channel] = Some(life);
        let (now, id) = (self.now, self.counted());
        let link = &mut self.nodes[node].links[slot];
        let id_of = ServerId(slot);
        let eid = self.servers[server].eid;
        let inputs = match item {
            Item::State(word) => {
                self.nodes[node].reports.insert(id, Report { server, life, channel, number });
                vec![Input::Report { server: id_of, report: id, eid, change: word.change() }]
            }
            Item::Refresh => {
                let twin =
                    link.refresh_asked.take_if(|(first, at)| *first != channel && now < *at + TWIN).is_some();
                if !twin {
                    link.refresh_asked = Some((channel, now));
                    link.told = None;
                }
                // An initial request that asks for everything comes from a new process; but also from one whose node is new.
                let input = if fresh { Input::Restarted(id_of) } else { Input::ResyncAsked(id_of) };
                self.answer_report(server, life, channel, number, true);
                if twin { vec![] } else { vec![Input::Named { server: id_of, eid }, input] }
            }
        };
        let who = self.servers[server].name.clone();
        self.note(&who, || format!("told its node {item:?}, published {published}, fresh {fresh}"));
        if !inputs.is_empty() {
            self.nodes[node].sip_inbox.extend(inputs);
            self.plan_turn(node);
        }
    }

    /// The node has judged a report.
    pub(super) fn answer_report(
        &mut self,
        server: usize,
        life: u32,
        channel: usize,
        number: u64,
        accepted: bool,
    ) {
        if self.servers[server].life != life {
            return;
        }
        self.flight_mut(server, channel, number, |flight| flight.answer = Some(accepted));
        if self.gets_through(server) {
            let travel = self.random.time(self.options.sip.clone());
            self.plan(travel, Event::ReportAnswered { server, life, channel, number, accepted });
        }
    }

    /// An answer reaches the server. What was refused is dropped.
    pub(super) fn end_report(
        &mut self,
        server: usize,
        life: u32,
        channel: usize,
        number: u64,
        accepted: bool,
    ) {
        let the = &mut self.servers[server];
        if the.life != life || the.asterisk.is_none() {
            return;
        }
        if the.frozen {
            // It waits in its socket; the request is repeated when the server goes on, and answered again.
            return;
        }
        let channel_of = &mut the.plain_mut().channels[channel];
        let Some(flight) = channel_of.flight.take_if(|flight| flight.number == number) else { return };
        channel_of.published |= accepted;
        if let Item::State(word) = flight.item {
            let plain = the.plain_mut();
            plain.untold.remove(&word.topic);
            if plain.told.insert(word.topic, flight.delivered).is_none() {
                plain.told_first_at = self.now;
            }
        }
        self.next_report(server, channel);
    }
}

/// From a node to its server.
impl World<'_> {
    /// Sends the request in flight, or sends it again.
    pub(super) fn attempt_publish(&mut self, node: usize, life: u32, slot: usize, number: u64) {
        let shell = &self.nodes[node];
        if shell.life != life || shell.core.is_none() {
            return;
        }
        let link = &shell.links[slot];
        let Some(flight) = link.flight.filter(|flight| flight.publish.number == number) else { return };
        let (server, frozen) = (link.server, shell.frozen);
        let age = self.now - flight.since;
        if age >= NODE_PATIENCE && !frozen {
            return self.settle_publish(node, life, slot, number, Outcome::Unanswered);
        }
        let again = age.clamp(AGAIN_MIN, AGAIN_MAX);
        self.plan(again, Event::PublishAttempt { node, life, slot, number });
        if frozen || !self.gets_through(server) || self.servers[server].asterisk.is_none() {
            return;
        }
        let travel = self.random.time(self.options.sip.clone());
        let server_life = self.servers[server].life;
        if flight.delivered != Some(server_life) {
            let flight = self.nodes[node].links[slot].flight.as_mut().expect("it was there");
            flight.delivered = Some(server_life);
            flight.outcome = None;
            let publish = flight.publish;
            self.plan(travel, Event::PublishArrives { server, life: server_life, publish });
        } else if let Some(outcome) = flight.outcome {
            self.plan(travel, Event::PublishSettled { node, life, slot, number, outcome });
        }
    }

    /// A request reaches the server.
    pub(super) fn receive_publish(&mut self, server: usize, life: u32, publish: Publish) {
        let the = &mut self.servers[server];
        if the.life != life || the.asterisk.is_none() {
            return;
        }
        if the.frozen {
            return the.plain_mut().late.push_back(publish);
        }
        let (node, slot) = (the.plain_mut().node, the.plain_mut().slot);
        let asks = self.nodes[node].life == publish.node_life;
        let link = &mut self.nodes[node].links[slot];
        if asks && link.told.is_some_and(|told| told != life) {
            // 412: the publication was another process's. It is published anew, and the core hears of it.
            link.forget();
            self.stats.mark(Mark::Forgotten);
            self.nodes[node].sip_inbox.push_back(Input::ResyncAsked(ServerId(slot)));
            self.plan_turn(node);
        }
        let outcome = self.obey(server, publish);
        let shell = &mut self.nodes[node];
        if shell.life != publish.node_life {
            return;
        }
        let link = &mut shell.links[slot];
        let Some(flight) = link.flight.as_mut().filter(|flight| flight.publish.number == publish.number)
        else {
            return;
        };
        flight.outcome = Some(outcome);
        if self.gets_through(server) {
            let travel = self.random.time(self.options.sip.clone());
            let (life, number) = (publish.node_life, publish.number);
            self.plan(travel, Event::PublishSettled { node, life, slot, number, outcome });
        }
    }

    /// What the server does with a request.
    fn obey(&mut self, server: usize, publish: Publish) -> Outcome {
        let Some((eid, word)) = publish.state else {
            self.dump_to_node(server);
            return Outcome::Accepted;
        };
        if eid == self.servers[server].eid {
            let name = self.servers[server].name.clone();
            self.fail(
                Checker::Echo,
                format!("{name} was told its own {word}, which overwrites what it knows itself"),
            );
        }
        let whose = self.server_of(eid);
        let rejecting = self.servers[server].plain_mut().rejecting && self.random.chance(0.5);
        if let Some(whose) = whose {
            let rejected = &mut self.servers[server].plain_mut().rejected;
            if rejecting {
                rejected.insert((whose, word.topic));
            } else {
                rejected.remove(&(whose, word.topic));
            }
        }
        if rejecting {
            return Outcome::Rejected;
        }
        self.enter(server, eid, word);
        Outcome::Accepted
    }

    fn dump_to_node(&mut self, server: usize) {
        let Some(asterisk) = &self.servers[server].asterisk else { return };
        for word in asterisk.own_words() {
            self.queue_report(server, word);
        }
    }

    /// A request has ended at the node.
    pub(super) fn settle_publish(
        &mut self,
        node: usize,
        life: u32,
        slot: usize,
        number: u64,
        outcome: Outcome,
    ) {
        let shell = &mut self.nodes[node];
        if shell.life != life || shell.core.is_none() {
            return;
        }
        let link = &mut shell.links[slot];
        let Some(flight) = link.flight.take_if(|flight| flight.publish.number == number) else { return };
        if outcome == Outcome::Accepted {
            link.told = flight.delivered;
        }
        if outcome != Outcome::Unanswered {
            self.hear_from(node, slot);
        }
        self.nodes[node].sip_inbox.push_back(Input::Settled { server: ServerId(slot), outcome });
        self.plan_turn(node);
    }
}

/// Signs of life.
impl World<'_> {
    /// The node asks its server for a sign of life, and looks whether it has been silent for too long.
    pub(super) fn qualify(&mut self, node: usize, life: u32, slot: usize) {
        const PERIOD: Duration = Duration::from_secs(2);
        const SILENCE: Duration = Duration::from_secs(6);
        if self.nodes[node].life != life || self.nodes[node].core.is_none() {
            return;
        }
        self.plan(PERIOD, Event::Qualify { node, life, slot });
        if self.nodes[node].frozen {
            return;
        }
        let server = self.nodes[node].links[slot].server;
        // A question is asked three times.
        if self.servers[server].is_well() && (0..3).any(|_| self.gets_through(server)) {
            self.hear_from(node, slot);
        } else if self.now >= self.nodes[node].links[slot].heard_at + SILENCE {
            self.miss(node, slot);
        }
    }

    /// A sign of life.
    fn hear_from(&mut self, node: usize, slot: usize) {
        let link = &mut self.nodes[node].links[slot];
        link.heard_at = self.now;
        if link.standing != Standing::Alive {
            link.standing = Standing::Alive;
            self.nodes[node].sip_inbox.push_back(Input::Alive(ServerId(slot)));
            self.plan_turn(node);
            self.look();
        }
    }

    /// The server is gone, as far as the node can see, or has said that it goes.
    pub(super) fn miss(&mut self, node: usize, slot: usize) {
        let link = &mut self.nodes[node].links[slot];
        if link.standing != Standing::Silent {
            link.standing = Standing::Silent;
            link.forget();
            self.nodes[node].sip_inbox.push_back(Input::Silent(ServerId(slot)));
            self.plan_turn(node);
            self.look();
        }
    }
}

/// A server's life.
impl World<'_> {
    pub(super) fn start_plain(&mut self, server: usize) {
        if self.servers[server].asterisk.is_some() {
            return;
        }
        let plain = self.servers[server].plain_mut();
        plain.channels = Default::default();
        plain.late.clear();
        plain.rejected.clear();
        plain.told.clear();
        self.start_plain_queues(server);
    }

    fn start_plain_queues(&mut self, server: usize) {
        // Its first requests ask for everything; the states follow.
        for channel in self.servers[server].plain_mut().channels.iter_mut() {
            channel.queue.push_back(Item::Refresh);
        }
        self.servers[server].plain_mut().starting = true;
        self.start_server(server);
        // It answers before the module that reports is loaded.
        let wait = self.random.time(Duration::ZERO..Duration::from_secs(1));
        let life = self.servers[server].life;
        self.plan(wait, Event::ReportBegin { server, life });
    }

    pub(super) fn begin_reports(&mut self, server: usize, life: u32) {
        if self.servers[server].life == life && self.servers[server].asterisk.is_some() {
            self.servers[server].plain_mut().starting = false;
            for channel in 0..2 {
                self.next_report(server, channel);
            }
        }
    }

    /// A server or its node ends: what it has not told this run of its node, nobody knows.
    pub(super) fn leave_untold(&mut self, server: usize) {
        let topics = self.servers[server].topics.clone();
        let plain = self.servers[server].plain_mut();
        let life = self.nodes[plain.node].life;
        let untold = topics.into_iter().filter(|topic| plain.told.get(topic) != Some(&Some(life)));
        plain.untold.extend(untold.collect::<Vec<_>>());
    }

    pub(super) fn end_plain(&mut self, server: usize, orderly: bool) {
        if self.servers[server].asterisk.is_none() {
            return;
        }
        let plain = self.servers[server].plain_mut();
        let (node, slot, cut) = (plain.node, plain.slot, plain.cut);
        self.leave_untold(server);
        self.end_server(server);
        if orderly && !cut && self.nodes[node].is_well() {
            // It removes its publications.
            self.miss(node, slot);
        }
    }

    /// The module is loaded again: it asks for everything, and says nothing.
    pub(super) fn reload_plain(&mut self, server: usize) {
        for channel in 0..2 {
            self.queue_item(server, channel, Item::Refresh);
        }
    }

    /// The process goes on: it takes what has waited in its socket.
    pub(super) fn thaw_plain(&mut self, server: usize) {
        let life = self.servers[server].life;
        while let Some(publish) = self.servers[server].plain_mut().late.pop_front() {
            self.receive_publish(server, life, publish);
        }
    }
}

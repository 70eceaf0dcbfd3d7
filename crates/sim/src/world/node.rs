//! A node's loop: it gives the core what happened, and carries out what the core wants.

use super::{Event, World};
use crate::names::Word;
use crate::report::{Checker, Mark};
use crate::server::Publish;
use crate::shell::OutFlight;
use presence::{Input, Message, Note, Output, ServerId};
use std::rc::Rc;
use std::time::Duration;

/// Effects that one turn may have; more do not end.
const OUTPUTS_MAX: usize = 100_000;
/// How long the way out may take.
const STOPPING_MAX: Duration = Duration::from_secs(10);

impl World<'_> {
    pub(super) fn plan_turn(&mut self, node: usize) {
        let wait = self.random.time(self.options.dispatch.clone());
        let shell = &mut self.nodes[node];
        let life = shell.life;
        if shell.core.is_some() && !std::mem::replace(&mut shell.turn_planned, true) {
            self.plan(wait, Event::Turn { node, life });
        }
    }

    /// One turn: the group, the servers, the clock, and what follows from them.
    pub(super) fn take_turn(&mut self, node: usize, life: u32) {
        let shell = &mut self.nodes[node];
        if shell.life != life || !shell.is_well() {
            return;
        }
        shell.turn_planned = false;
        for _ in 0..self.options.batch {
            let Some(incoming) = self.nodes[node].group_inbox.pop_front() else { break };
            if let Some(input) = self.take_incoming(node, incoming) {
                self.give(node, input);
            }
        }
        for _ in 0..self.options.batch {
            let Some(input) = self.nodes[node].sip_inbox.pop_front() else { break };
            self.give(node, input);
        }
        for _ in 0..self.options.batch {
            let Some(input) = self.nodes[node].link_inbox.pop_front() else { break };
            self.give(node, input);
        }
        self.pass_time(node);
        self.carry_out(node);
        let shell = &self.nodes[node];
        let inboxes = [shell.sip_inbox.is_empty(), shell.link_inbox.is_empty()];
        if !shell.group_inbox.is_empty() || inboxes.contains(&false) {
            self.plan_turn(node);
        }
        self.advance_way_out(node);
    }

    /// The core hears what happened.
    fn give(&mut self, node: usize, input: Input) {
        let shell = &mut self.nodes[node];
        let (now, who) = (self.now - shell.born, shell.name.clone());
        for input in self.saboteur.inputs(node, input) {
            self.note(&who, || format!("takes {}", told(&input)));
            if let Some(core) = &mut self.nodes[node].core {
                core.handle(now, input);
            }
        }
    }

    pub(super) fn wake(&mut self, node: usize, life: u32) {
        if self.nodes[node].life == life && self.nodes[node].is_well() {
            self.stats.wakeups += 1;
            self.pass_time(node);
            self.carry_out(node);
            self.advance_way_out(node);
        }
    }

    fn pass_time(&mut self, node: usize) {
        let now = self.now - self.nodes[node].born;
        let Some(core) = &mut self.nodes[node].core else { return };
        let Some((at, why)) = core.poll_timeout() else { return };
        if at <= now {
            core.handle_timeout(now);
            let who = self.nodes[node].name.clone();
            self.note(&who, || format!("wakes: {why:?}"));
        }
    }

    /// Carries out all that the core wants, and plans its next waking.
    pub(super) fn carry_out(&mut self, node: usize) {
        for _ in 0..OUTPUTS_MAX {
            if let Some(input) = self.saboteur.invented(node) {
                self.give(node, input);
            }
            let Some(output) = self.next_output(node) else {
                self.send(node);
                self.send_over_links(node);
                return self.plan_wake(node);
            };
            self.judge_output(node, &output);
            self.carry_out_one(node, output);
        }
        self.fail(Checker::Bounds, format!("{} does not stop wanting things done", self.nodes[node].name));
    }

    fn next_output(&mut self, node: usize) -> Option<Output> {
        if let Some(output) = self.saboteur.forged(node) {
            return Some(output);
        }
        loop {
            let shell = &mut self.nodes[node];
            let now = self.now - shell.born;
            let output = shell.core.as_mut()?.poll_output(now)?;
            let output = self.saboteur.outputs(node, shell.member, output);
            if output.is_some() {
                return output;
            }
            while let Some(input) = self.saboteur.invented(node) {
                self.give(node, input);
            }
        }
    }

    fn plan_wake(&mut self, node: usize) {
        /// A core that wants to be woken at once, again and again, does not get on, but time does.
        const LATENESS: Duration = Duration::from_micros(100);
        let shell = &mut self.nodes[node];
        let Some((at, _)) = shell.core.as_ref().and_then(presence::Node::poll_timeout) else { return };
        let at = (at + shell.born).max(self.now + LATENESS);
        if shell.wake_planned.is_some_and(|planned| self.now < planned && planned <= at) {
            return;
        }
        shell.wake_planned = Some(at);
        let life = shell.life;
        self.schedule.push(at, Event::Wake { node, life });
    }

    fn carry_out_one(&mut self, node: usize, output: Output) {
        let who = self.nodes[node].name.clone();
        match output {
            Output::Multicast(message) => {
                self.note(&who, || format!("multicasts {}", said(&message)));
                self.stats.multicasts += 1;
                self.count_message(&message);
                let payload = self.encode(node, &message);
                self.queue_message(node, payload);
            }
            Output::Touch => {
                self.note(&who, || "touches");
                self.touch(node);
            }
            Output::Publish { server, eid, change } => {
                self.stats.publishes += 1;
                let Some(word) = Word::of(&change) else {
                    return self.fail(Checker::FalseWord, format!("{who} tells of {change:?}"));
                };
                let whose = self.name_of(eid);
                self.note(&who, || format!("publishes {word} of {whose} to its server {}", server.0));
                self.publish(node, server, Some((eid, word)));
            }
            Output::RequestRefresh { server } => {
                self.note(&who, || format!("asks its server {} for everything", server.0));
                self.publish(node, server, None);
            }
            Output::Answer { server: _, report, verdict } => {
                let Some(report) = self.nodes[node].reports.remove(&report) else {
                    return self.fail(Checker::Bounds, format!("{who} answers a report that is not open"));
                };
                self.answer_report(
                    report.server,
                    report.life,
                    report.channel,
                    report.number,
                    verdict.is_ok(),
                );
            }
            Output::Note(note) => self.take_note(node, &note),
        }
    }

    fn count_message(&mut self, message: &Message) {
        match message {
            Message::Withdrawal { .. } => self.stats.mark(Mark::Withdrawal),
            Message::Request { .. } => self.stats.mark(Mark::Request),
            Message::Change { .. }
            | Message::Aggregate { .. }
            | Message::Ping { .. }
            | Message::Discovery { .. }
            | Message::States { .. }
            | Message::Told(_)
            | Message::Link { .. }
            | Message::Digest { .. } => {}
        }
    }

    fn take_note(&mut self, node: usize, note: &Note) {
        match note {
            Note::Repeated(_) => self.stats.mark(Mark::Repeated),
            Note::EqualEid { .. } => self.stats.mark(Mark::EqualEid),
            _ => {}
        }
        let who = self.nodes[node].name.clone();
        self.note(&who, || format!("notes {note:?}"));
    }

    /// The bytes of a message, which must read as that message and as nothing more.
    fn encode(&mut self, node: usize, message: &Message) -> Rc<[u8]> {
        let bytes = wire::event::encode(message);
        let length =
            bytes.get(2..4).map_or(0, |length| usize::from(u16::from_be_bytes([length[0], length[1]])));
        let read = wire::event::decode(&bytes);
        if read.as_ref() != Ok(message) || length != bytes.len() {
            let who = self.nodes[node].name.clone();
            self.fail(Checker::Harm, format!("{who} writes {message:?} and reads {read:?}"));
        }
        bytes.into()
    }

    fn publish(&mut self, node: usize, server: ServerId, state: Option<(presence::Eid, Word)>) {
        let (number, now) = (self.counted(), self.now);
        let shell = &mut self.nodes[node];
        let (life, slot) = (shell.life, server.0);
        let publish = Publish { node_life: life, number, state };
        let flight = OutFlight { publish, since: now, delivered: None, outcome: None };
        if shell.links[slot].flight.replace(flight).is_some() {
            let text = format!("{} has two requests under way to one server", shell.name);
            return self.fail(Checker::Bounds, text);
        }
        self.attempt_publish(node, life, slot, number);
    }
}

/// A node's life.
impl World<'_> {
    pub(super) fn start_node(&mut self, node: usize) {
        if self.nodes[node].core.is_some() {
            return;
        }
        if !self.options.same_pid {
            self.nodes[node].member.pid = self.new_pid();
        }
        let site = self.wan.site_of_node(node);
        self.nodes[node].start(self.now, site);
        self.saboteur.forget(node);
        let shell = &self.nodes[node];
        let (life, who) = (shell.life, shell.name.clone());
        self.note(&who, || "starts");
        for slot in 0..self.nodes[node].links.len() {
            let wait = self.random.time(Duration::ZERO..Duration::from_secs(2));
            self.plan(wait, Event::Qualify { node, life, slot });
        }
        self.disturb();
        self.plan_session(node, Duration::ZERO);
        self.carry_out(node);
    }

    /// The process is gone.
    pub(super) fn end_node(&mut self, node: usize) {
        if self.nodes[node].core.is_none() {
            return;
        }
        let member = self.nodes[node].member;
        self.hang_up(node);
        for slot in 0..self.nodes[node].links.len() {
            self.leave_untold(self.nodes[node].links[slot].server);
        }
        self.nodes[node].end();
        let who = self.nodes[node].name.clone();
        self.note(&who, || "ends");
        self.begin_return(node, false);
        self.bus.leave(self.now, member);
        self.leave_unsaid();
        self.disturb();
        self.look();
    }

    pub(super) fn begin_way_out(&mut self, node: usize) {
        if self.nodes[node].is_well() && self.nodes[node].stopping.is_none() {
            self.nodes[node].stopping = Some(self.now + STOPPING_MAX);
            self.look_away();
            self.give(node, Input::Stop);
            self.carry_out(node);
            self.advance_way_out(node);
        }
    }

    fn advance_way_out(&mut self, node: usize) {
        let shell = &self.nodes[node];
        let Some(until) = shell.stopping else { return };
        let drained = shell.core.as_ref().is_none_or(|core| core.drained());
        if drained || self.now >= until {
            self.end_node(node);
        }
    }

    /// The process goes on after a stop.
    pub(super) fn thaw_node(&mut self, node: usize) {
        let life = self.nodes[node].life;
        self.nodes[node].frozen = false;
        self.checkers.thawed_at = self.now;
        self.look_away();
        self.nodes[node].wake_planned = None;
        for slot in 0..self.nodes[node].links.len() {
            let silent = self.now >= self.nodes[node].links[slot].heard_at + Duration::from_secs(6);
            if silent && self.random.chance(0.5) {
                // Time is looked at before the sockets are.
                self.miss(node, slot);
            }
        }
        self.nodes[node].turn_planned = false;
        self.plan_turn(node);
        self.plan_session(node, Duration::ZERO);
        self.plan(Duration::ZERO, Event::Wake { node, life });
    }
}

/// An input in words for the journal.
fn told(input: &Input) -> String {
    match input {
        Input::Delivered { from, message } => format!("{} from {from}", said(message)),
        Input::Report { server, change, .. } => {
            format!("a report of its server {}: {}", server.0, word(change))
        }
        other => format!("{other:?}"),
    }
}

fn said(message: &Message) -> String {
    match message {
        Message::Change { eid, change, stamp } => format!("{} of {eid}{}", word(change), number(stamp)),
        Message::Withdrawal { eid, change, stamp } => {
            format!("withdrawal: {} of {eid}{}", word(change), number(stamp))
        }
        other => format!("{other:?}"),
    }
}

fn number(stamp: &Option<presence::Stamp>) -> String {
    stamp.map_or(String::new(), |stamp| format!(" #{}", stamp.sequence))
}

fn word(change: &presence::Change) -> String {
    Word::of(change).map_or_else(|| format!("{change:?}"), |word| word.to_string())
}

//! Stock servers: what `res_corosync` does with what the group says, and with what its Asterisk says.

use super::phases::Phase;
use super::site::STRANGERS;
use super::{Event, World};
use crate::asterisk::Heard;
use crate::asterisk::{Module, Speech};
use crate::bus::{Incoming, Taken};
use crate::names::{Topic, Value, Word};
use crate::report::{Checker, Mark};
use crate::server::{Server, Side, Stock};
use presence::{Arrival, Member, Message};
use std::collections::BTreeSet;
use std::time::Duration;

/// How often a server that needs a corosync looks for it.
const JOIN_AGAIN: Duration = Duration::from_millis(500);
/// So long after a merge the nodes have made a server say all again.
const SAID_AGAIN: Duration = Duration::from_secs(2);

impl World<'_> {
    /// The module loads, as soon as there is a corosync to load it with.
    pub(super) fn join_stock(&mut self, server: usize, life: u32) {
        if self.servers[server].life != life || self.servers[server].asterisk.is_none() {
            return;
        }
        let member = self.servers[server].stock_mut().member;
        if self.servers[server].frozen || self.bus.is_connected(member) || !self.bus.join(self.now, member) {
            return self.plan(JOIN_AGAIN, Event::Join { server, life });
        }
        let stock = self.servers[server].stock_mut();
        stock.module.get_or_insert_with(|| Module::new(member));
        self.say_stock(server, Speech::Discovery);
    }

    pub(super) fn hand_to_stock(&mut self, server: usize, incoming: Incoming) {
        self.servers[server].stock_mut().inbox.push_back(incoming);
        self.plan_dispatch(server);
    }

    pub(super) fn plan_dispatch(&mut self, server: usize) {
        let wait = self.random.time(self.options.dispatch.clone());
        let life = self.servers[server].life;
        let stock = self.servers[server].stock_mut();
        if !std::mem::replace(&mut stock.dispatch_planned, true) {
            self.plan(wait, Event::Dispatch { server, life });
        }
    }

    /// The module takes everything that waits, as it does.
    pub(super) fn dispatch(&mut self, server: usize, life: u32) {
        if self.servers[server].life != life || !self.servers[server].is_well() {
            return;
        }
        self.servers[server].stock_mut().dispatch_planned = false;
        while let Some(incoming) = self.servers[server].stock_mut().inbox.pop_front() {
            match incoming {
                Incoming::Configuration { joined, left, .. } => self.change_stock(server, &joined, &left),
                // Nobody can protect a stock server from what a stranger sends to the group; so it is spared.
                Incoming::Delivered { from, .. } if from.nodeid == STRANGERS => {}
                Incoming::Delivered { payload, .. } => self.hear_stock(server, &payload),
                Incoming::Closed => return self.lose_stock(server),
            }
        }
    }

    fn change_stock(&mut self, server: usize, joined: &[(Member, Arrival)], left: &[Member]) {
        let Server { asterisk: Some(asterisk), side: Side::Stock(stock), name, .. } =
            &mut self.servers[server]
        else {
            return;
        };
        let Some(module) = &mut stock.module else { return };
        stock.joined |= joined.iter().any(|(member, _)| *member == stock.member);
        let speeches = module.change(asterisk, joined, left);
        let merged = joined.iter().any(|(_, arrival)| *arrival == Arrival::Machine);
        let who = name.clone();
        self.note(&who, || format!("hears: joined {joined:?}, left {left:?}; dumps {}", speeches.len()));
        if merged && self.node_beside(server) {
            // Whatever was lost before: on a merge the nodes make this server say it again.
            let now = self.now;
            let stock = self.servers[server].stock_mut();
            stock.to_say_again = (now, std::mem::take(&mut stock.lost));
        }
        for speech in speeches {
            self.say_stock(server, speech);
        }
    }

    /// Whether a node that runs is in the group as this server's machine sees it.
    pub(super) fn node_beside(&self, server: usize) -> bool {
        let Some(stock) = self.servers[server].stock() else { return false };
        let group = self.bus.group(stock.member.nodeid);
        self.nodes.iter().any(|node| node.core.is_some() && group.contains(&node.member))
    }

    /// Whether it is heard by all nodes of its site that run.
    fn are_nodes_beside(&self, server: usize) -> bool {
        let Some(stock) = self.servers[server].stock() else { return false };
        let Member { nodeid, .. } = stock.member;
        let site = self.site_of(server);
        // A cut parts them before their corosync notices.
        let hears = |node: Member| {
            self.bus.group(nodeid).contains(&node) && self.bus.is_in_reach(nodeid, node.nodeid)
        };
        (0..self.nodes.len()).all(|node| {
            let the = &self.nodes[node];
            the.core.is_none() || self.wan.site_of_node(node).number != site || hears(the.member)
        })
    }

    fn hear_stock(&mut self, server: usize, payload: &[u8]) {
        let Server { asterisk: Some(asterisk), side: Side::Stock(stock), .. } = &mut self.servers[server]
        else {
            return;
        };
        let Some(module) = &mut stock.module else { return };
        match module.deliver(asterisk, payload) {
            Ok(Heard::State { eid, word }) => {
                if let Some(aggregate) = self.enter(server, eid, word)
                    && self.options.aggregates
                {
                    self.say_aggregate(server, aggregate);
                }
            }
            Ok(Heard::Newcomer) => self.say_stock(server, Speech::Discovery),
            Ok(Heard::Nothing) => {}
            Err(harm) => self.fail(Checker::Harm, format!("{}: {}", self.servers[server].name, harm.0)),
        }
    }

    /// corosync is gone. Mostly the module spins on its closed descriptors for ever.
    fn lose_stock(&mut self, server: usize) {
        let life = self.servers[server].life;
        // When the faults are over somebody looks after it.
        let recovers = self.phase != Phase::Unrest || self.random.chance(self.options.stock_recovers);
        let stock = self.servers[server].stock_mut();
        stock.inbox.clear();
        stock.joined = false;
        if recovers {
            self.plan(JOIN_AGAIN, Event::Join { server, life });
        } else {
            stock.module = None;
        }
        let who = self.servers[server].name.clone();
        self.note(&who, || if recovers { "lost corosync" } else { "lost corosync, and does not find back" });
    }

    /// Something has changed at a stock server.
    pub(super) fn change_at_stock(&mut self, server: usize, word: Word, aggregate: bool) {
        if aggregate && self.options.aggregates {
            self.say_aggregate(server, word);
        }
        self.say_stock(server, Speech::Change(word));
    }

    /// The module says something, once.
    pub(super) fn say_stock(&mut self, server: usize, speech: Speech) {
        let Server { eid, side: Side::Stock(stock), .. } = &self.servers[server] else { return };
        let (eid, member) = (*eid, stock.member);
        let Some(module) = &stock.module else {
            if let Speech::Change(word) = speech {
                self.servers[server].stock_mut().lost.insert(word.topic);
            }
            return;
        };
        let bytes = module.encode(eid, &speech);
        let taken = self.bus.multicast(self.now, member, &bytes);
        let healed = self.node_beside(server);
        // What is given to a corosync that is stopped may never go out, and what is said in a part of the group others do not hear.
        let goes_out = self.bus.is_well(member.nodeid) && self.are_nodes_beside(server);
        let stock = self.servers[server].stock_mut();
        match (&speech, taken) {
            (Speech::Change(word) | Speech::Dump(word, _), Taken::Yes) => {
                if goes_out && stock.lost.remove(&word.topic) {
                    stock.lost_until.insert(word.topic, self.now);
                }
            }
            (Speech::Change(word) | Speech::Dump(word, Arrival::Process), _) => {
                stock.lost.insert(word.topic);
                self.stats.mark(Mark::ChangeLost);
            }
            (Speech::Dump(word, Arrival::Machine), _) => {
                // In a site whose nodes are all gone nobody makes it say this again.
                if healed {
                    stock.to_say_again.1.insert(word.topic);
                } else {
                    stock.lost.insert(word.topic);
                }
                self.stats.mark(Mark::DumpLost);
            }
            (Speech::Discovery, _) => {}
        }
        let who = self.servers[server].name.clone();
        self.note(&who, || format!("multicasts {speech:?}: {taken:?}"));
    }

    fn say_aggregate(&mut self, server: usize, about: Word) {
        let Server { eid, asterisk: Some(asterisk), side: Side::Stock(stock), .. } = &self.servers[server]
        else {
            return;
        };
        let (Topic::Device(_), Some(Value::State(state))) = (about.topic, asterisk.lamp(about.topic)) else {
            return;
        };
        let presence::Change::DeviceState { device, .. } = about.change() else { return };
        let bytes = wire::event::encode(&Message::Aggregate { eid: *eid, device, state });
        self.bus.multicast(self.now, stock.member, &bytes);
    }

    /// The process is gone; the group hears of it.
    pub(super) fn end_stock(&mut self, server: usize) {
        self.end_server(server);
        let now = self.now;
        let stock = self.servers[server].stock_mut();
        stock.module = None;
        stock.joined = false;
        stock.inbox.clear();
        stock.dispatch_planned = false;
        let mut unsaid = unsaid(stock, now);
        stock.lost_before.append(&mut unsaid);
        stock.lost_before.append(&mut stock.lost);
        let member = stock.member;
        self.bus.leave(self.now, member);
    }

    /// A node is gone. Where it was the last, nobody makes the servers say again what a merge has cost them.
    pub(super) fn leave_unsaid(&mut self) {
        for server in 0..self.servers.len() {
            let last = !self.node_beside(server);
            if let Side::Stock(stock) = &mut self.servers[server].side
                && last
            {
                let mut unsaid = unsaid(stock, self.now);
                stock.lost.append(&mut unsaid);
            }
        }
    }

    /// A new process, with nothing in its memory.
    pub(super) fn start_stock(&mut self, server: usize) {
        if self.servers[server].replaced || self.servers[server].asterisk.is_some() {
            return;
        }
        if !self.options.same_pid {
            let pid = self.new_pid();
            self.servers[server].stock_mut().member.pid = pid;
        }
        self.start_server(server);
        let life = self.servers[server].life;
        self.plan(Duration::ZERO, Event::Join { server, life });
    }
}

/// What a server was to say again, if the nodes have not made it do so yet.
fn unsaid(stock: &mut Stock, now: Duration) -> BTreeSet<Topic> {
    let (merged_at, topics) = &mut stock.to_say_again;
    if now < *merged_at + SAID_AGAIN { std::mem::take(topics) } else { BTreeSet::new() }
}

//! The group's side of a node: its session with corosync, and helpers that join and leave.

use super::{Event, World};
use crate::bus::{Incoming, Taken};
use crate::report::Mark;
use crate::shell::{Session, SessionState};
use presence::{Arrival, Input, Member};
use std::rc::Rc;
use std::time::Duration;

impl World<'_> {
    pub(super) fn hand_to_node(&mut self, node: usize, incoming: Incoming) {
        if self.nodes[node].core.is_some() {
            self.nodes[node].group_inbox.push_back(incoming);
            self.plan_turn(node);
        }
    }

    /// What the session makes of the next thing that corosync has for it.
    pub(super) fn take_incoming(&mut self, node: usize, incoming: Incoming) -> Option<Input> {
        let now = self.now;
        let session = &mut self.nodes[node].session;
        match incoming {
            Incoming::Configuration { members, joined, left } => match session.state {
                SessionState::Joined => Some(Input::Changed { joined, left }),
                SessionState::Joining | SessionState::Out => {
                    session.state = SessionState::Joined;
                    session.reconnect = Duration::ZERO;
                    let me = self.nodes[node].member;
                    self.disturb();
                    Some(Input::Joined { me, members })
                }
            },
            Incoming::Delivered { from, payload } => {
                if from == self.nodes[node].member {
                    self.nodes[node].session.delivered(now, &payload);
                }
                let message = wire::event::decode(&payload).ok()?;
                Some(Input::Delivered { from, message })
            }
            Incoming::Closed => {
                self.close_session(node);
                Some(Input::Lost)
            }
        }
    }

    fn close_session(&mut self, node: usize) {
        let was_in = self.nodes[node].session.state == SessionState::Joined;
        let wait = self.nodes[node].session.close();
        self.nodes[node].group_inbox.clear();
        if was_in {
            self.disturb();
            self.look();
            self.begin_return(node, true);
        }
        self.plan_session(node, wait);
    }

    pub(super) fn plan_session(&mut self, node: usize, wait: Duration) {
        let life = self.nodes[node].life;
        if !std::mem::replace(&mut self.nodes[node].session.planned, true) {
            self.plan(wait, Event::Session { node, life });
        }
    }

    /// Connects, or sends what waits.
    pub(super) fn serve_session(&mut self, node: usize, life: u32) {
        let shell = &mut self.nodes[node];
        if shell.life != life || shell.core.is_none() {
            return;
        }
        shell.session.planned = false;
        if shell.frozen {
            return;
        }
        match shell.session.state {
            SessionState::Out => self.connect(node),
            SessionState::Joining => {}
            SessionState::Joined => self.send(node),
        }
    }

    fn connect(&mut self, node: usize) {
        let member = self.nodes[node].member;
        if self.bus.join(self.now, member) {
            self.nodes[node].session.state = SessionState::Joining;
        } else {
            // The core hears of every vain attempt.
            self.hand_to_node(node, Incoming::Closed);
        }
    }

    /// Queues a message; it is lost when there is no room, and the core has to notice.
    pub(super) fn queue_message(&mut self, node: usize, payload: Rc<[u8]>) {
        let session = &mut self.nodes[node].session;
        if session.queue.len() < Session::QUEUE {
            session.queue.push_back(payload);
        }
    }

    /// Hands corosync what waits, as far as the window is open.
    pub(super) fn send(&mut self, node: usize) {
        let (now, member) = (self.now, self.nodes[node].member);
        loop {
            let session = &mut self.nodes[node].session;
            if session.state != SessionState::Joined || now < session.paused_until || session.queue.is_empty()
            {
                return;
            }
            if session.in_flight.len() >= Session::WINDOW {
                return self.wait_for_window(node);
            }
            let payload = Rc::clone(&session.queue[0]);
            match self.bus.multicast(now, member, &payload) {
                Taken::Yes => self.nodes[node].session.taken(now),
                Taken::Swallowed => {
                    self.stats.mark(Mark::NodeSwallowed);
                    let shell = &mut self.nodes[node];
                    shell.swallowed_at = Some(now);
                    shell.session.taken(now);
                }
                Taken::TryAgain => {
                    self.stats.mark(Mark::NodeRefused);
                    let wait = self.nodes[node].session.refused(now);
                    return self.plan_session(node, wait);
                }
                // The session hears of it in its turn.
                Taken::Closed => return,
            }
        }
    }

    /// A full window from which nothing comes back is given up, unless corosync is stopped.
    fn wait_for_window(&mut self, node: usize) {
        self.stats.mark(Mark::WindowFull);
        let well = self.bus.is_well(self.nodes[node].member.nodeid);
        let session = &mut self.nodes[node].session;
        let until = session.quiet_since + Session::QUIET_MAX;
        if self.now >= until && well {
            session.in_flight.clear();
            session.quiet_since = self.now;
        }
        let wait = until.saturating_sub(self.now).max(Duration::from_millis(100));
        self.plan_session(node, wait);
    }

    /// A short-lived process joins, so that stock servers dump, and leaves.
    pub(super) fn touch(&mut self, node: usize) {
        self.stats.mark(Mark::Touch);
        let nodeid = self.nodes[node].member.nodeid;
        self.send_helper(nodeid);
    }

    /// A second process of a machine joins the group.
    pub(super) fn send_helper(&mut self, nodeid: u32) {
        let member = Member { nodeid, pid: self.new_pid() };
        if self.bus.join(self.now, member) {
            self.helpers.insert(member);
            self.note("helper", || format!("{member} joins"));
        }
    }

    pub(super) fn hand_to_helper(&mut self, member: Member, incoming: &Incoming) {
        let here = (member, Arrival::Process);
        match incoming {
            Incoming::Configuration { joined, .. } if joined.contains(&here) => {
                let wait = self.random.time(self.options.dispatch.clone());
                self.plan(wait, Event::HelperLeaves(member));
            }
            Incoming::Closed => {
                self.helpers.remove(&member);
            }
            Incoming::Configuration { .. } | Incoming::Delivered { .. } => {}
        }
    }

    pub(super) fn let_helper_leave(&mut self, member: Member) {
        if self.helpers.remove(&member) {
            self.bus.leave(self.now, member);
        }
    }

    pub(super) fn new_pid(&mut self) -> u32 {
        u32::try_from(1000 + self.counted()).unwrap_or(u32::MAX)
    }
}

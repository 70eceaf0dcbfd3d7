//! One link: the node at its other end, and what it is still to be told.

use super::backlog::Backlog;
use super::frame::{Frame, Hello};
use crate::{Eid, Subject};
use alloc::collections::VecDeque;
use core::time::Duration;

/// A peer as the configuration names it: its place there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerId(pub usize);

/// The node at the other end of a link.
#[derive(Default)]
pub(crate) struct Peer {
    /// Who it is; known since it first said so.
    pub(crate) node: Option<Eid>,
    connection: Option<Connection>,
    /// When it was heard last, while it is not connected.
    heard_last: Option<Duration>,
}

/// What is to be told while it is connected. Frames about the link come first, then who is linked with whom, then states.
struct Connection {
    /// Whether it has said who it is. Before that it is told nothing but who we are: that we have no neighbours yet would cut us off.
    met: bool,
    frames: VecDeque<Frame>,
    nodes: Backlog<Eid>,
    states: Backlog<(Eid, Subject)>,
}

/// What may be sent next.
pub(crate) enum Next {
    Frame(Frame),
    /// What is known of this node.
    Node(Eid),
    /// States wait.
    States,
    Nothing,
}

impl Peer {
    /// It is connected; `hello` comes first.
    pub(crate) fn connect(&mut self, hello: Hello) {
        self.connection = Some(Connection {
            met: false,
            frames: VecDeque::from([Frame::Hello(hello)]),
            nodes: Backlog::new(),
            states: Backlog::new(),
        });
    }

    /// It says who it is.
    pub(crate) fn meet(&mut self, node: Eid) {
        self.node = Some(node);
        if let Some(connection) = &mut self.connection {
            connection.met = true;
        }
    }

    /// The connection is gone; something was heard of it last at that time.
    pub(crate) fn disconnect(&mut self, heard: Duration) {
        self.connection = None;
        self.heard_last = Some(heard);
    }

    pub(crate) fn connected(&self) -> bool {
        self.connection.is_some()
    }

    /// The node at the other end, unless nothing came from there for as long as the hold time.
    pub(crate) fn neighbour(&self, now: Duration, hold: Duration) -> Option<Eid> {
        let lasts = self.connected() || self.heard_last.is_some_and(|heard| now < heard + hold);
        self.node.filter(|_| lasts)
    }

    /// When it stops to be a neighbour.
    pub(crate) fn given_up_at(&self, hold: Duration) -> Option<Duration> {
        self.heard_last.filter(|_| !self.connected()).map(|heard| heard + hold)
    }

    /// Tells a frame about the link itself.
    pub(crate) fn push_frame(&mut self, frame: Frame) {
        if let Some(connection) = self.met() {
            connection.frames.push_back(frame);
        }
    }

    /// Tells what is known of a node; of the peer itself, too, which may have begun anew with a clock that is behind.
    pub(crate) fn push_node(&mut self, node: Eid) {
        if let Some(connection) = self.met() {
            connection.nodes.push(node);
        }
    }

    /// Tells a state, as it is when its turn comes.
    pub(crate) fn push_state(&mut self, eid: Eid, subject: &Subject) {
        if let Some(connection) = self.met() {
            connection.states.push((eid, subject.clone()));
        }
    }

    fn met(&mut self) -> Option<&mut Connection> {
        self.connection.as_mut().filter(|connection| connection.met)
    }

    pub(crate) fn next(&mut self) -> Next {
        let Some(connection) = &mut self.connection else { return Next::Nothing };
        if let Some(frame) = connection.frames.pop_front() {
            return Next::Frame(frame);
        }
        if let Some(node) = connection.nodes.pop() {
            return Next::Node(node);
        }
        if connection.states.is_empty() { Next::Nothing } else { Next::States }
    }

    pub(crate) fn next_state(&mut self) -> Option<(Eid, Subject)> {
        self.connection.as_mut()?.states.pop()
    }

    /// How many states wait to be told.
    pub(crate) fn waiting(&self) -> usize {
        self.connection.as_ref().map_or(0, |connection| connection.states.len())
    }
}

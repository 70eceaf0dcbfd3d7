//! The group as the driver sees it: presence messages instead of bytes.

use crate::config::Cluster;
use corosync_rs::{Event, Full, GroupName, Reason, Session};
use presence::{Arrival, Member, Message};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Events that may wait for the driver; beyond, corosync's own flow control holds the group back.
const EVENTS_MAX: usize = 1_024;

/// What the group says.
pub(crate) enum GroupEvent {
    /// We are in.
    Joined { me: Member, members: Vec<Member> },
    /// Others came or went.
    Changed { joined: Vec<(Member, Arrival)>, left: Vec<Member> },
    /// A message came, our own included; or bytes that are none.
    Delivered { from: Member, message: Result<Message, wire::event::Malformed> },
    /// We are out; the text says why and what to do.
    Down { why: String, retry: Duration },
}

/// A membership of the group.
pub(crate) struct Group {
    session: Session,
    aggregates: Arc<AtomicU64>,
    events: mpsc::Receiver<GroupEvent>,
}

impl Group {
    /// Joins, and joins again whenever the group was lost.
    pub(crate) fn join(cluster: &Cluster) -> anyhow::Result<Self> {
        let (sender, events) = mpsc::channel(EVENTS_MAX);
        let name = GroupName::new(cluster.group.as_str())?;
        let aggregates = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&aggregates);
        let session = Session::spawn(name, move |event| {
            let event = translate(event);
            if let GroupEvent::Delivered { message: Ok(Message::Aggregate { .. }), .. } = event {
                // Every stock member sends its aggregate beside each change of anybody, and nobody reads them: two of
                // three messages end here and wake no other thread.
                counter.fetch_add(1, Ordering::Relaxed);
            } else {
                // The receiver is gone only when the driver has ended.
                let _ = sender.blocking_send(event);
            }
        });
        Ok(Self { session, aggregates, events })
    }

    /// The next event, once there is one.
    pub(crate) async fn next(&mut self) -> Option<GroupEvent> {
        self.events.recv().await
    }

    /// The next event, if one waits.
    pub(crate) fn try_next(&mut self) -> Option<GroupEvent> {
        self.events.try_recv().ok()
    }

    /// Sends a message; `false` when the queue is full. The core notices that it did not come back.
    pub(crate) fn multicast(&self, message: &Message) -> bool {
        !matches!(self.session.multicast(wire::event::encode(message)), Err(Full(_)))
    }

    /// How many aggregates of members were left unread.
    pub(crate) fn aggregates_total(&self) -> u64 {
        self.aggregates.load(Ordering::Relaxed)
    }

    /// How often corosync was too busy to take a message.
    pub(crate) fn throttled_total(&self) -> u64 {
        self.session.throttled_total()
    }

    /// How many messages corosync took and never delivered.
    pub(crate) fn lost_total(&self) -> u64 {
        self.session.lost_total()
    }

    /// Leaves, at the latest after `deadline`.
    pub(crate) async fn leave(self, deadline: Duration) {
        let Self { session, mut events, .. } = self;
        let leaving = tokio::task::spawn_blocking(move || session.leave(deadline));
        // The thread hands over events until it has left: somebody must take them.
        while events.recv().await.is_some() {}
        if let Err(error) = leaving.await {
            tracing::error!("leaving the group failed: {error}");
        }
    }
}

fn translate(event: Event) -> GroupEvent {
    match event {
        Event::Joined { me, members } => {
            GroupEvent::Joined { me: member(me), members: members.into_iter().map(member).collect() }
        }
        Event::Configuration { joined, left, .. } => GroupEvent::Changed {
            joined: joined.into_iter().map(|(name, reason)| (member(name), arrival(reason))).collect(),
            left: left.into_iter().map(|(name, _)| member(name)).collect(),
        },
        Event::Delivered { from, payload } => {
            GroupEvent::Delivered { from: member(from), message: wire::event::decode(&payload) }
        }
        Event::Down { error, retry } => GroupEvent::Down { why: error.to_string(), retry },
    }
}

fn arrival(reason: Reason) -> Arrival {
    match reason {
        Reason::Join => Arrival::Process,
        // Whatever else it is: what stock members say on it may be lost.
        Reason::NodeUp | Reason::NodeDown | Reason::Leave | Reason::ProcessDown | Reason::Other(_) => {
            Arrival::Machine
        }
    }
}

fn member(member: corosync_rs::Member) -> Member {
    Member { nodeid: member.nodeid, pid: member.pid }
}

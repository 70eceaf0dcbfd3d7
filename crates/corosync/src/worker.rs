//! The thread of a session: owns the connection, moves messages both ways, reconnects.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::session::Shared;
use crate::window::{Backoff, Verdict, Window};
use crate::{Cpg, Error, Event, GroupName, Incoming, Member, Reason};

/// Events taken, and messages sent, before the other direction gets its turn.
const RECEIVE_BUDGET: usize = 64;
const SEND_BUDGET: usize = 32;

pub(crate) struct Worker<F> {
    group: GroupName,
    events: F,
    shared: Arc<Shared>,
    reconnect: Backoff,
}

/// A connection that has asked to join.
struct Link {
    cpg: Cpg,
    me: Member,
    joined: bool,
    window: Window,
    /// The next message to send, taken from the queue and refused by corosync so far.
    refused: Option<Vec<u8>>,
    pause: Backoff,
    paused_until: Option<Instant>,
}

impl<F: FnMut(Event)> Worker<F> {
    pub(crate) fn new(group: GroupName, events: F, shared: Arc<Shared>) -> Self {
        let reconnect = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        Self { group, events, shared, reconnect }
    }

    pub(crate) fn run(mut self) {
        while !self.shared.is_over() {
            let Err(error) = self.stay() else { return };
            self.shared.clear();
            let retry = self.reconnect.next();
            (self.events)(Event::Down { error, retry });
            self.rest(retry);
        }
    }

    /// Joins, and stays until the caller wants to leave. An error means that the group is lost.
    fn stay(&mut self) -> Result<(), Error> {
        let mut link = Link::join(&self.group)?;
        let mut hung_up = false;
        loop {
            let received = self.receive(&mut link)?;
            if hung_up && received == 0 {
                return Err(Error::Closed);
            }
            self.send(&mut link)?;
            self.check_window(&mut link)?;
            if self.is_through(&link) {
                return link.leave(&self.group, self.shared.stop_deadline());
            }
            hung_up = self.wait(&link, received == RECEIVE_BUDGET)?;
        }
    }

    fn receive(&mut self, link: &mut Link) -> Result<usize, Error> {
        let incoming = link.cpg.dispatch(RECEIVE_BUDGET)?;
        let received = incoming.len();
        for incoming in incoming {
            let Some(event) = self.event(link, incoming)? else { continue };
            (self.events)(event);
        }
        Ok(received)
    }

    fn event(&mut self, link: &mut Link, incoming: Incoming) -> Result<Option<Event>, Error> {
        match incoming {
            Incoming::Configuration { members, joined, left } => {
                let event = membership(link.me, link.joined, members, joined, left)?;
                if matches!(event, Some(Event::Joined { .. })) {
                    link.joined = true;
                    self.reconnect.reset();
                }
                Ok(event)
            }
            Incoming::Delivered { from, payload } => {
                if from == link.me {
                    let lost = link.window.delivered(&payload, Instant::now());
                    self.count_lost(lost);
                }
                Ok(link.joined.then_some(Event::Delivered { from, payload }))
            }
        }
    }

    fn send(&mut self, link: &mut Link) -> Result<(), Error> {
        if link.paused_until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        link.paused_until = None;
        for _ in 0..SEND_BUDGET {
            if !link.joined || !link.window.is_open() {
                break;
            }
            let Some(payload) = link.refused.take().or_else(|| self.shared.pop()) else { break };
            match link.cpg.multicast(&payload) {
                Ok(()) => {
                    link.pause.reset();
                    link.window.sent(payload, Instant::now());
                }
                Err(error) if error.is_try_again() => {
                    self.shared.throttled.fetch_add(1, Ordering::Relaxed);
                    link.refused = Some(payload);
                    link.paused_until = Some(Instant::now() + link.pause.next());
                    break;
                }
                Err(error) if error.is_disconnected() => return Err(error),
                Err(_) => self.count_lost(1),
            }
        }
        Ok(())
    }

    fn check_window(&self, link: &mut Link) -> Result<(), Error> {
        match link.window.check(Instant::now()) {
            Verdict::Fine => {}
            Verdict::Probe => {
                // A stopped daemon keeps us here, asleep, until it goes on or dies.
                link.cpg.local_nodeid()?;
                link.window.probed(Instant::now());
            }
            Verdict::Lost(messages) => self.count_lost(messages),
        }
        Ok(())
    }

    /// True when the caller wants to leave, and everything is sent and came back, or the time is up.
    fn is_through(&self, link: &Link) -> bool {
        let Some(deadline) = self.shared.stop_deadline() else { return false };
        let idle = link.refused.is_none() && self.shared.is_empty() && link.window.is_empty();
        idle || Instant::now() >= deadline
    }

    /// Sleeps until there is something to do. True when corosync has hung up.
    fn wait(&self, link: &Link, more_to_receive: bool) -> Result<bool, Error> {
        let timeout = if more_to_receive || self.can_send(link) {
            Some(Duration::ZERO)
        } else {
            let deadlines = [link.paused_until, link.window.deadline(), self.shared.stop_deadline()];
            let next = deadlines.into_iter().flatten().min();
            next.map(|next| next.saturating_duration_since(Instant::now()))
        };
        let (corosync, wake) = (link.cpg.fd()?, self.shared.as_fd());
        let mut fds = [PollFd::new(&corosync, PollFlags::IN), PollFd::new(&wake, PollFlags::IN)];
        sleep(&mut fds, timeout);
        let (corosync, woken) = (fds[0].revents(), !fds[1].revents().is_empty());
        if woken {
            self.shared.calm();
        }
        Ok(corosync.intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL))
    }

    fn can_send(&self, link: &Link) -> bool {
        let waiting = link.refused.is_some() || !self.shared.is_empty();
        waiting && link.joined && link.paused_until.is_none() && link.window.is_open()
    }

    /// Waits before the next attempt, or until the caller wants to end.
    fn rest(&self, retry: Duration) {
        let until = Instant::now() + retry;
        while !self.shared.is_over() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let wake = self.shared.as_fd();
            sleep(&mut [PollFd::new(&wake, PollFlags::IN)], Some(left));
            self.shared.calm();
        }
    }

    fn count_lost(&self, messages: usize) {
        self.shared.lost.fetch_add(messages as u64, Ordering::Relaxed);
    }
}

impl Link {
    fn join(group: &GroupName) -> Result<Self, Error> {
        let cpg = Cpg::initialize()?;
        let me = cpg.local_member()?;
        cpg.join(group)?;
        Ok(Self {
            cpg,
            me,
            joined: false,
            window: Window::new(Instant::now()),
            refused: None,
            pause: Backoff::new(Duration::from_micros(500), Duration::from_millis(10)),
            paused_until: None,
        })
    }

    /// Leaves in good order; the connection closes whatever comes of it.
    fn leave(mut self, group: &GroupName, deadline: Option<Instant>) -> Result<(), Error> {
        while let Err(error) = self.cpg.leave(group) {
            let late = deadline.is_none_or(|deadline| Instant::now() >= deadline);
            if late || !error.is_try_again() {
                break;
            }
            std::thread::sleep(self.pause.next());
        }
        Ok(())
    }
}

/// What a change of membership means to `me`, who has seen itself in the group (`is_joined`) or not yet.
fn membership(
    me: Member,
    is_joined: bool,
    members: Vec<Member>,
    joined: Vec<(Member, Reason)>,
    left: Vec<(Member, Reason)>,
) -> Result<Option<Event>, Error> {
    match (is_joined, members.contains(&me)) {
        (true, true) => Ok(Some(Event::Configuration { members, joined, left })),
        (false, true) => Ok(Some(Event::Joined { me, members })),
        (true, false) => Err(Error::NotMember),
        (false, false) => Ok(None),
    }
}

fn sleep(fds: &mut [PollFd<'_>], timeout: Option<Duration>) {
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    // A signal may end it early; the loop looks at everything again.
    let _ = poll(fds, timeout.as_ref());
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Member = Member { nodeid: 21, pid: 1 };
    const OTHER: Member = Member { nodeid: 1, pid: 1 };

    #[test]
    fn the_first_membership_with_us_in_it_is_our_joining() {
        let joined = vec![(ME, Reason::Join)];
        let event = membership(ME, false, vec![ME, OTHER], joined, vec![]);
        assert_eq!(event, Ok(Some(Event::Joined { me: ME, members: vec![ME, OTHER] })));
    }

    #[test]
    fn later_memberships_are_handed_on_with_their_reasons() {
        let left = vec![(OTHER, Reason::NodeDown)];
        let event = membership(ME, true, vec![ME], vec![], left.clone());
        assert_eq!(event, Ok(Some(Event::Configuration { members: vec![ME], joined: vec![], left })));
    }

    #[test]
    fn a_membership_without_us_is_the_loss_of_the_group() {
        assert_eq!(membership(ME, true, vec![OTHER], vec![], vec![]), Err(Error::NotMember));
        assert_eq!(membership(ME, false, vec![OTHER], vec![], vec![]), Ok(None));
    }
}

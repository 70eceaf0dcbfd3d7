//! A member that stays in its group: what the caller holds. The thread behind it is in `worker`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};

use crate::worker::Worker;
use crate::{Error, GroupName, Member, Reason};

/// A membership of one group, kept up by a thread of its own.
///
/// The thread connects, joins, reconnects when corosync restarts, hands over [`Event`]s and sends what
/// [`Session::multicast`] queued: in order, never more than 128 own messages ahead of their own delivery.
/// Dropped without [`Session::leave`], it ends at once, and what is queued is lost.
#[derive(Debug)]
pub struct Session {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Disconnected when the thread is through.
    ended: Mutex<mpsc::Receiver<Infallible>>,
}

/// What the session says, in the total order of the group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// This process is in the group. It is the first event after each join, and stands for the change of
    /// membership that brought this process in.
    Joined {
        /// This process.
        me: Member,
        /// Everyone in the group, this process included.
        members: Vec<Member>,
    },
    /// The membership changed.
    Configuration {
        /// Who is in the group now.
        members: Vec<Member>,
        /// Who is new.
        joined: Vec<(Member, Reason)>,
        /// Who is gone.
        left: Vec<(Member, Reason)>,
    },
    /// A member sent something; own messages come back too.
    Delivered {
        /// The sender.
        from: Member,
        /// What was sent.
        payload: Vec<u8>,
    },
    /// Not in the group any more, or not yet. What was queued or in flight is gone.
    Down {
        /// Why; the text says what to do.
        error: Error,
        /// The next attempt is after this time.
        retry: Duration,
    },
}

/// The queue has no room; here is the message back.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("256 messages are queued already")]
pub struct Full(pub Vec<u8>);

impl fmt::Debug for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Full({} bytes)", self.0.len())
    }
}

impl Session {
    /// Starts the thread. It joins `group` as soon as it can; `events` hears of it.
    ///
    /// `events` runs on the thread, and the thread does nothing else meanwhile: it may wait for room in a bounded
    /// channel (that is back pressure), and for nothing else.
    ///
    /// # Panics
    /// When the system has no thread or no descriptor left.
    #[must_use]
    pub fn spawn(group: GroupName, events: impl FnMut(Event) + Send + 'static) -> Self {
        let shared = Arc::new(Shared::new());
        let (running, ended) = mpsc::channel();
        let worker = Worker::new(group, events, Arc::clone(&shared));
        let thread = thread::Builder::new()
            .name("corosync".to_owned())
            .stack_size(STACK_SIZE)
            .spawn(move || {
                let _running: mpsc::Sender<Infallible> = running;
                worker.run();
            })
            .expect("the system has no thread left");
        Self { shared, thread: Some(thread), ended: Mutex::new(ended) }
    }

    /// Queues one message. Messages are sent in the order of the calls, once the group is joined; when the
    /// group is lost, what is queued is dropped, and [`Event::Down`] says so.
    ///
    /// # Errors
    /// [`Full`] with the message when 256 are queued.
    pub fn multicast(&self, payload: Vec<u8>) -> Result<(), Full> {
        self.shared.push(payload)
    }

    /// How often corosync was too busy to take a message (`CS_ERR_TRY_AGAIN`); each was tried again.
    #[must_use]
    pub fn throttled_total(&self) -> u64 {
        self.shared.throttled.load(Ordering::Relaxed)
    }

    /// Messages that corosync took and did not deliver while the group lived, or would not take at all (longer than
    /// [`Cpg::MESSAGE_LENGTH_MAX`](crate::Cpg::MESSAGE_LENGTH_MAX)). They are not sent again: whoever needs certainty
    /// waits for the own message to come back.
    #[must_use]
    pub fn lost_total(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Sends what is queued, waits until it came back, leaves the group and ends the thread.
    ///
    /// Events still come meanwhile. After `deadline` it leaves with what is left unsent; a thread that even then does
    /// not end (corosync is stopped, or `events` blocks) is left to itself.
    pub fn leave(mut self, deadline: Duration) {
        self.shared.stop_by(Instant::now() + deadline);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let through = ended.recv_timeout(deadline + LEAVE_GRACE) == Err(mpsc::RecvTimeoutError::Disconnected);
        drop(ended);
        if let Some(thread) = self.thread.take()
            && through
        {
            // A panic of `events` was reported by the panic hook when it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.shared.stop_by(Instant::now());
        }
    }
}

/// libcpg needs more than 1 MiB in one frame, which is not probed.
const STACK_SIZE: usize = 4 * 1024 * 1024;
/// For the leaving itself, when the deadline was used up by sending.
const LEAVE_GRACE: Duration = Duration::from_millis(500);

/// What the caller and the thread share.
#[derive(Debug)]
pub(crate) struct Shared {
    queue: Mutex<VecDeque<Vec<u8>>>,
    stop_by: Mutex<Option<Instant>>,
    wake: OwnedFd,
    pub(crate) throttled: AtomicU64,
    pub(crate) lost: AtomicU64,
}

impl Shared {
    const QUEUE_LIMIT: usize = 256;

    pub(crate) fn new() -> Self {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        Self {
            queue: Mutex::default(),
            stop_by: Mutex::default(),
            wake: wake.expect("the system has no descriptor left"),
            throttled: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    fn push(&self, payload: Vec<u8>) -> Result<(), Full> {
        let mut queue = self.queue();
        if queue.len() >= Self::QUEUE_LIMIT {
            return Err(Full(payload));
        }
        queue.push_back(payload);
        // The thread empties the queue before it sleeps: only the first message must wake it.
        let first = queue.len() == 1;
        drop(queue);
        if first {
            self.wake();
        }
        Ok(())
    }

    pub(crate) fn pop(&self) -> Option<Vec<u8>> {
        self.queue().pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue().is_empty()
    }

    pub(crate) fn clear(&self) {
        self.queue().clear();
    }

    pub(crate) fn stop_deadline(&self) -> Option<Instant> {
        *self.stop_by.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when the caller wants to end, and nothing is queued or the time is up.
    pub(crate) fn is_over(&self) -> bool {
        self.stop_deadline().is_some_and(|deadline| self.is_empty() || Instant::now() >= deadline)
    }

    fn stop_by(&self, deadline: Instant) {
        *self.stop_by.lock().unwrap_or_else(PoisonError::into_inner) = Some(deadline);
        self.wake();
    }

    fn wake(&self) {
        // It fails only when the counter is full, and then the thread is awake.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    /// Takes back the wake-ups so far.
    pub(crate) fn calm(&self) {
        let _ = rustix::io::read(&self.wake, &mut [0; 8]);
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Vec<u8>>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Shared {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_hands_back_what_it_has_no_room_for() {
        let shared = Shared::new();
        for _ in 0..Shared::QUEUE_LIMIT {
            shared.push(vec![1]).unwrap();
        }
        assert_eq!(shared.push(vec![2]), Err(Full(vec![2])));
        assert_eq!(shared.pop(), Some(vec![1]));
        assert_eq!(shared.push(vec![2]), Ok(()));
    }
}

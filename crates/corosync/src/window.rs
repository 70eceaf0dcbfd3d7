//! How much may be under way, and how long to wait: pure, the caller brings the time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The own messages that corosync has taken and not yet delivered back, oldest first.
///
/// Delivery back is the only acknowledgement that CPG has. Messages of one sender keep their order, so the
/// delivery of one proves that those before it, if still here, are lost.
#[derive(Debug)]
pub(crate) struct Window {
    in_flight: VecDeque<Vec<u8>>,
    /// Nothing came back since then.
    quiet_since: Instant,
    probed: bool,
}

/// What to do about a full window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Wait.
    Fine,
    /// Ask the daemon something synchronous: a stopped one does not answer, and has lost nothing.
    Probe,
    /// The daemon is alive and delivers nothing: so many messages are given up.
    Lost(usize),
}

impl Window {
    /// A stopped daemon takes about 278 messages before sending to it burns a core.
    pub(crate) const LIMIT: usize = 128;
    /// How long a full window may be quiet before the daemon is asked.
    const QUIET_MAX: Duration = Duration::from_secs(4);
    /// How long deliveries may take after the daemon has answered.
    const GRACE: Duration = Duration::from_secs(2);

    pub(crate) fn new(now: Instant) -> Self {
        Self { in_flight: VecDeque::with_capacity(Self::LIMIT), quiet_since: now, probed: false }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.in_flight.len() < Self::LIMIT
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    pub(crate) fn sent(&mut self, payload: Vec<u8>, now: Instant) {
        if self.in_flight.is_empty() {
            self.progress(now);
        }
        self.in_flight.push_back(payload);
    }

    /// An own message came back. Returns how many sent before it are lost.
    pub(crate) fn delivered(&mut self, payload: &[u8], now: Instant) -> usize {
        self.progress(now);
        // Not there: it was given up before.
        let Some(position) = self.in_flight.iter().position(|sent| sent == payload) else { return 0 };
        self.in_flight.drain(..=position);
        position
    }

    /// When to call [`Window::check`] at the latest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let patience = if self.probed { Self::GRACE } else { Self::QUIET_MAX };
        (!self.is_open()).then(|| self.quiet_since + patience)
    }

    pub(crate) fn check(&mut self, now: Instant) -> Verdict {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return Verdict::Fine;
        }
        if !self.probed {
            return Verdict::Probe;
        }
        let lost = self.in_flight.len();
        self.in_flight.clear();
        self.progress(now);
        Verdict::Lost(lost)
    }

    /// The daemon answered the probe.
    pub(crate) fn probed(&mut self, now: Instant) {
        self.probed = true;
        self.quiet_since = now;
    }

    fn progress(&mut self, now: Instant) {
        self.quiet_since = now;
        self.probed = false;
    }
}

/// A wait that doubles from `min` to `max`.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(self.max);
        wait
    }

    pub(crate) fn reset(&mut self) {
        self.next = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(now: Instant) -> Window {
        let mut window = Window::new(now);
        for number in 0..Window::LIMIT {
            assert!(window.is_open());
            window.sent(vec![number as u8], now);
        }
        window
    }

    #[test]
    fn a_full_window_opens_with_each_delivery() {
        let now = Instant::now();
        let mut window = full(now);
        assert!(!window.is_open());
        assert_eq!(window.delivered(&[0], now), 0);
        assert!(window.is_open());
    }

    #[test]
    fn a_delivery_proves_the_loss_of_those_sent_before() {
        let now = Instant::now();
        let mut window = full(now);
        assert_eq!(window.delivered(&[9], now), 9);
        assert_eq!(window.delivered(&[10], now), 0);
        assert_eq!(window.delivered(&[3], now), 0, "given up already");
    }

    #[test]
    fn equal_messages_are_acknowledged_one_by_one() {
        let now = Instant::now();
        let mut window = Window::new(now);
        window.sent(vec![1], now);
        window.sent(vec![1], now);
        assert_eq!(window.delivered(&[1], now), 0);
        assert!(!window.is_empty());
        assert_eq!(window.delivered(&[1], now), 0);
        assert!(window.is_empty());
    }

    #[test]
    fn a_quiet_full_window_is_given_up_only_after_the_daemon_answered() {
        let start = Instant::now();
        let mut window = full(start);
        assert_eq!(window.check(start + Duration::from_secs(3)), Verdict::Fine);
        let late = start + Duration::from_secs(60);
        assert_eq!(window.check(late), Verdict::Probe);
        assert_eq!(window.check(late), Verdict::Probe, "no answer, no verdict");
        window.probed(late);
        assert_eq!(window.check(late + Duration::from_secs(1)), Verdict::Fine);
        assert_eq!(window.check(late + Duration::from_secs(2)), Verdict::Lost(Window::LIMIT));
        assert!(window.is_empty());
    }

    #[test]
    fn a_delivery_after_the_probe_ends_the_suspicion() {
        let start = Instant::now();
        let mut window = full(start);
        let late = start + Duration::from_secs(5);
        window.probed(late);
        window.delivered(&[0], late);
        window.sent(vec![0], late);
        assert_eq!(window.check(late + Duration::from_secs(3)), Verdict::Fine);
    }

    #[test]
    fn a_window_with_room_has_no_deadline() {
        let now = Instant::now();
        let mut window = Window::new(now);
        window.sent(vec![1], now);
        assert_eq!(window.deadline(), None);
    }

    #[test]
    fn a_backoff_doubles_up_to_its_maximum_and_starts_again() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        let waits: Vec<u128> = (0..4).map(|_| backoff.next().as_millis()).collect();
        assert_eq!(waits, [100, 200, 350, 350]);
        backoff.reset();
        assert_eq!(backoff.next().as_millis(), 100);
    }
}

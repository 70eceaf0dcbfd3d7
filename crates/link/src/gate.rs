//! Strangers: how many may try at the same time, and what is told of those who are not let in.

use crate::event::{Event, Refusal, Told};
use crate::slot::lock;
use crate::status::{Counter, Totals};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How many handshakes there may be at a time.
pub(crate) const HANDSHAKES_MAX: usize = 64;
/// How many of them from one address, or from one IPv6 network of 64 bits.
pub(crate) const HANDSHAKES_PER_HOST_MAX: usize = 32;
/// Beyond so many, whoever comes by UDP has to prove first that he is where he says.
const HANDSHAKES_UNPROVED_MAX: usize = 8;

/// So many refusals are told at once …
const TOLD_AT_ONCE: u32 = 5;
/// … and one more after each such time.
const TOLD_EVERY: Duration = Duration::from_secs(2);

/// Where all who dial us come by.
#[derive(Debug)]
pub(crate) struct Gate {
    hosts: Arc<Mutex<HashMap<IpAddr, usize>>>,
    refused: [Counter; Refusal::ALL.len()],
    limit: Mutex<Limit>,
    events: mpsc::Sender<Told>,
}

/// One handshake, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    hosts: Arc<Mutex<HashMap<IpAddr, usize>>>,
    host: IpAddr,
}

impl Gate {
    pub(crate) fn new(events: mpsc::Sender<Told>) -> Self {
        let limit = Mutex::new(Limit { left: TOLD_AT_ONCE, since: Instant::now() });
        Self { hosts: Arc::default(), refused: Default::default(), limit, events }
    }

    /// Lets somebody try, unless too many do.
    pub(crate) fn enter(&self, from: IpAddr) -> Option<Permit> {
        let host = host(from);
        let mut hosts = lock(&self.hosts);
        let all: usize = hosts.values().sum();
        if all >= HANDSHAKES_MAX || hosts.get(&host).is_some_and(|count| *count >= HANDSHAKES_PER_HOST_MAX) {
            return None;
        }
        *hosts.entry(host).or_default() += 1;
        Some(Permit { hosts: Arc::clone(&self.hosts), host })
    }

    /// Whether so many try that their addresses may be made up.
    pub(crate) fn is_busy(&self) -> bool {
        lock(&self.hosts).values().sum::<usize>() >= HANDSHAKES_UNPROVED_MAX
    }

    /// Counts somebody who was not let in, and tells of him if he wanted in to the end and not too many were told of.
    pub(crate) fn refuse(&self, from: SocketAddr, why: Refusal) {
        tracing::debug!(%from, why = why.as_str(), "refused");
        for (counter, _) in self.refused.iter().zip(Refusal::ALL).filter(|(_, kind)| *kind == why) {
            counter.add(1);
        }
        if why != Refusal::Left && lock(&self.limit).take(Instant::now()) {
            // Strangers never make anybody wait.
            let _ = self.events.try_send(Told { event: Event::Refused { from, why }, outbox: None });
        }
    }

    pub(crate) fn totals(&self) -> Totals {
        Totals { refused: std::array::from_fn(|place| self.refused[place].get()) }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut hosts = lock(&self.hosts);
        if let Some(count) = hosts.get_mut(&self.host) {
            *count -= 1;
            if *count == 0 {
                hosts.remove(&self.host);
            }
        }
    }
}

/// Who has one IPv6 address has 2⁶⁴ of them.
fn host(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Some at once, and then one from time to time.
#[derive(Debug)]
struct Limit {
    left: u32,
    since: Instant,
}

impl Limit {
    fn take(&mut self, now: Instant) -> bool {
        while self.left < TOLD_AT_ONCE && now.saturating_duration_since(self.since) >= TOLD_EVERY {
            self.left += 1;
            self.since += TOLD_EVERY;
        }
        if self.left == TOLD_AT_ONCE {
            self.since = now;
        }
        let told = self.left > 0;
        self.left -= u32::from(told);
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshakes_are_bounded_by_host_and_in_all() {
        let gate = Gate::new(mpsc::channel(1).0);
        let from = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut permits: Vec<_> = (0..32).map(|_| gate.enter(from("192.0.2.1")).unwrap()).collect();
        assert!(gate.enter(from("192.0.2.1")).is_none() && gate.enter(from("::ffff:192.0.2.1")).is_none());
        permits.extend((0..32).map(|n| gate.enter(from(&format!("2001:db8::{n}"))).unwrap()));
        assert!(gate.enter(from("192.0.2.2")).is_none(), "64 in all");
        permits.truncate(31);
        assert!(gate.is_busy() && gate.enter(from("192.0.2.1")).is_some());
        drop(permits);
        assert!(!gate.is_busy() && lock(&gate.hosts).is_empty());
    }

    #[test]
    fn all_are_counted_and_few_are_told() {
        let (events, mut told) = mpsc::channel(100);
        let gate = Gate::new(events);
        for _ in 0..50 {
            gate.refuse("192.0.2.1:1".parse().unwrap(), Refusal::NoKey);
        }
        assert_eq!(gate.totals().refused, [0, 50, 0, 0, 0, 0]);
        assert_eq!(gate.totals().refused(Refusal::NoKey), 50);
        assert_eq!(std::iter::from_fn(|| told.try_recv().ok()).count(), 5);
    }

    #[test]
    fn after_a_while_one_more_is_told() {
        let start = Instant::now();
        let mut limit = Limit { left: TOLD_AT_ONCE, since: start };
        let mut take = |seconds| limit.take(start + Duration::from_secs(seconds));
        assert_eq!([0; 6].map(&mut take), [true, true, true, true, true, false]);
        assert_eq!([1, 2, 2, 3, 4].map(&mut take), [false, true, false, false, true]);
        assert_eq!([100; 6].map(&mut take), [true, true, true, true, true, false]);
    }
}

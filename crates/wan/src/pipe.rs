//! One direction of a way: decides when what goes in comes out, and whether it does. No clock, no socket.

use crate::conditions::{Conditions, milliseconds};
use fastrand::Rng;
use std::collections::BTreeMap;
use std::time::Duration;

/// The most packets under way; more are dropped.
pub const PACKETS_MAX: usize = 65_536;
/// The most bytes of datagrams under way: ten seconds at more than 20 Mbit/s.
pub const DATAGRAM_BYTES_MAX: usize = 32 << 20;
/// The most bytes of a stream under way; no more is read then.
pub const STREAM_BYTES_MAX: usize = 1 << 20;
/// The most bytes that wait where the bandwidth is limited; what comes then is dropped.
pub const LINE_BYTES_MAX: usize = 256 << 10;

/// So many bytes may pass at once where the bandwidth is limited.
const BURST_BYTES: f64 = 3_000.0;
/// A packet that others overtake is held back for no longer than the delay or this, whichever is longer.
const HELD_BACK_MS: f64 = 10.0;
/// What a lost segment of a stream costs: its sender needs a round trip, or this, to notice.
const RETRANSMISSION_MS_MIN: f64 = 200.0;
/// The bytes of a segment of a stream.
const SEGMENT_BYTES: usize = 1_448;

/// What goes through a pipe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carries {
    /// Datagrams may be lost, doubled and reordered.
    Datagrams,
    /// Of a stream nothing is missing: what is lost comes later, and with it all that follows.
    Stream,
}

/// Why something did not come out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Drop {
    /// By chance, as the conditions want it.
    Loss,
    /// The way is cut.
    Cut,
    /// More than the bandwidth carries.
    Bandwidth,
    /// More is under way than there is room for.
    Full,
}

/// One direction.
pub struct Pipe<P> {
    carries: Carries,
    rng: Rng,
    /// By the time at which they come out, and the order in which they went in.
    held: BTreeMap<(Duration, u64), Packet<P>>,
    bytes: usize,
    count: u64,
    /// The last release of a packet that was not held back.
    last: Duration,
    line: Line,
}

struct Packet<P> {
    payload: P,
    bytes: usize,
}

/// A token bucket that may be overdrawn: what it lacks is what waits.
struct Line {
    tokens: f64,
    at: Duration,
}

impl<P: Clone> Pipe<P> {
    /// A pipe with nothing in it. The same seed meets the same chances.
    #[must_use]
    pub fn new(carries: Carries, seed: u64) -> Self {
        let line = Line { tokens: BURST_BYTES, at: Duration::ZERO };
        let (rng, held) = (Rng::with_seed(seed), BTreeMap::new());
        Self { carries, rng, held, bytes: 0, count: 0, last: Duration::ZERO, line }
    }

    /// Something goes in.
    ///
    /// # Errors
    /// It will never come out. Of a stream nothing is dropped.
    pub fn push(
        &mut self,
        now: Duration,
        conditions: &Conditions,
        payload: P,
        bytes: usize,
    ) -> Result<(), Drop> {
        let is_stream = self.carries == Carries::Stream;
        if !is_stream {
            if conditions.cut {
                return Err(Drop::Cut);
            }
            if self.chance(conditions.loss_percent) {
                return Err(Drop::Loss);
            }
            if self.held.len() >= PACKETS_MAX || self.bytes + bytes > DATAGRAM_BYTES_MAX {
                return Err(Drop::Full);
            }
        }
        let sent = self.line.send(now, conditions.bandwidth_kbit, bytes, is_stream).ok_or(Drop::Bandwidth)?;
        if is_stream {
            let due = self.due_in_stream(sent, conditions, bytes);
            self.hold(due, payload, bytes);
            return Ok(());
        }
        if self.chance(conditions.duplicate_percent) {
            let due = self.due(sent, conditions);
            self.hold(due, payload.clone(), bytes);
        }
        let due = self.due(sent, conditions);
        self.hold(due, payload, bytes);
        Ok(())
    }

    /// Whether more of a stream may go in.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.bytes < STREAM_BYTES_MAX
    }

    /// What comes out next, if its time has come, and when it was due.
    pub fn pop(&mut self, now: Duration) -> Option<(Duration, P)> {
        let first = self.held.first_entry().filter(|first| first.key().0 <= now)?;
        let ((due, _), packet) = first.remove_entry();
        self.bytes -= packet.bytes;
        Some((due, packet.payload))
    }

    /// When something comes out next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.held.first_key_value().map(|((due, _), _)| *due)
    }

    /// Loses all that is under way. Tells how many packets that were.
    pub fn clear(&mut self) -> usize {
        let lost = self.held.len();
        self.held.clear();
        self.bytes = 0;
        lost
    }

    fn hold(&mut self, due: Duration, payload: P, bytes: usize) {
        self.held.insert((due, self.count), Packet { payload, bytes });
        self.bytes += bytes;
        self.count += 1;
    }

    fn due(&mut self, sent: Duration, conditions: &Conditions) -> Duration {
        let due = self.delayed(sent, conditions);
        if self.chance(conditions.reorder_percent) {
            let held_back_ms = self.rng.f64() * conditions.delay_ms.max(HELD_BACK_MS);
            return due + milliseconds(held_back_ms);
        }
        // Jitter alone changes no order; but what goes in after the delay was lowered does not wait for what went in before.
        let ahead = self.last.saturating_sub(due);
        self.last = if ahead <= milliseconds(2.0 * conditions.jitter_ms) { due + ahead } else { due };
        self.last
    }

    fn due_in_stream(&mut self, sent: Duration, conditions: &Conditions, bytes: usize) -> Duration {
        let mut due = self.delayed(sent, conditions);
        if (0..bytes.div_ceil(SEGMENT_BYTES)).any(|_| self.chance(conditions.loss_percent)) {
            due += milliseconds(RETRANSMISSION_MS_MIN.max(2.0 * conditions.delay_ms));
        }
        self.last = self.last.max(due);
        self.last
    }

    fn delayed(&mut self, sent: Duration, conditions: &Conditions) -> Duration {
        let jitter_ms = (self.rng.f64() * 2.0 - 1.0) * conditions.jitter_ms;
        sent + milliseconds(conditions.delay_ms + jitter_ms)
    }

    fn chance(&mut self, percent: f64) -> bool {
        percent > 0.0 && self.rng.f64() * 100.0 < percent
    }
}

impl Line {
    /// When the last of so many bytes is on its way; `None` if too many wait already.
    fn send(&mut self, now: Duration, kbit: f64, bytes: usize, may_wait: bool) -> Option<Duration> {
        let since = now.saturating_sub(self.at);
        self.at = now;
        if kbit <= 0.0 {
            self.tokens = BURST_BYTES;
            return Some(now);
        }
        let bytes_per_second = kbit * 125.0;
        let tokens = (self.tokens + since.as_secs_f64() * bytes_per_second).min(BURST_BYTES) - bytes as f64;
        if !may_wait && -tokens > LINE_BYTES_MAX as f64 {
            self.tokens = tokens + bytes as f64;
            return None;
        }
        self.tokens = tokens;
        Some(now + milliseconds(-tokens / bytes_per_second * 1e3))
    }
}

#[cfg(test)]
mod tests;

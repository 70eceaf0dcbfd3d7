//! Non-INVITE transactions over UDP (RFC 3261, 17.1.2 and 17.2.2): datagrams get lost, twice and late.
//!
//! A client transaction ends with its final response. Its *completed* state (timer K) would only absorb
//! repeated responses; here they match nothing and are counted as stray, so that state is not needed.

use crate::compose::Transmit;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// First interval between retransmissions.
const T1: Duration = Duration::from_millis(500);
/// Longest interval between retransmissions.
const T2: Duration = Duration::from_secs(4);
/// Timer J: how long a repeated request gets the same answer, 64 × T1.
const KEPT: Duration = Duration::from_secs(32);

/// A request of ours that awaits its answer.
#[derive(Debug)]
pub(crate) struct ClientTransaction {
    branch: String,
    request: Transmit,
    interval: Duration,
    sent_at: Duration,
    deadline: Duration,
    retransmitted: bool,
}

/// What is due in a client transaction.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Due {
    Nothing,
    /// Timer E.
    Retransmit,
    /// Timer F.
    GiveUp,
}

impl ClientTransaction {
    /// `request` was just sent; its answer is awaited for `patience`.
    pub(crate) fn new(now: Duration, branch: String, request: Transmit, patience: Duration) -> Self {
        let deadline = now + patience;
        Self { branch, request, interval: T1, sent_at: now, deadline, retransmitted: false }
    }

    pub(crate) fn branch(&self) -> &str {
        &self.branch
    }

    pub(crate) fn request(&self) -> &Transmit {
        &self.request
    }

    pub(crate) fn poll_timeout(&self) -> Duration {
        self.deadline.min(self.sent_at + self.interval)
    }

    pub(crate) fn handle_timeout(&mut self, now: Duration) -> Due {
        if now >= self.deadline {
            return Due::GiveUp;
        }
        if now < self.sent_at + self.interval {
            return Due::Nothing;
        }
        self.interval = T2.min(self.interval * 2);
        self.sent_at = now;
        self.retransmitted = true;
        Due::Retransmit
    }

    /// A provisional answer: the request arrived, so it is repeated at leisure.
    pub(crate) fn slow_down(&mut self) {
        self.interval = T2;
    }

    /// The server is heard again. True when the request had been lost so far and is to be sent at once
    /// instead of at the end of a long interval; at most once in T1.
    pub(crate) fn hurry(&mut self, now: Duration) -> bool {
        let hurry = self.retransmitted && now >= self.sent_at + T1 && now < self.deadline;
        if hurry {
            self.interval = T1;
            self.sent_at = now;
        }
        hurry
    }
}

/// What makes two requests the same: equal in every retransmission, and never in two requests.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Key {
    pub(crate) from: SocketAddr,
    pub(crate) branch: String,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    pub(crate) method: String,
}

/// The requests of one server, each until its answer was 32 s ago or newer ones need the room.
///
/// A server has one request in flight for each publication, so only its last few can still be repeated.
#[derive(Debug)]
pub(crate) struct ServerTransactions<P> {
    ids: BTreeMap<Key, u64>,
    entries: BTreeMap<u64, Entry<P>>,
}

#[derive(Debug)]
struct Entry<P> {
    key: Key,
    begun: Duration,
    phase: Phase<P>,
}

#[derive(Debug)]
enum Phase<P> {
    Pending(P),
    Answered(Transmit),
}

/// A request that came before.
pub(crate) enum Repeated<'a> {
    /// Its answer is still being made.
    Pending,
    /// Send this answer again.
    Answered(&'a Transmit),
}

impl<P> ServerTransactions<P> {
    /// Transactions kept of one server; a few hundred bytes each.
    const KEPT_MAX: usize = 1024;

    pub(crate) fn new() -> Self {
        Self { ids: BTreeMap::new(), entries: BTreeMap::new() }
    }

    pub(crate) fn find(&self, key: &Key) -> Option<Repeated<'_>> {
        let entry = self.entries.get(self.ids.get(key)?)?;
        Some(match &entry.phase {
            Phase::Pending(_) => Repeated::Pending,
            Phase::Answered(answer) => Repeated::Answered(answer),
        })
    }

    /// Keeps a request that is answered later.
    pub(crate) fn open(&mut self, now: Duration, key: Key, id: u64, pending: P) {
        self.insert(id, Entry { key, begun: now, phase: Phase::Pending(pending) });
    }

    /// Keeps a request with its answer.
    pub(crate) fn answered(&mut self, now: Duration, key: Key, id: u64, answer: Transmit) {
        self.insert(id, Entry { key, begun: now, phase: Phase::Answered(answer) });
    }

    /// Takes what was pending; the answer has to follow.
    pub(crate) fn close(&mut self, id: u64, answer: impl FnOnce(P) -> Transmit) -> Option<Transmit> {
        let entry = self.entries.remove(&id)?;
        match entry.phase {
            Phase::Pending(pending) => {
                let answer = answer(pending);
                self.entries.insert(id, Entry { phase: Phase::Answered(answer.clone()), ..entry });
                Some(answer)
            }
            Phase::Answered(_) => {
                self.entries.insert(id, entry);
                None
            }
        }
    }

    /// Forgets what is old. Ids grow with time, so the oldest are first.
    pub(crate) fn purge(&mut self, now: Duration) {
        while let Some(first) = self.entries.first_entry() {
            if now < first.get().begun + KEPT {
                break;
            }
            let entry = first.remove();
            self.ids.remove(&entry.key);
        }
    }

    fn insert(&mut self, id: u64, entry: Entry<P>) {
        if self.entries.len() >= Self::KEPT_MAX
            && let Some((_, oldest)) = self.entries.pop_first()
        {
            self.ids.remove(&oldest.key);
        }
        self.ids.insert(entry.key.clone(), id);
        self.entries.insert(id, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn transmit(byte: u8) -> Transmit {
        Transmit { to: SocketAddr::from(([127, 0, 0, 1], 5060)), payload: vec![byte] }
    }

    fn key(cseq: u32) -> Key {
        let (branch, call_id, method) = ("b".into(), "c".into(), "PUBLISH".into());
        Key { from: transmit(0).to, branch, call_id, cseq, method }
    }

    #[test]
    fn a_request_is_repeated_at_growing_intervals_and_then_given_up() {
        let mut client = ClientTransaction::new(Duration::ZERO, "b".into(), transmit(1), 8000 * MS);
        let mut sent = Vec::new();
        loop {
            let now = client.poll_timeout();
            match client.handle_timeout(now) {
                Due::Retransmit => sent.push(now.as_millis()),
                Due::GiveUp => break assert_eq!(now, 8000 * MS),
                Due::Nothing => panic!("woken for nothing"),
            }
        }
        assert_eq!(sent, [500, 1500, 3500, 7500]);
        assert_eq!(client.handle_timeout(9000 * MS), Due::GiveUp);
    }

    #[test]
    fn a_lost_request_goes_out_again_when_the_server_is_heard() {
        let mut client = ClientTransaction::new(Duration::ZERO, "b".into(), transmit(1), 8000 * MS);
        assert!(!client.hurry(400 * MS), "it may still be answered");
        assert_eq!(client.handle_timeout(500 * MS), Due::Retransmit);
        assert!(!client.hurry(600 * MS), "it was just sent");
        assert!(client.hurry(1200 * MS));
        assert!(!client.hurry(1201 * MS), "never as often as the server speaks");
        assert_eq!(client.poll_timeout(), 1700 * MS);
        assert!(!client.hurry(8000 * MS));
    }

    #[test]
    fn a_repeated_request_gets_the_same_answer_for_32_seconds() {
        let mut table = ServerTransactions::new();
        table.open(Duration::ZERO, key(1), 1, 'p');
        assert!(matches!(table.find(&key(1)), Some(Repeated::Pending)));
        assert_eq!(table.close(1, |pending| transmit(pending as u8)), Some(transmit(b'p')));
        assert_eq!(table.close(1, |_| transmit(0)), None, "an answer is given once");
        table.purge(31_999 * MS);
        assert!(matches!(table.find(&key(1)), Some(Repeated::Answered(answer)) if *answer == transmit(b'p')));
        assert!(table.find(&key(2)).is_none());
        table.purge(32_000 * MS);
        assert!(table.find(&key(1)).is_none());
    }

    #[test]
    fn the_oldest_request_makes_room() {
        let mut table = ServerTransactions::<()>::new();
        let last = u32::try_from(ServerTransactions::<()>::KEPT_MAX).unwrap();
        for cseq in 0..=last {
            table.answered(Duration::ZERO, key(cseq), u64::from(cseq), transmit(0));
        }
        assert!(table.find(&key(0)).is_none());
        assert!(table.find(&key(1)).is_some() && table.find(&key(last)).is_some());
        assert_eq!(table.ids.len(), table.entries.len());
    }
}

//! The SIP side's totals, taken over from the agent at each scrape.

use super::{ReasonLabels, add};
use asterisk::Counters;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::sync::atomic::Ordering;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct FailureLabels {
    reason: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct DirectionLabels {
    direction: &'static str,
}

pub(super) struct SipMetrics {
    dropped: Family<ReasonLabels, Counter>,
    repeated_requests: Counter,
    challenges: Family<DirectionLabels, Counter>,
    expired: Counter,
    evicted: Counter,
    begun: Counter,
    accepted: Counter,
    failed: Family<FailureLabels, Counter>,
    forgotten: Counter,
    retransmissions: Counter,
}

impl SipMetrics {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            dropped: add(r, "sip_dropped", "Datagrams and requests without effect, by reason"),
            repeated_requests: add(
                r,
                "sip_repeated_requests",
                "Requests that came again and got the same answer again",
            ),
            challenges: add(r, "sip_challenges", "Digest challenges, by direction"),
            expired: add(r, "publications_expired", "Publications of servers that expired"),
            evicted: add(r, "publications_evicted", "Publications of servers that made room for newer ones"),
            begun: add(
                r,
                "publish_begun",
                "PUBLISHes to servers: states, refresh requests, renewals and removals",
            ),
            accepted: add(r, "publish_accepted", "PUBLISHes that a server accepted"),
            failed: add(r, "publish_failed", "PUBLISHes that failed, by status code or timeout"),
            forgotten: add(r, "publish_forgotten", "Answers 412: the server had forgotten what it was told"),
            retransmissions: add(
                r,
                "sip_retransmissions",
                "Requests to servers sent again for want of an answer",
            ),
        }
    }

    pub(super) fn take_over(&self, counters: &Counters) {
        for (kind, total) in &counters.drops {
            set(&self.dropped.get_or_create(&ReasonLabels { reason: kind.as_str() }), *total);
        }
        for (failure, total) in &counters.publishes_failed {
            set(&self.failed.get_or_create(&FailureLabels { reason: failure.to_string() }), *total);
        }
        set(&self.challenges.get_or_create(&DirectionLabels { direction: "sent" }), counters.challenges_sent);
        set(
            &self.challenges.get_or_create(&DirectionLabels { direction: "received" }),
            counters.challenges_received,
        );
        set(&self.repeated_requests, counters.repeated_requests);
        set(&self.expired, counters.publications_expired);
        set(&self.evicted, counters.publications_evicted);
        set(&self.begun, counters.publishes_begun);
        set(&self.accepted, counters.publishes_accepted);
        set(&self.forgotten, counters.forgotten);
        set(&self.retransmissions, counters.retransmissions);
    }
}

fn set(counter: &Counter, total: u64) {
    counter.inner().store(total, Ordering::Relaxed);
}

//! The loop that moves bytes and time: it gives the core what happened, and carries out what the core wants.
//!
//! Each turn: 1 effects of the core, 2 frames to peers and datagrams to servers, 3 wait until any source has something, 4 serve every
//! source (the group, the links, the servers, questions), each at most [`BUDGET`] times so that none starves another, 5 the clock.

use crate::config::Config;
use crate::group::{Group, GroupEvent};
use crate::http::Query;
use crate::links::Links;
use crate::metrics::{GROUP_QUEUE_FULL, Metrics, Path};
use crate::notes::Names;
use crate::sip::Sip;
use crate::trail::Trail;
use crate::{sip, touch, view};
use asterisk::{Event, ReportId};
use presence::{Input, Message, Node, Output};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::UdpSocket;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// How many inputs of one source are taken in one turn.
const BUDGET: usize = 64;

/// How long the way out may take: telling everybody, then ending the publications, then leaving the group.
const TELLING_MAX: Duration = Duration::from_secs(10);
const UNPUBLISHING_MAX: Duration = Duration::from_millis(500);
const LEAVING_MAX: Duration = Duration::from_secs(1);

/// The node's shell.
pub(crate) struct Driver {
    start: Instant,
    node: Node,
    group: Option<Group>,
    group_name: Option<String>,
    /// Why the node is not in the group, as the log says already.
    down_because: Option<String>,
    sip: Sip,
    links: Option<Links>,
    names: Names,
    metrics: Metrics,
    trail: Trail,
    way_out: WayOut,
    terminate: Signal,
    interrupt: Signal,
}

/// How far the node is on its way out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WayOut {
    Staying,
    /// Taking back what it told, until then.
    Telling {
        until: Duration,
    },
    /// Ending its publications, until then.
    Unpublishing {
        until: Duration,
    },
    Over,
}

impl Driver {
    pub(crate) fn new(config: &Config, socket: UdpSocket) -> anyhow::Result<Self> {
        // A clock before 1970 only spoils the stamps.
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let names = Names::new(
            config.servers.iter().map(|server| server.name.clone()),
            config.links.iter().map(|link| link.name.clone()),
        );
        Ok(Self {
            start: Instant::now(),
            node: Node::new(config.core(epoch)),
            group: config.cluster.as_ref().map(Group::join).transpose()?,
            group_name: config.cluster.as_ref().map(|cluster| cluster.group.clone()),
            down_because: None,
            sip: Sip::new(config, socket),
            links: Links::start(config)?,
            metrics: Metrics::new(&names),
            trail: Trail::new(config.servers.len(), epoch),
            names,
            way_out: WayOut::Staying,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Runs until a signal ends it.
    pub(crate) async fn run(mut self, mut queries: mpsc::Receiver<Query>) {
        while self.way_out != WayOut::Over {
            self.carry_out();
            self.flush_links();
            self.sip.flush().await;
            self.advance_way_out();
            let wake_at = self.start + self.wake_at();
            tokio::select! {
                biased;
                _ = self.terminate.recv() => self.begin_way_out("SIGTERM"),
                _ = self.interrupt.recv() => self.begin_way_out("SIGINT"),
                Some(event) = next(&mut self.group) => self.hear_group_event(event),
                Some(event) = next_of_links(&mut self.links) => self.hear_link(event),
                Some(query) = queries.recv() => self.answer(query),
                () = self.sip.readable() => {}
                () = tokio::time::sleep_until(wake_at.into()) => {}
            }
            self.hear_group();
            self.hear_links();
            self.hear_servers();
            self.pass_time();
        }
        if let Some(links) = self.links {
            links.stop(LEAVING_MAX).await;
        }
        if let Some(group) = self.group {
            group.leave(LEAVING_MAX).await;
        }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn wake_at(&self) -> Duration {
        let way_out = match self.way_out {
            WayOut::Staying | WayOut::Over => None,
            WayOut::Telling { until } | WayOut::Unpublishing { until } => Some(until),
        };
        let node = self.node.poll_timeout().map(|(at, _)| at);
        let never = self.now() + Duration::from_secs(3_600);
        [way_out, node, self.sip.agent.poll_timeout()].into_iter().flatten().min().unwrap_or(never)
    }

    fn pass_time(&mut self) {
        let now = self.now();
        if let Some((at, why)) = self.node.poll_timeout()
            && at <= now
        {
            self.metrics.wakeup(why);
            self.node.handle_timeout(now);
        }
        if self.sip.agent.poll_timeout().is_some_and(|at| at <= now) {
            self.sip.agent.handle_timeout(now);
            self.take_events(now);
        }
    }
}

/// What comes in.
impl Driver {
    fn hear_group(&mut self) {
        for _ in 0..BUDGET {
            let Some(event) = self.group.as_mut().and_then(Group::try_next) else { break };
            self.hear_group_event(event);
        }
    }

    fn hear_group_event(&mut self, event: GroupEvent) {
        let now = self.now();
        match event {
            GroupEvent::Joined { me, members } => {
                self.down_because = None;
                self.node.handle(now, Input::Joined { me, members });
            }
            GroupEvent::Changed { joined, left } => self.node.handle(now, Input::Changed { joined, left }),
            GroupEvent::Delivered { from, message: Ok(message) } => {
                let ours = Some(from) == self.node.membership().me();
                if !ours {
                    self.metrics.received(Path::group, message.kind());
                }
                self.trail.heard(now, ours, &message, &self.metrics);
                self.node.handle(now, Input::Delivered { from, message });
            }
            GroupEvent::Delivered { from, message: Err(malformed) } => {
                tracing::debug!(%from, "dropped a malformed message: {malformed}");
                self.metrics.malformed(malformed.as_str());
            }
            GroupEvent::Down { why, retry } => {
                // The same reason is told once, however often the node tries.
                if self.down_because.as_ref() != Some(&why) {
                    tracing::warn!(retry_ms = retry.as_millis(), "not in the group: {why}");
                }
                self.down_because = Some(why);
                self.node.handle(now, Input::Lost);
            }
        }
    }

    fn hear_links(&mut self) {
        for _ in 0..BUDGET {
            let Some(event) = self.links.as_mut().and_then(Links::try_next) else { break };
            self.hear_link(event);
        }
    }

    fn hear_link(&mut self, event: link::Event) {
        let now = self.now();
        let Some(links) = &mut self.links else { return };
        if let link::Event::Frame { link, frame } = &event {
            self.trail.heard_link(now, links.name(*link), frame);
        }
        let input = links.hear(event, &self.node, &self.metrics);
        if let Some(input) = input {
            self.node.handle(now, input);
        }
    }

    fn hear_servers(&mut self) {
        for _ in 0..BUDGET {
            let now = self.now();
            if !self.sip.receive(now) {
                break;
            }
            self.take_events(now);
        }
    }

    /// Hands on what the agent made of what came in then.
    fn take_events(&mut self, received: Duration) {
        while let Some(event) = self.sip.agent.poll_event() {
            let now = self.now();
            match event {
                Event::Report { report, server, eid, change } => {
                    self.metrics.received(Path::publish, change.kind());
                    let report = report.number();
                    self.node.handle(now, Input::Report { server, report, eid, change: change.clone() });
                    self.trail.reported(received, self.now(), eid, &change, &self.metrics);
                }
                Event::RefreshAsked { server, eid } => {
                    self.node.handle(now, Input::Named { server, eid });
                    self.node.handle(now, Input::ResyncAsked(server));
                }
                Event::Forgotten { server } => self.node.handle(now, Input::ResyncAsked(server)),
                Event::Restarted { server, eid } => {
                    self.node.handle(now, Input::Named { server, eid });
                    self.node.handle(now, Input::Restarted(server));
                }
                Event::Published { server, outcome } => {
                    let accepted = outcome == asterisk::Outcome::Accepted;
                    self.trail.published(now, server, accepted, &self.names, &self.metrics);
                    self.node.handle(now, Input::Settled { server, outcome: sip::outcome(outcome) });
                }
                Event::Silent { server } => self.node.handle(now, Input::Silent(server)),
                Event::Alive { server } => self.node.handle(now, Input::Alive(server)),
            }
        }
    }

    fn answer(&mut self, query: Query) {
        // Whoever asked may have gone meanwhile.
        let _heard = match query {
            Query::Ready(reply) => {
                reply.send(view::readiness(&self.node, self.now(), self.group.is_some())).is_ok()
            }
            Query::Metrics(reply) => reply.send(self.scrape()).is_ok(),
            Query::Members(reply) => {
                reply.send(view::members(&self.node, self.group_name.as_deref())).is_ok()
            }
            Query::States(reply) => reply.send(view::states(&self.node)).is_ok(),
            Query::Device(device, reply) => reply.send(view::device(&self.node, &device)).is_ok(),
            Query::Stamps(device, reply) => reply.send(self.trail.stamps(self.now(), &device)).is_ok(),
            Query::Links(reply) => reply.send(view::links(&self.node, self.links.as_ref())).is_ok(),
            Query::Ping(reply) => {
                self.node.handle(self.now(), Input::Ping);
                reply.send(()).is_ok()
            }
        };
    }

    fn scrape(&mut self) -> String {
        if let Some(group) = &self.group {
            self.metrics.group_totals(group.aggregates_total(), group.throttled_total(), group.lost_total());
        }
        self.metrics.sip_totals(self.sip.agent.counters());
        if let Some(links) = &self.links {
            self.metrics.link_totals(&links.totals(&self.node));
        }
        self.metrics.snapshot(&self.node, &self.names);
        self.metrics.encode()
    }
}

/// What goes out.
impl Driver {
    fn carry_out(&mut self) {
        let now = self.now();
        while let Some(output) = self.node.poll_output(now) {
            match output {
                Output::Multicast(message) => self.multicast(now, &message),
                Output::Publish { server, eid, change } => {
                    self.metrics.sent(Path::publish, change.kind());
                    self.sip.agent.publish(now, server, eid, &change);
                    self.trail.publishing(now, server, eid, change);
                }
                Output::RequestRefresh { server } => self.sip.agent.request_refresh(now, server),
                Output::Answer { server, report, verdict } => {
                    self.sip.answer(now, ReportId::new(server, report), verdict);
                }
                Output::Touch => touch::begin(self.group_name.as_deref()),
                Output::Note(note) => {
                    self.metrics.note(&note, &self.names);
                    self.names.log(&note);
                }
            }
        }
    }

    fn flush_links(&mut self) {
        let now = self.now();
        let Some(links) = &mut self.links else { return };
        links.flush(&mut self.node, |link, frame| self.trail.sent_link(now, link, frame));
    }

    fn multicast(&mut self, now: Duration, message: &Message) {
        let Some(group) = &self.group else { return };
        if group.multicast(message) {
            self.metrics.sent(Path::group, message.kind());
            self.trail.sent(now, self.node.waited(), message, &self.metrics);
        } else {
            self.metrics.dropped(GROUP_QUEUE_FULL);
        }
    }
}

/// The way out.
impl Driver {
    fn begin_way_out(&mut self, signal: &str) {
        if self.way_out == WayOut::Staying {
            tracing::info!(
                "{signal}: taking back what others know only through this node, then leaving the group"
            );
            self.node.handle(self.now(), Input::Stop);
            self.way_out = WayOut::Telling { until: self.now() + TELLING_MAX };
        } else {
            self.way_out = WayOut::Over;
        }
    }

    fn advance_way_out(&mut self) {
        let now = self.now();
        match self.way_out {
            WayOut::Telling { until } if self.node.drained() || until <= now => {
                if !self.node.drained() {
                    tracing::warn!("not everybody took back in time what this node had told");
                }
                self.sip.agent.withdraw_publications(now);
                self.way_out = WayOut::Unpublishing { until: now + UNPUBLISHING_MAX };
            }
            WayOut::Unpublishing { until } if self.sip.agent.is_quiet() || until <= now => {
                self.way_out = WayOut::Over
            }
            WayOut::Staying | WayOut::Telling { .. } | WayOut::Unpublishing { .. } | WayOut::Over => {}
        }
    }
}

/// The links' next event; never, when there are none.
async fn next_of_links(links: &mut Option<Links>) -> Option<link::Event> {
    match links {
        Some(links) => links.next().await,
        None => std::future::pending().await,
    }
}

/// The group's next event; never, when the node is in none.
async fn next(group: &mut Option<Group>) -> Option<GroupEvent> {
    match group {
        Some(group) => group.next().await,
        None => std::future::pending().await,
    }
}

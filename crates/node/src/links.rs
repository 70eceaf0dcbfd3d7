//! The links as the driver sees them: which have room, and what happened on them, in log lines and measurements.

use crate::clock::now_us;
use crate::config::{Config, Link, Site};
use crate::metrics::{LinkTotals, Metrics};
use anyhow::{Context, bail};
use link::{Event, Events, LinkId, LinkStatus, PeerConfig, PrivateKey, Refusal, Session, Transport, Unsent};
use presence::link::{Frame, PeerId, Statement};
use presence::{Input, Node};
use std::time::Duration;

/// Clocks that are farther apart than this make nonsense of the lag between them.
const APART_MAX: Duration = Duration::from_millis(100);

pub(crate) struct Links {
    session: Session,
    events: Events,
    lines: Vec<Line>,
}

/// What is known of one link.
struct Line {
    name: String,
    up: bool,
    /// A frame that there was no room for; none is made before it has gone.
    held: Option<Frame>,
    /// It takes frames.
    room: bool,
    /// Why it is down, as the log says already.
    down_because: Option<String>,
    /// Since when it is up, in microseconds since 1970: what is older has not been told late.
    since_us: u64,
    /// How late the last state came, where the clocks allow to say so.
    lag: Option<Duration>,
}

impl Links {
    /// Listens and dials, if there are links.
    pub(crate) fn start(config: &Config) -> anyhow::Result<Option<Self>> {
        let Some(site) = &config.site else { return Ok(None) };
        let key = PrivateKey::load(&site.key).context("[site] key")?;
        for link in &config.links {
            if link.keys.contains(&key.fingerprint()) {
                bail!(
                    "[[link]] {:?}: keys has this node's own key, and no node is linked with itself; write the peer's",
                    link.name
                );
            }
        }
        tracing::info!(key = %key.fingerprint(), site = site.name, listen = %site.listen, "links");
        let (session, events) = Session::start(session(site, &config.links, key)).context("[site] listen")?;
        let line = |link: &Link| Line {
            name: link.name.clone(),
            up: false,
            held: None,
            room: false,
            down_because: None,
            since_us: 0,
            lag: None,
        };
        Ok(Some(Self { session, events, lines: config.links.iter().map(line).collect() }))
    }

    /// The next event, once there is one.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// The next event, if one waits.
    pub(crate) fn try_next(&mut self) -> Option<Event> {
        self.events.try_recv()
    }

    /// What an event means to the core.
    pub(crate) fn hear(&mut self, event: Event, node: &Node, metrics: &Metrics) -> Option<Input> {
        match event {
            Event::Up { link, remote, transport } => {
                let line = &mut self.lines[link.0];
                tracing::info!(link = line.name, %remote, %transport, "link is up");
                (line.up, line.room, line.held, line.down_because) = (true, true, None, None);
                line.since_us = now_us();
                Some(Input::LinkUp(PeerId(link.0)))
            }
            Event::Frame { link, frame } => {
                self.measure(link, &frame, node, metrics);
                Some(Input::LinkFrame { peer: PeerId(link.0), frame })
            }
            Event::Room { link } => {
                self.lines[link.0].room = true;
                None
            }
            Event::Down { link, silent, why, .. } => {
                let line = &mut self.lines[link.0];
                let was_up = std::mem::take(&mut line.up);
                line.room = false;
                // The same reason is told once, however often the peer is dialled.
                if line.down_because.as_ref() != Some(&why) {
                    tracing::warn!(link = line.name, "link is down: {why}");
                }
                line.down_because = Some(why);
                was_up.then_some(Input::LinkDown { peer: PeerId(link.0), silent })
            }
            Event::Refused { from, why } => {
                tracing::warn!(%from, why = why.as_str(), "a stranger was not let in at the links' door");
                None
            }
        }
    }

    /// The name of a link.
    pub(crate) fn name(&self, link: LinkId) -> &str {
        &self.lines[link.0].name
    }

    /// Gives the network what the core has for it, where there is room. `sent` hears of each frame that went.
    pub(crate) fn flush(&mut self, node: &mut Node, mut sent: impl FnMut(&str, &Frame)) {
        for (number, line) in self.lines.iter_mut().enumerate() {
            while line.room {
                let Some(frame) = line.held.take().or_else(|| node.poll_frame(PeerId(number))) else { break };
                match self.session.send(LinkId(number), &frame) {
                    Ok(()) => sent(&line.name, &frame),
                    Err(Unsent::Full) => (line.room, line.held) = (false, Some(frame)),
                    // That is told, and what was lost is told again.
                    Err(Unsent::Gone) => line.room = false,
                }
            }
        }
    }

    /// How late states come that are news, where the clocks allow to say so.
    fn measure(&mut self, link: LinkId, frame: &Frame, node: &Node, metrics: &Metrics) {
        let Frame::States(statements) = frame else { return };
        let line = &mut self.lines[link.0];
        let offset = self.session.status_of(link).clock_offset_us;
        if !trusted(offset) {
            line.lag = None;
            return;
        }
        let now = now_us().saturating_add_signed(offset.unwrap_or_default());
        let news = |it: &&Statement| it.version.clock >= line.since_us && node.is_news(it);
        for statement in statements.iter().filter(news) {
            let late = Duration::from_micros(now.saturating_sub(statement.version.clock));
            metrics.link_lag(&line.name, late);
            line.lag = Some(late);
        }
    }

    /// How each link is, with its name.
    pub(crate) fn status(&self) -> impl Iterator<Item = (PeerId, &str, LinkStatus)> {
        let status = self.session.status().into_iter().zip(&self.lines).enumerate();
        status.map(|(number, (status, line))| (PeerId(number), line.name.as_str(), status))
    }

    /// How late the last state came over a link.
    pub(crate) fn lag(&self, peer: PeerId) -> Option<Duration> {
        self.lines[peer.0].lag
    }

    /// What is counted and measured, for the metrics.
    pub(crate) fn totals(&self, node: &Node) -> LinkTotals {
        let totals = self.session.totals();
        LinkTotals {
            refused: Refusal::ALL.map(|why| (why.as_str(), totals.refused(why))).into(),
            links: self
                .status()
                .map(|(peer, name, status)| (name.to_owned(), node.link_queue(peer), status))
                .collect(),
        }
    }

    /// Says goodbye.
    pub(crate) async fn stop(self, within: Duration) {
        self.session.stop(within).await;
    }
}

/// Whether a lag between two clocks that are so far apart says anything.
pub(crate) fn trusted(clock_offset_us: Option<i64>) -> bool {
    clock_offset_us.is_some_and(|offset| u128::from(offset.unsigned_abs()) <= APART_MAX.as_micros())
}

fn session(site: &Site, links: &[Link], key: PrivateKey) -> link::Config {
    let peer = |link: &Link| PeerConfig {
        name: link.name.clone(),
        dial: link.dial.clone(),
        transport: link.transport,
        keys: link.keys.clone(),
    };
    // Who neither dials nor is dialled over QUIC needs no socket for it.
    let quic = links.iter().any(|link| link.transport == Transport::Udp);
    link::Config {
        key,
        listen_udp: quic.then_some(site.listen),
        listen_tcp: site.listen_tcp,
        peers: links.iter().map(peer).collect(),
        keepalive: site.keepalive,
        hold: site.hold,
    }
}

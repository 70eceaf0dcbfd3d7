//! A node of the site: the real core, and models of what stands between it and the world, each as forgetful as the real one.

use crate::names::node_eid;
use crate::server::Publish;
use presence::link::PeerConfig;
use presence::{Config, Eid, Input, Member, Node, Outcome, ServerConfig};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

/// One node, over all its lives.
pub(crate) struct Shell {
    pub(crate) number: usize,
    pub(crate) name: String,
    pub(crate) eid: Eid,
    pub(crate) member: Member,
    /// The running process; none, while it is dead.
    pub(crate) core: Option<Node>,
    pub(crate) life: u32,
    /// When the process started; the core's time is counted from here.
    pub(crate) born: Duration,
    /// The machine's clock when the simulation began, since 1970.
    pub(crate) clock: Duration,
    /// Stopped by a signal.
    pub(crate) frozen: bool,
    /// It takes back what it has told, until then.
    pub(crate) stopping: Option<Duration>,
    pub(crate) session: Session,
    pub(crate) group_inbox: VecDeque<crate::bus::Incoming>,
    pub(crate) sip_inbox: VecDeque<Input>,
    pub(crate) link_inbox: VecDeque<Input>,
    pub(crate) turn_planned: bool,
    pub(crate) wake_planned: Option<Duration>,
    pub(crate) links: Vec<Link>,
    pub(crate) reports: BTreeMap<u64, Report>,
    /// When corosync last swallowed something of it.
    pub(crate) swallowed_at: Option<Duration>,
}

/// Where a node stands in the wide world.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) number: usize,
    /// The links that it has.
    pub(crate) peers: usize,
    pub(crate) hold: Duration,
}

/// A report that waits for the core's verdict.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Report {
    pub(crate) server: usize,
    pub(crate) life: u32,
    pub(crate) channel: usize,
    pub(crate) number: u64,
}

/// The session with corosync: a queue, a window, and the way back in.
#[derive(Default)]
pub(crate) struct Session {
    pub(crate) state: SessionState,
    pub(crate) queue: VecDeque<Rc<[u8]>>,
    pub(crate) in_flight: VecDeque<Rc<[u8]>>,
    pub(crate) paused_until: Duration,
    pub(crate) pause: Duration,
    pub(crate) quiet_since: Duration,
    pub(crate) reconnect: Duration,
    pub(crate) planned: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum SessionState {
    /// Without a connection; the next attempt is planned.
    #[default]
    Out,
    /// It has asked to join.
    Joining,
    /// It has seen itself in the group.
    Joined,
}

/// What the SIP agent knows of one server.
pub(crate) struct Link {
    pub(crate) server: usize,
    /// The server's EID, if the node is configured with it.
    pub(crate) configured: Option<Eid>,
    pub(crate) heard_at: Duration,
    pub(crate) standing: Standing,
    /// The life of the server that knows our publication.
    pub(crate) told: Option<u32>,
    /// The life of the server whose publication we know, for each event package.
    pub(crate) knows: [Option<u32>; 2],
    /// Which package asked for everything last, and when: the request of the other package is the same wish.
    pub(crate) refresh_asked: Option<(usize, Duration)>,
    pub(crate) flight: Option<OutFlight>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    Unknown,
    Alive,
    Silent,
}

/// A request to a server that is under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutFlight {
    pub(crate) publish: Publish,
    pub(crate) since: Duration,
    /// The life of the server that has it.
    pub(crate) delivered: Option<u32>,
    /// How that server has answered.
    pub(crate) outcome: Option<Outcome>,
}

impl Shell {
    pub(crate) fn new(number: usize, member: Member, links: Vec<Link>, clock: Duration) -> Self {
        Self {
            number,
            name: format!("node{number}"),
            eid: node_eid(number),
            member,
            core: None,
            life: 0,
            born: Duration::ZERO,
            clock,
            frozen: false,
            stopping: None,
            session: Session::default(),
            group_inbox: VecDeque::new(),
            sip_inbox: VecDeque::new(),
            link_inbox: VecDeque::new(),
            turn_planned: false,
            wake_planned: None,
            links,
            reports: BTreeMap::new(),
            swallowed_at: None,
        }
    }

    /// A new process.
    pub(crate) fn start(&mut self, now: Duration, site: Site) {
        let links = self.links.iter().map(Link::anew).collect();
        *self =
            Self { life: self.life + 1, born: now, ..Self::new(self.number, self.member, links, self.clock) };
        let mut config = Config::new(self.eid, "192.0.2.200", self.clock + now);
        config.servers = self
            .links
            .iter()
            .map(|link| ServerConfig { eid: link.configured, ..ServerConfig::default() })
            .collect();
        config.site = format!("site{}", site.number).into();
        config.peers = vec![PeerConfig::default(); site.peers];
        config.hold = site.hold;
        self.core = Some(Node::new(config));
    }

    /// The process is gone.
    pub(crate) fn end(&mut self) {
        self.core = None;
        self.frozen = false;
        self.stopping = None;
        self.group_inbox.clear();
        self.sip_inbox.clear();
        self.link_inbox.clear();
        self.session = Session::default();
        for link in &mut self.links {
            *link = link.anew();
        }
    }

    /// Whether its process runs and is not stopped.
    pub(crate) fn is_well(&self) -> bool {
        self.core.is_some() && !self.frozen
    }

    /// Whether its process sees itself in the group.
    pub(crate) fn is_in_group(&self) -> bool {
        self.core.as_ref().is_some_and(|core| core.membership().me().is_some())
    }
}

impl Link {
    pub(crate) fn new(server: usize, configured: Option<Eid>) -> Self {
        Self {
            server,
            configured,
            heard_at: Duration::ZERO,
            standing: Standing::Unknown,
            told: None,
            knows: [None; 2],
            refresh_asked: None,
            flight: None,
        }
    }

    /// The same link, of which nothing is known yet.
    fn anew(&self) -> Self {
        Self::new(self.server, self.configured)
    }

    /// What comes back after a silence may be another process: nothing is known of it.
    pub(crate) fn forget(&mut self) {
        self.told = None;
        self.knows = [None; 2];
    }
}

/// What the session keeps to.
impl Session {
    /// Own messages that may be on their way.
    pub(crate) const WINDOW: usize = 128;
    /// Messages that may wait.
    pub(crate) const QUEUE: usize = 256;
    const PAUSE_MIN: Duration = Duration::from_micros(500);
    const PAUSE_MAX: Duration = Duration::from_millis(10);
    const RECONNECT_MIN: Duration = Duration::from_millis(100);
    const RECONNECT_MAX: Duration = Duration::from_secs(1);
    /// A full window from which nothing comes back for so long is given up, if corosync lives.
    pub(crate) const QUIET_MAX: Duration = Duration::from_secs(6);

    /// corosync is gone, and with it all that was queued or in flight. Returns when to try again.
    pub(crate) fn close(&mut self) -> Duration {
        let reconnect = self.reconnect.clamp(Self::RECONNECT_MIN, Self::RECONNECT_MAX);
        *self = Self { reconnect: reconnect * 2, planned: self.planned, ..Self::default() };
        reconnect
    }

    /// corosync refuses for now. Returns how long to wait.
    pub(crate) fn refused(&mut self, now: Duration) -> Duration {
        self.pause = (self.pause * 2).clamp(Self::PAUSE_MIN, Self::PAUSE_MAX);
        self.paused_until = now + self.pause;
        self.pause
    }

    /// corosync has taken the first that waited.
    pub(crate) fn taken(&mut self, now: Duration) {
        self.pause = Duration::ZERO;
        if self.in_flight.is_empty() {
            self.quiet_since = now;
        }
        self.in_flight.extend(self.queue.pop_front());
    }

    /// An own message came back.
    pub(crate) fn delivered(&mut self, now: Duration, payload: &[u8]) {
        self.quiet_since = now;
        if let Some(position) = self.in_flight.iter().position(|sent| **sent == *payload) {
            self.in_flight.drain(..=position);
        }
    }
}

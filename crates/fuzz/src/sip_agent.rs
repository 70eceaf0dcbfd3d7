//! SIP at the agent, in any order and at any time: from a server that is known by its address, from one that
//! has to show a password, and from strangers.
//!
//! Actions of a record:
//!
//! | letter | what happens |
//! |---|---|
//! | `a`, `A`, `c` | a datagram of the first server; a state in it is taken, refused, or judged only after a while |
//! | `b` | a datagram from the address of the second server |
//! | `x` | a datagram of a stranger |
//! | `n`, `d`, `l` | the next datagram of the real second server arrives, arrives twice, gets lost |
//! | `e` | it arrives damaged: pairs of position and byte |
//! | `s` | the second server states something to us |
//! | `p`, `r` | we publish to a server, or ask it for a refresh; the payload says which |
//! | `w` | we withdraw our publications |
//! | others | time passes |
//!
//! Placeholders in datagrams: 1 is the branch of our last request to that server, 2 the entity tag that we gave last.

use crate::script::{self, Record};
use crate::sip::{Plain, is_keep_alive, is_request};
use asterisk::{Agent, AgentConfig, Counters, Credentials, Event, ReportId, ServerConfig, ServerId, Verdict};
use presence::{Change, Device, DeviceState, Eid, Mailbox, MessageCounts};
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

const EID: Eid = Eid([2, 0, 0, 0, 1, 0x21]);
const US: usize = 1;
const FIRST: usize = 2;
const SECOND: usize = 3;
const STRANGER: usize = 9;
/// An answer, what is sent again because the server is heard, and what waited behind.
const DATAGRAMS_FOR_ONE_MAX: usize = 8;
/// Headers of our own in an answer.
const ANSWER_BYTES_MORE_MAX: usize = 512;
/// More than a request of ours is repeated for.
const PATIENCE: Duration = Duration::from_secs(9);

/// Nothing that arrives makes the agent panic, grow, serve as an amplifier, believe a stranger or forget its caller.
///
/// # Panics
/// When that does not hold.
pub fn run(data: &[u8]) {
    let mut scene = Scene::new();
    for record in script::records(data) {
        scene.pass(record.after);
        scene.act(&record);
        scene.never_spins();
    }
    scene.everybody_goes();
}

struct Scene {
    now: Duration,
    agent: Agent,
    /// What stands at the address of the second server, and what it has sent.
    second: Agent,
    sent_by_second: VecDeque<Vec<u8>>,
    second_is_busy: bool,
    /// What is said of a report; nothing for now where there is none.
    verdict: Option<Verdict>,
    unjudged: Vec<ReportId>,
    servers: [Server; 2],
}

/// What is known of one server from outside the agent.
#[derive(Default)]
struct Server {
    branch: String,
    entity_tag: String,
    /// A publication or a refresh is under way.
    open: bool,
    alive: Option<bool>,
    /// It went, and nothing that we published was accepted since: it may come back as another process, whose entity
    /// tags mean something else.
    has_gone: bool,
    branches: BTreeSet<String>,
}

/// What came of one call.
#[derive(Default)]
struct Effects {
    events: usize,
    reports: usize,
    answers: usize,
    requests: usize,
    answer_bytes_max: usize,
}

impl Scene {
    fn new() -> Self {
        let credentials = Some(Credentials { user: "presence".into(), password: "zz".into() });
        let server =
            |at, credentials| ServerConfig { name: String::new(), address: address(at), credentials };
        let servers = vec![server(FIRST, None), server(SECOND, credentials.clone())];
        let us = AgentConfig { local: address(US), eid: EID, servers, seed: 1 };
        let servers = vec![server(US, credentials)];
        let second = AgentConfig { local: address(SECOND), eid: EID, servers, seed: 2 };
        Self {
            now: Duration::ZERO,
            agent: Agent::new(us, Duration::ZERO),
            second: Agent::new(second, Duration::ZERO),
            sent_by_second: VecDeque::new(),
            second_is_busy: false,
            verdict: Some(Verdict::Accept),
            unjudged: Vec::new(),
            servers: Default::default(),
        }
    }

    /// Time passes: in the steps that a driver takes or, where it is long, at once, as for a process that was stopped.
    fn pass(&mut self, time: Duration) {
        if time > Duration::from_secs(30) {
            return self.pass_at_once(time);
        }
        let until = self.now + time;
        let mut steps = 0;
        while let Some(due) = self.agent.poll_timeout().filter(|due| *due < until) {
            self.now = self.now.max(due);
            self.wake();
            steps += 1;
            assert!(steps < 200, "woken again and again at {:?}", self.now);
        }
        self.pass_at_once(until.saturating_sub(self.now));
    }

    fn pass_at_once(&mut self, time: Duration) {
        self.now += time;
        self.wake();
    }

    fn wake(&mut self) {
        for report in std::mem::take(&mut self.unjudged) {
            self.judge(report, Verdict::Accept);
        }
        self.collect();
        self.agent.handle_timeout(self.now);
        self.collect();
        self.second.handle_timeout(self.now);
        self.listen_to_second();
    }

    fn act(&mut self, record: &Record<'_>) {
        let payload = record.payload;
        match record.action {
            b'a' | b'A' | b'c' => {
                self.verdict = match record.action {
                    b'a' => Some(Verdict::Accept),
                    b'A' => Some(Verdict::Refuse("No")),
                    _ => None,
                };
                self.arrives(FIRST, &self.filled(0, payload));
                self.verdict = Some(Verdict::Accept);
            }
            b'b' => self.forged(&self.filled(1, payload)),
            b'x' => self.strange(&self.filled(0, payload)),
            b'n' | b'd' | b'l' | b'e' => self.real(record.action, payload),
            b's' if !self.second_is_busy => {
                self.second_is_busy = true;
                self.second.publish(self.now, ServerId(0), EID, &change(payload));
            }
            b'p' | b'r' => self.tell(record.action, payload),
            b'w' => {
                self.agent.withdraw_publications(self.now);
                self.collect();
            }
            _ => {}
        }
        self.listen_to_second();
    }

    fn filled(&self, server: usize, payload: &[u8]) -> Vec<u8> {
        let Server { branch, entity_tag, .. } = &self.servers[server];
        script::filled(payload, &[branch, entity_tag])
    }

    /// A datagram arrives; what comes of it is bounded and, if it is a request, visible.
    fn arrives(&mut self, from: usize, datagram: &[u8]) -> Effects {
        let before = self.agent.counters().clone();
        self.agent.handle_datagram(self.now, address(from), datagram);
        if before.publishes_accepted < self.agent.counters().publishes_accepted {
            self.servers[from - FIRST].has_gone = false;
        }
        let effects = self.collect();
        assert!(effects.answers + effects.requests <= DATAGRAMS_FOR_ONE_MAX, "one datagram makes no flood");
        assert!(effects.answers <= 1, "one request has one answer");
        assert!(effects.reports <= 1, "one request states one thing");
        // A repeated request has the answer to the first one, however long that was.
        let repeated = before.repeated_requests < self.agent.counters().repeated_requests;
        assert!(repeated || effects.answer_bytes_max <= 2 * datagram.len() + ANSWER_BYTES_MORE_MAX);
        let unseen = effects.answers + effects.events == 0 && before == *self.agent.counters();
        assert!(!unseen || !is_request(datagram), "a request has an answer or is counted");
        effects
    }

    /// Whoever only has the address of the second server states nothing and makes nothing bigger.
    fn forged(&mut self, datagram: &[u8]) {
        let shows_password = datagram.windows(13).any(|word| word.eq_ignore_ascii_case(b"authorization"));
        let effects = self.arrives(SECOND, datagram);
        assert!(shows_password || effects.reports == 0, "a state without a password");
        let amplified = effects.answer_bytes_max > 2 * datagram.len();
        assert!(shows_password || !amplified, "amplification for somebody who proved nothing");
    }

    fn strange(&mut self, datagram: &[u8]) {
        let (before, due) = (self.agent.counters().clone(), self.agent.poll_timeout());
        self.agent.handle_datagram(self.now, address(STRANGER), datagram);
        let effects = self.collect();
        assert!(effects.events == 0 && effects.requests == 0, "a stranger changes nothing");
        assert!(effects.answers <= 1 && effects.answer_bytes_max <= 2 * datagram.len(), "no amplification");
        assert_eq!(due, self.agent.poll_timeout(), "a stranger sets no deadline");
        let counted = dropped(self.agent.counters()) - dropped(&before);
        assert_eq!(counted, u64::from(!is_keep_alive(datagram)), "a stranger is counted");
    }

    /// The next datagram of the real second server meets its fate.
    fn real(&mut self, action: u8, payload: &[u8]) {
        let Some(mut datagram) = self.sent_by_second.pop_front() else { return };
        if action == b'e' {
            for pair in payload.chunks_exact(2) {
                let at = usize::from(pair[0]) * datagram.len() / 256;
                datagram[at] = pair[1];
            }
        }
        let times = match action {
            b'l' => 0,
            b'd' => 2,
            _ => 1,
        };
        for _ in 0..times {
            self.arrives(SECOND, &datagram);
        }
    }

    fn tell(&mut self, action: u8, payload: &[u8]) {
        let server = payload.first().map_or(0, |byte| usize::from(byte & 1));
        if self.servers[server].open {
            return;
        }
        self.servers[server].open = true;
        if action == b'p' {
            self.agent.publish(
                self.now,
                ServerId(server),
                EID,
                &change(payload.get(1..).unwrap_or_default()),
            );
        } else {
            self.agent.request_refresh(self.now, ServerId(server));
        }
        self.collect();
    }

    /// Takes all that the agent has, as its driver does.
    fn collect(&mut self) -> Effects {
        let mut effects = Effects::default();
        let mut gone = [false; 2];
        while let Some(event) = self.agent.poll_event() {
            effects.events += 1;
            match event {
                Event::Report { report, .. } => {
                    effects.reports += 1;
                    match self.verdict {
                        Some(verdict) => self.judge(report, verdict),
                        None => self.unjudged.push(report),
                    }
                }
                Event::Published { server, .. } => {
                    let was_open = std::mem::take(&mut self.servers[server.0].open);
                    assert!(was_open, "a publication ends once");
                }
                Event::Alive { server } => self.servers[server.0].turns(true),
                Event::Silent { server } => {
                    self.servers[server.0].turns(false);
                    gone[server.0] = true;
                }
                Event::RefreshAsked { .. } | Event::Restarted { .. } | Event::Forgotten { .. } => {}
            }
        }
        while let Some(transmit) = self.agent.poll_transmit() {
            let sent = Plain::sent(&transmit.payload);
            if sent.is_answer() {
                effects.answers += 1;
                effects.answer_bytes_max = effects.answer_bytes_max.max(transmit.payload.len());
            } else {
                effects.requests += 1;
            }
            let to = [FIRST, SECOND].map(|at| address(at).ip()).iter().position(|ip| *ip == transmit.to.ip());
            match to {
                Some(server) => {
                    self.goes_to(server, &sent);
                    if server == 1 {
                        self.second.handle_datagram(self.now, address(US), &transmit.payload);
                    }
                }
                None => assert_eq!(transmit.to.ip(), address(STRANGER).ip(), "nobody else was there"),
            }
        }
        for (server, gone) in self.servers.iter_mut().zip(gone) {
            server.has_gone |= gone;
        }
        effects
    }

    fn judge(&mut self, report: ReportId, verdict: Verdict) {
        self.agent.answer(self.now, report, verdict);
        self.agent.answer(self.now, report, Verdict::Refuse("Twice"));
    }

    fn goes_to(&mut self, server: usize, sent: &Plain<'_>) {
        if sent.is_answer() {
            let tag = sent.header("SIP-ETag");
            if !tag.is_empty() {
                tag.clone_into(&mut self.servers[server].entity_tag);
            }
            return;
        }
        let server = &mut self.servers[server];
        let is_new = server.branches.insert(sent.branch().to_owned());
        let goes_on = !sent.header("SIP-If-Match").is_empty();
        assert!(!(is_new && goes_on && server.has_gone), "an entity tag of another process");
        sent.branch().clone_into(&mut server.branch);
    }

    fn listen_to_second(&mut self) {
        while let Some(event) = self.second.poll_event() {
            match event {
                Event::Report { report, .. } => self.second.answer(self.now, report, Verdict::Accept),
                Event::Published { .. } => self.second_is_busy = false,
                Event::RefreshAsked { .. }
                | Event::Restarted { .. }
                | Event::Forgotten { .. }
                | Event::Silent { .. }
                | Event::Alive { .. } => {}
            }
        }
        while let Some(transmit) = self.second.poll_transmit() {
            self.sent_by_second.push_back(transmit.payload);
            if self.sent_by_second.len() > 64 {
                self.sent_by_second.pop_front();
            }
        }
    }

    /// Woken at once, the agent finds at most what the last wake-up left, and then waits.
    fn never_spins(&mut self) {
        for _ in 0..4 {
            if self.agent.poll_timeout().is_none_or(|due| due > self.now) {
                let before = self.agent.counters().clone();
                self.agent.handle_timeout(self.now);
                let effects = self.collect();
                assert!(effects.events + effects.requests == 0 && before == *self.agent.counters());
                return;
            }
            self.agent.handle_timeout(self.now);
            self.collect();
        }
        panic!("woken again and again at {:?}", self.now);
    }

    /// Nobody is there any more: the caller gets its answers, and both servers are reported.
    fn everybody_goes(&mut self) {
        let mut quiet = false;
        for _ in 0..6 {
            self.pass_at_once(PATIENCE);
            quiet |= self.agent.is_quiet();
        }
        assert!(quiet, "what is in flight is given up");
        for (index, server) in self.servers.iter().enumerate() {
            assert!(!server.open, "the caller waits for server {index} for ever");
            assert_eq!(server.alive, Some(false), "server {index} is gone");
        }
    }
}

impl Server {
    fn turns(&mut self, alive: bool) {
        assert_ne!(self.alive, Some(alive), "told once");
        self.alive = Some(alive);
    }
}

fn address(last: usize) -> SocketAddr {
    let last = u8::try_from(last).expect("a byte");
    SocketAddr::from(([198, 18, 0, last], 5060))
}

/// Some change that any caller may have.
fn change(payload: &[u8]) -> Change {
    let (kind, name) = payload.split_first().map_or((0, &[][..]), |(kind, name)| (*kind, name));
    let name = String::from_utf8_lossy(name);
    if kind % 2 == 0 {
        let device = Device::new(&name).or_else(|_| Device::new("Custom:a")).expect("a device");
        let state = DeviceState::from_number(u32::from(kind / 2 % 9)).expect("a state");
        return Change::DeviceState { device, state, cachable: kind > 127 };
    }
    let mailbox = Mailbox::new(&name).or_else(|_| Mailbox::new("100@default")).expect("a mailbox");
    Change::Mwi { mailbox, counts: MessageCounts { new: u32::from(kind), old: 0 } }
}

fn dropped(counters: &Counters) -> u64 {
    counters.drops.values().sum()
}

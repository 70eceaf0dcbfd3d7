//! SIP at the watcher of lamps: answers and NOTIFYs of two servers, in any order and at any time, and strangers.
//!
//! Actions of a record:
//!
//! | letter | what happens |
//! |---|---|
//! | `a`, `A` | a datagram of the first server about its first, its second lamp |
//! | `b` | a datagram of the second server, which has one lamp and asks for no password |
//! | `x` | a datagram of a stranger |
//! | `n` | all lamps of a server are renewed; the payload says which |
//! | `u` | all subscriptions are ended |
//! | others | time passes |
//!
//! Placeholders in datagrams, of our last SUBSCRIBE for that lamp: 1 is its branch, 2 its Call-ID, 3 our tag.

use crate::script::{self, Record};
use crate::sip::{Plain, is_keep_alive, is_request};
use asterisk::lamp::{Counters, Event, Lost, Watched, Watcher, WatcherConfig};
use asterisk::{Credentials, ServerId};
use std::net::SocketAddr;
use std::time::Duration;

const US: u8 = 1;
const SERVERS: [u8; 2] = [2, 3];
const STRANGER: u8 = 9;
const LAMPS: [(usize, &str); 3] = [(0, "lamp"), (0, "1001"), (1, "lamp")];
/// An answer, and a SUBSCRIBE for each lamp that was found to be lost.
const DATAGRAMS_FOR_ONE_MAX: usize = 4;
/// Headers of our own in an answer.
const ANSWER_BYTES_MORE_MAX: usize = 512;
/// More than a request of ours is repeated for.
const PATIENCE: Duration = Duration::from_secs(9);

/// Whatever arrives, the watcher says of each lamp in turn that it is watched and that it is lost, shows nothing of a
/// lamp that is not watched, hears no stranger, and never gives up.
///
/// # Panics
/// When that does not hold.
pub fn run(data: &[u8]) {
    let mut scene = Scene::new();
    scene.wake();
    for record in script::records(data) {
        scene.pass(record.after);
        scene.act(&record);
        scene.never_spins();
    }
    if scene.ended { scene.ends() } else { scene.comes_back() }
}

struct Scene {
    now: Duration,
    watcher: Watcher,
    lamps: [Lamp; LAMPS.len()],
    ended: bool,
}

/// What is known of one lamp from outside the watcher.
#[derive(Default)]
struct Lamp {
    branch: String,
    call_id: String,
    own_tag: String,
    /// It was asked for since it was taken.
    is_open: bool,
    /// What was told of it last: watched, or lost for this reason.
    told: Option<Result<(), Lost>>,
}

#[derive(Default)]
struct Effects {
    events: usize,
    answers: usize,
    requests: usize,
    answer_bytes_max: usize,
}

impl Scene {
    fn new() -> Self {
        let credentials = Some(Credentials { user: "watcher".into(), password: "zz".into() });
        let watched = |server: usize, credentials| Watched {
            address: address(SERVERS[server]),
            credentials,
            extensions: LAMPS.iter().filter(|lamp| lamp.0 == server).map(|lamp| lamp.1.into()).collect(),
        };
        let servers = vec![watched(0, credentials), watched(1, None)];
        let config = WatcherConfig { local: address(US), servers, expires_s: 60, seed: 1 };
        Self {
            now: Duration::ZERO,
            watcher: Watcher::new(config, Duration::ZERO),
            lamps: Default::default(),
            ended: false,
        }
    }

    /// Time passes: in the steps that a driver takes or, where it is long, at once, as for a process that was stopped.
    fn pass(&mut self, time: Duration) {
        if time > Duration::from_secs(30) {
            return self.pass_at_once(time);
        }
        let until = self.now + time;
        let mut steps = 0;
        while let Some(due) = self.watcher.poll_timeout().filter(|due| *due < until) {
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
        self.watcher.handle_timeout(self.now);
        self.collect();
    }

    fn act(&mut self, record: &Record<'_>) {
        let payload = record.payload;
        match record.action {
            b'a' => self.arrives(0, payload),
            b'A' => self.arrives(1, payload),
            b'b' => self.arrives(2, payload),
            b'x' => self.strange(payload),
            b'n' => {
                let server = payload.first().map_or(0, |byte| usize::from(byte % 3));
                self.watcher.renew(self.now, ServerId(server));
                self.collect();
            }
            b'u' => {
                self.ended = true;
                self.watcher.unsubscribe(self.now);
                self.collect();
            }
            _ => {}
        }
    }

    fn filled(&self, lamp: usize, payload: &[u8]) -> Vec<u8> {
        let Lamp { branch, call_id, own_tag, .. } = &self.lamps[lamp];
        script::filled(payload, &[branch, call_id, own_tag])
    }

    fn arrives(&mut self, lamp: usize, payload: &[u8]) {
        let datagram = self.filled(lamp, payload);
        let before = self.watcher.counters().clone();
        self.watcher.handle_datagram(self.now, address(SERVERS[LAMPS[lamp].0]), &datagram);
        let effects = self.collect();
        assert!(effects.answers + effects.requests <= DATAGRAMS_FOR_ONE_MAX, "one datagram makes no flood");
        assert!(effects.answer_bytes_max <= 2 * datagram.len() + ANSWER_BYTES_MORE_MAX);
        let malformed = dropped(self.watcher.counters()) > dropped(&before);
        assert!(effects.answers <= 1 && (effects.answers == 1 || malformed || !is_request(&datagram)));
    }

    fn strange(&mut self, payload: &[u8]) {
        let datagram = self.filled(0, payload);
        let (before, due) = (dropped(self.watcher.counters()), self.watcher.poll_timeout());
        self.watcher.handle_datagram(self.now, address(STRANGER), &datagram);
        let effects = self.collect();
        assert_eq!(
            effects.events + effects.answers + effects.requests,
            0,
            "a stranger gets and changes nothing"
        );
        assert_eq!(due, self.watcher.poll_timeout(), "a stranger sets no deadline");
        let counted = dropped(self.watcher.counters()) - before;
        assert_eq!(counted, u64::from(!is_keep_alive(&datagram)), "a stranger is counted");
    }

    /// Takes all that the watcher has, as its driver does.
    fn collect(&mut self) -> Effects {
        let mut effects = Effects::default();
        while let Some(event) = self.watcher.poll_event() {
            effects.events += 1;
            self.tell(&event);
        }
        while let Some(transmit) = self.watcher.poll_transmit() {
            let sent = Plain::sent(&transmit.payload);
            let server = SERVERS.iter().position(|at| address(*at).ip() == transmit.to.ip());
            let server = server.expect("nobody else is asked or answered");
            if sent.is_answer() {
                effects.answers += 1;
                effects.answer_bytes_max = effects.answer_bytes_max.max(transmit.payload.len());
            } else {
                effects.requests += 1;
                self.asks(server, &sent);
            }
        }
        effects
    }

    fn tell(&mut self, event: &Event) {
        let (server, exten, now) = match event {
            Event::Subscribed { server, exten } => (server, exten, Some(Ok(()))),
            Event::Lost { server, exten, reason } => (server, exten, Some(Err(*reason))),
            Event::Lamp { server, exten, .. } => (server, exten, None),
        };
        let lamp = LAMPS.iter().position(|lamp| *lamp == (server.0, exten.as_str())).expect("a lamp of ours");
        let told = &mut self.lamps[lamp].told;
        match now {
            Some(now) => assert_ne!(told.replace(now), Some(now), "told once: {event:?}"),
            None => assert_eq!(*told, Some(Ok(())), "only what is watched is shown"),
        }
    }

    /// The Call-ID of a SUBSCRIBE begins with the position of its lamp at its server.
    fn asks(&mut self, server: usize, sent: &Plain<'_>) {
        assert!(sent.is("SUBSCRIBE"), "a watcher asks for nothing else");
        let position = sent.header("Call-ID").split('.').next().and_then(|position| position.parse().ok());
        let at_server = LAMPS.iter().enumerate().filter(|(_, lamp)| lamp.0 == server);
        let lamp =
            at_server.map(|(lamp, _)| lamp).nth(position.expect("a position")).expect("a lamp of ours");
        let lamp = &mut self.lamps[lamp];
        sent.branch().clone_into(&mut lamp.branch);
        sent.header("Call-ID").clone_into(&mut lamp.call_id);
        sent.own_tag().clone_into(&mut lamp.own_tag);
        lamp.is_open = true;
    }

    /// Woken at once, the watcher finds at most what the last wake-up left, and then waits.
    fn never_spins(&mut self) {
        for _ in 0..6 {
            if self.watcher.poll_timeout().is_none_or(|due| due > self.now) {
                let before = self.watcher.counters().clone();
                self.watcher.handle_timeout(self.now);
                let effects = self.collect();
                assert!(effects.events + effects.requests == 0 && before == *self.watcher.counters());
                return;
            }
            self.wake();
        }
        panic!("woken again and again at {:?}", self.now);
    }

    /// Nobody answers any more: every lamp is reported as lost. Then the servers are there again, and so are the lamps.
    fn comes_back(&mut self) {
        for _ in 0..12 {
            self.pass_at_once(PATIENCE);
        }
        assert!(self.lamps.iter().all(|lamp| matches!(lamp.told, Some(Err(_)))), "no lamp is watched");
        let mut watched = [false; LAMPS.len()];
        for _ in 0..12 {
            self.pass_at_once(PATIENCE);
            // The answer to one asks for the others.
            while let Some(lamp) = self.lamps.iter().position(|lamp| lamp.is_open) {
                self.take(lamp);
                watched[lamp] |= self.lamps[lamp].told == Some(Ok(()));
            }
        }
        assert_eq!(watched, [true; LAMPS.len()], "it never gives up");
    }

    /// The server takes the subscription to a lamp.
    fn take(&mut self, lamp: usize) {
        let Lamp { branch, call_id, own_tag, is_open, .. } = &mut self.lamps[lamp];
        *is_open = false;
        let answer = format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch={branch}\r\nFrom: <sip:h>;tag={own_tag}\r\n\
             To: <sip:h>;tag=theirs\r\nCall-ID: {call_id}\r\nCSeq: 1 SUBSCRIBE\r\nExpires: 60\r\n\r\n"
        );
        let server = address(SERVERS[LAMPS[lamp].0]);
        self.watcher.handle_datagram(self.now, server, answer.as_bytes());
        self.collect();
    }

    /// Nobody answers any more: the end comes all the same.
    fn ends(&mut self) {
        for _ in 0..6 {
            self.pass_at_once(PATIENCE);
        }
        assert!(self.watcher.is_quiet(), "what is in flight is given up");
    }
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([198, 18, 0, last], 5060))
}

fn dropped(counters: &Counters) -> u64 {
    counters.drops.values().sum()
}

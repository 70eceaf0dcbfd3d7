//! Servers with lamps, and a network between them and the watcher that loses, repeats and reorders by a seed.

use crate::{address, branch, own, tag, value};
use asterisk::ServerId;
use asterisk::lamp::{Event, LampState, Watcher};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// What the network does to datagrams.
#[derive(Clone, Copy, Default)]
pub(crate) struct Weather {
    pub(crate) lost_percent: u64,
    pub(crate) twice_percent: u64,
    pub(crate) delay_ms_max: u64,
}

pub(crate) struct House {
    pub(crate) now: Duration,
    pub(crate) watcher: Watcher,
    pub(crate) events: Vec<(Duration, Event)>,
    pub(crate) servers: Vec<Server>,
    pub(crate) weather: Weather,
    random: u64,
    flying: BTreeMap<(Duration, u64), (SocketAddr, SocketAddr, String)>,
}

/// As much of a notifier as the watcher can tell.
#[derive(Default)]
pub(crate) struct Server {
    pub(crate) state: Option<LampState>,
    /// Answers nothing.
    pub(crate) frozen: bool,
    /// Accepts and tells nothing.
    pub(crate) mute: bool,
    pub(crate) subscribes: usize,
    dialogs: BTreeMap<String, Dialog>,
    answers: BTreeMap<String, Vec<String>>,
    restarts: usize,
    nonce: usize,
}

struct Dialog {
    subscribe: String,
    own_tag: String,
    cseq: u32,
    version: u32,
    until: Duration,
    /// NOTIFYs without an answer: when they go out again, and how often they did.
    open: BTreeMap<u32, (Duration, u32, String)>,
}

impl House {
    pub(crate) fn new(watcher: Watcher, servers: usize, seed: u64, weather: Weather) -> Self {
        let servers = (0..servers).map(|_| Server::default()).collect();
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let (now, events, flying) = (Duration::ZERO, Vec::new(), BTreeMap::new());
        Self { now, watcher, events, servers, weather, random, flying }
    }

    /// Sets all lamps of a server and tells its watchers.
    pub(crate) fn set(&mut self, server: usize, state: LampState) {
        self.servers[server].state = Some(state);
        let now = self.now;
        let calls: Vec<_> = self.servers[server].dialogs.keys().cloned().collect();
        for call in calls {
            let text = self.servers[server].notify(now, &call);
            self.fly(address_of(server), own(), text);
        }
    }

    /// A server made anew: it knows no subscription.
    pub(crate) fn forget(&mut self, server: usize) {
        let server = &mut self.servers[server];
        server.dialogs.clear();
        server.restarts += 1;
    }

    /// Runs until then.
    pub(crate) fn run(&mut self, until: Duration) {
        self.settle();
        loop {
            let flying = self.flying.keys().next().map(|(at, _)| *at);
            let servers = self.servers.iter().filter_map(Server::due);
            let next = self.watcher.poll_timeout().into_iter().chain(flying).chain(servers).min();
            let next = next.unwrap_or(until).max(self.now);
            if next >= until {
                self.now = until;
                return;
            }
            self.now = next;
            self.deliver();
            self.repeat();
            self.watcher.handle_timeout(next);
            self.settle();
        }
    }

    /// What the watcher was told of a server's lamps last.
    pub(crate) fn shown(&self, server: usize) -> BTreeMap<&str, &Event> {
        let of = |event: &Event| match event {
            Event::Subscribed { server, .. } | Event::Lamp { server, .. } | Event::Lost { server, .. } => {
                *server
            }
        };
        let all = self.events.iter().map(|(_, event)| event).filter(|event| of(event) == ServerId(server));
        all.map(|event| match event {
            Event::Subscribed { exten, .. } | Event::Lamp { exten, .. } | Event::Lost { exten, .. } => {
                (exten.as_str(), event)
            }
        })
        .collect()
    }

    fn settle(&mut self) {
        while let Some(event) = self.watcher.poll_event() {
            self.events.push((self.now, event));
        }
        while let Some(transmit) = self.watcher.poll_transmit() {
            let text = String::from_utf8(transmit.payload).expect("we send text");
            self.fly(own(), transmit.to, text);
        }
    }

    fn deliver(&mut self) {
        while let Some(first) = self.flying.first_entry().filter(|first| first.key().0 <= self.now) {
            let (from, to, text) = first.remove();
            if to == own() {
                self.watcher.handle_datagram(self.now, from, text.as_bytes());
                self.settle();
                continue;
            }
            let index = (0..self.servers.len()).find(|index| address_of(*index) == to).expect("a server");
            for answer in self.servers[index].handle(self.now, &text) {
                self.fly(to, from, answer);
            }
        }
    }

    fn repeat(&mut self) {
        for index in 0..self.servers.len() {
            for text in self.servers[index].repeat(self.now) {
                self.fly(address_of(index), own(), text);
            }
        }
    }

    fn fly(&mut self, from: SocketAddr, to: SocketAddr, text: String) {
        let Weather { lost_percent, twice_percent, delay_ms_max } = self.weather;
        let copies = 1 + usize::from(self.draw() % 100 < twice_percent);
        for _ in 0..copies {
            if self.draw() % 100 >= lost_percent {
                let at = self.now + Duration::from_millis(1 + self.draw() % delay_ms_max.max(1));
                let serial = self.draw();
                self.flying.insert((at, serial), (from, to, text.clone()));
            }
        }
    }

    /// xorshift64
    fn draw(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

fn address_of(server: usize) -> SocketAddr {
    address(11 + u8::try_from(server).expect("few servers"))
}

impl Server {
    fn handle(&mut self, now: Duration, text: &str) -> Vec<String> {
        if self.frozen {
            return Vec::new();
        }
        if text.starts_with("SIP/2.0 ") {
            self.answered(text);
            return Vec::new();
        }
        if let Some(answers) = self.answers.get(branch(text)) {
            return answers[..1].to_vec();
        }
        self.subscribes += 1;
        let answers = self.subscribe(now, text);
        self.answers.insert(branch(text).to_owned(), answers.clone());
        answers
    }

    fn subscribe(&mut self, now: Duration, text: &str) -> Vec<String> {
        if !text.contains("\r\nAuthorization: ") {
            self.nonce += 1;
            let challenge =
                format!("WWW-Authenticate: Digest realm=\"a\",nonce=\"{}\",qop=\"auth\"\r\n", self.nonce);
            return vec![answer(text, "401 Unauthorized", "", &challenge)];
        }
        let call = value(text, "Call-ID:").to_owned();
        self.dialogs.retain(|_, dialog| dialog.until > now);
        if !tag(text, "To:").is_empty() && !self.dialogs.contains_key(&call) {
            return vec![answer(text, "481 No", "", "")];
        }
        let life: u64 = value(text, "Expires:").parse().expect("a number");
        let own_tag = format!("server-{}", self.restarts);
        let ok =
            answer(text, "200 OK", &own_tag, &format!("Expires: {life}\r\nContact: <sip:198.18.79.9>\r\n"));
        if life == 0 {
            self.dialogs.remove(&call);
            return vec![ok];
        }
        let new = || Dialog {
            subscribe: text.to_owned(),
            own_tag,
            cseq: 100,
            version: 0,
            until: now,
            open: BTreeMap::new(),
        };
        self.dialogs.entry(call.clone()).or_insert_with(new).until = now + Duration::from_secs(life);
        if self.mute { vec![ok] } else { vec![ok, self.notify(now, &call)] }
    }

    fn notify(&mut self, now: Duration, call: &str) -> String {
        let state = self.state.unwrap_or(LampState::Terminated);
        let dialog = self.dialogs.get_mut(call).expect("a dialog");
        let (version, cseq) = (dialog.version, dialog.cseq);
        (dialog.version, dialog.cseq) = (version + 1, cseq + 1);
        let body = format!(
            "<dialog-info version=\"{version}\" state=\"full\"><dialog id=\"l\"><state>{state}</state></dialog></dialog-info>"
        );
        let (to, from) = (value(&dialog.subscribe, "From:"), value(&dialog.subscribe, "To:"));
        let from = format!("{};tag={}", from.split(";tag").next().unwrap_or_default(), dialog.own_tag);
        let text = format!(
            "NOTIFY sip:watcher@198.18.79.1 SIP/2.0\r\nVia: SIP/2.0/UDP h;rport;branch=z9hG4bK{call}-{cseq}\r\nFrom: {from}\r\n\
             To: {to}\r\nCall-ID: {call}\r\nCSeq: {cseq} NOTIFY\r\nEvent: dialog\r\nSubscription-State: active;expires=9\r\n\
             Content-Type: application/dialog-info+xml\r\n\r\n{body}"
        );
        dialog.open.insert(cseq, (now + Duration::from_millis(500), 0, text.clone()));
        text
    }

    fn answered(&mut self, text: &str) {
        let call = value(text, "Call-ID:");
        let Some(dialog) = self.dialogs.get_mut(call) else { return };
        let cseq = value(text, "CSeq:").split(' ').next().and_then(|cseq| cseq.parse().ok()).expect("a CSeq");
        dialog.open.remove(&cseq);
        if !text.starts_with("SIP/2.0 200") {
            self.dialogs.remove(call);
        }
    }

    fn due(&self) -> Option<Duration> {
        self.dialogs.values().flat_map(|dialog| dialog.open.values()).map(|(at, ..)| *at).min()
    }

    fn repeat(&mut self, now: Duration) -> Vec<String> {
        let mut due = Vec::new();
        for dialog in self.dialogs.values_mut() {
            dialog.open.retain(|_, (_, times, _)| *times < 6);
            for (at, times, text) in dialog.open.values_mut().filter(|(at, ..)| *at <= now) {
                *times += 1;
                *at = now + Duration::from_millis(500 << *times);
                due.push(text.clone());
            }
        }
        if self.frozen { Vec::new() } else { due }
    }
}

fn answer(request: &str, status: &str, own_tag: &str, headers: &str) -> String {
    let to = value(request, "To:");
    let to = if to.contains(";tag=") { to.to_owned() } else { format!("{to};tag={own_tag}x") };
    let to = if own_tag.is_empty() { to } else { to.replace(&format!("{own_tag}x"), own_tag) };
    format!(
        "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n{headers}\r\n",
        value(request, "Via:"),
        value(request, "From:"),
        value(request, "Call-ID:"),
        value(request, "CSeq:"),
    )
}

//! Talks with one Asterisk by hand: shows what it states, and publishes what is typed.
//!
//! `publish LOCAL SERVER [USER]`, both as `ip:port`; the password in `PUBLISH_SECRET`. Lines on stdin:
//! `Custom:lamp INUSE` publishes a state, `refresh` asks for all states, `burst 3000` publishes as many states
//! as fast as the server takes them, `quit` withdraws and ends. With `CAPTURE=DIR` every datagram becomes a
//! file there.

use asterisk::{Agent, AgentConfig, Credentials, Event, Outcome, ServerConfig, ServerId, Verdict};
use presence::{Change, Device, DeviceState, Eid};
use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const SERVER: ServerId = ServerId(0);
/// The EID of a server that exists only in this example.
const EID: Eid = Eid([2, 0, 0, 0, 9, 9]);

type Failure = Box<dyn std::error::Error>;

struct Talk {
    agent: Agent,
    socket: UdpSocket,
    begun: Instant,
    waiting: VecDeque<Change>,
    burst_since: Option<(Instant, usize)>,
    captured: usize,
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(local), Some(server)) = (arguments.next(), arguments.next()) else {
        return Err("usage: publish LOCAL SERVER [USER]".into());
    };
    let (local, address): (SocketAddr, SocketAddr) = (local.parse()?, server.parse()?);
    let password = std::env::var("PUBLISH_SECRET").unwrap_or_default();
    let credentials = arguments.next().map(|user| Credentials { user, password });
    let servers = vec![ServerConfig { name: "server".into(), address, credentials }];
    let seed = SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos().into();
    let config = AgentConfig { local, eid: EID, servers, seed };
    let socket = UdpSocket::bind(local)?;
    let begun = Instant::now();
    let agent = Agent::new(config, Duration::ZERO);
    let (waiting, burst_since) = (VecDeque::new(), None);
    Talk { agent, socket, begun, waiting, burst_since, captured: 0 }.run(&typed())
}

/// Lines from stdin, read by a thread of their own.
fn typed() -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

impl Talk {
    fn run(mut self, lines: &Receiver<String>) -> Result<(), Failure> {
        let mut buffer = [0; 65_536];
        let mut quitting = false;
        loop {
            self.agent.handle_timeout(self.begun.elapsed());
            self.deliver()?;
            if let Ok(line) = lines.try_recv() {
                quitting |= line == "quit";
                self.obey(&line)?;
                self.deliver()?;
            }
            if quitting && self.agent.is_quiet() {
                eprintln!("{:#?}", self.agent.counters());
                return Ok(());
            }
            let until = self.agent.poll_timeout().unwrap_or_default().saturating_sub(self.begun.elapsed());
            let wait = until.clamp(Duration::from_millis(1), Duration::from_millis(50));
            self.socket.set_read_timeout(Some(wait))?;
            if let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
                self.capture("in", &buffer[..length])?;
                self.agent.handle_datagram(self.begun.elapsed(), from, &buffer[..length]);
            }
        }
    }

    /// Events first: answers to reports make datagrams.
    fn deliver(&mut self) -> Result<(), Failure> {
        while let Some(event) = self.agent.poll_event() {
            self.handle(&event);
        }
        while let Some(transmit) = self.agent.poll_transmit() {
            self.capture("out", &transmit.payload)?;
            self.socket.send_to(&transmit.payload, transmit.to)?;
        }
        Ok(())
    }

    fn handle(&mut self, event: &Event) {
        let now = self.begun.elapsed();
        if self.burst_since.is_none() {
            eprintln!("{:.4} {event:?}", now.as_secs_f64());
        }
        match event {
            Event::Report { report, .. } => self.agent.answer(now, *report, Verdict::Accept),
            Event::Published { outcome, .. } => {
                if *outcome != Outcome::Accepted {
                    eprintln!("{outcome:?}");
                }
                self.publish_next();
            }
            Event::RefreshAsked { .. }
            | Event::Restarted { .. }
            | Event::Forgotten { .. }
            | Event::Silent { .. }
            | Event::Alive { .. } => {}
        }
    }

    fn publish_next(&mut self) {
        if let Some(change) = self.waiting.pop_front() {
            self.agent.publish(self.begun.elapsed(), SERVER, EID, &change);
        } else if let Some((since, count)) = self.burst_since.take() {
            eprintln!("{count} states in {:.2} s", since.elapsed().as_secs_f64());
        }
    }

    fn obey(&mut self, line: &str) -> Result<(), Failure> {
        let now = self.begun.elapsed();
        match line.split_once(' ') {
            Some(("burst", count)) => {
                let count = count.parse()?;
                for index in 0..count {
                    self.waiting.push_back(lamp(&format!("Custom:burst{index}"), DeviceState::InUse)?);
                }
                self.burst_since = Some((Instant::now(), count));
                self.publish_next();
            }
            Some((device, state)) => self.agent.publish(now, SERVER, EID, &lamp(device, state.parse()?)?),
            None if line == "refresh" => self.agent.request_refresh(now, SERVER),
            None if line == "quit" => self.agent.withdraw_publications(now),
            None => eprintln!("what is {line:?}?"),
        }
        Ok(())
    }

    fn capture(&mut self, way: &str, datagram: &[u8]) -> Result<(), Failure> {
        if let Ok(folder) = std::env::var("CAPTURE") {
            self.captured += 1;
            std::fs::write(format!("{folder}/{:04}-{way}.sip", self.captured), datagram)?;
        }
        Ok(())
    }
}

fn lamp(device: &str, state: DeviceState) -> Result<Change, Failure> {
    Ok(Change::DeviceState { device: Device::new(device)?, state, cachable: true })
}

//! An unmodified server with many devices: PUBLISHes them to a node as fast as the node takes them, and then stays.
//!
//! `fill LOCAL NODE EID DEVICES`, both addresses as `ip:port`; the node has to know the server by its address. It prints `filled`
//! and the seconds that it took, and ends when standard input does.
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use asterisk::{Agent, AgentConfig, Event, Outcome, ServerConfig, ServerId, Verdict};
use presence::{Change, Device, DeviceState, Eid};
use std::io::Read;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const NODE: ServerId = ServerId(0);
const LOOK_EVERY: Duration = Duration::from_millis(50);

type Failure = Box<dyn std::error::Error>;

struct Server {
    agent: Agent,
    socket: UdpSocket,
    begun: Instant,
    eid: Eid,
    devices: u32,
    /// How many the node has taken.
    told: u32,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [local, node, eid, devices] = &arguments[..] else {
        return Err("usage: fill LOCAL NODE EID DEVICES".into());
    };
    let (local, address): (SocketAddr, SocketAddr) = (local.parse()?, node.parse()?);
    let eid: Eid = eid.parse()?;
    let servers = vec![ServerConfig { name: "node".into(), address, credentials: None }];
    let agent = Agent::new(AgentConfig { local, eid, servers, seed: 1 }, Duration::ZERO);
    let socket = UdpSocket::bind(local)?;
    socket.set_read_timeout(Some(LOOK_EVERY))?;
    let server = Server { agent, socket, begun: Instant::now(), eid, devices: devices.parse()?, told: 0 };
    server.run(&ended())
}

/// Set when standard input ends.
fn ended() -> Arc<AtomicBool> {
    let ended = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ended);
    std::thread::spawn(move || {
        // What is typed is of no interest, and neither is how it ends.
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        seen.store(true, Ordering::Relaxed);
    });
    ended
}

impl Server {
    fn run(mut self, ended: &AtomicBool) -> Result<(), Failure> {
        let mut buffer = [0; 65_536];
        self.publish()?;
        while !ended.load(Ordering::Relaxed) {
            self.agent.handle_timeout(self.begun.elapsed());
            while let Some(event) = self.agent.poll_event() {
                self.handle(&event)?;
            }
            while let Some(transmit) = self.agent.poll_transmit() {
                self.socket.send_to(&transmit.payload, transmit.to)?;
            }
            if let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
                self.agent.handle_datagram(self.begun.elapsed(), from, &buffer[..length]);
            }
        }
        Ok(())
    }

    fn handle(&mut self, event: &Event) -> Result<(), Failure> {
        match event {
            Event::Report { report, .. } => self.agent.answer(self.begun.elapsed(), *report, Verdict::Accept),
            Event::Published { outcome: Outcome::Accepted, .. } => {
                self.told += 1;
                self.publish()?;
            }
            Event::Published { outcome: Outcome::Unanswered, .. } => self.publish()?,
            Event::Published { outcome, .. } => return Err(format!("the node says {outcome:?}").into()),
            Event::RefreshAsked { .. }
            | Event::Restarted { .. }
            | Event::Forgotten { .. }
            | Event::Silent { .. }
            | Event::Alive { .. } => {}
        }
        Ok(())
    }

    /// The next device, or the news that this was the last.
    fn publish(&mut self) -> Result<(), Failure> {
        if self.told == self.devices {
            println!("filled {:.2}", self.begun.elapsed().as_secs_f64());
            return Ok(());
        }
        let device = Device::new(&format!("PJSIP/{}", 100_000 + self.told))?;
        let state = if self.told.is_multiple_of(10) { DeviceState::InUse } else { DeviceState::NotInUse };
        let change = Change::DeviceState { device, state, cachable: true };
        self.agent.publish(self.begun.elapsed(), NODE, self.eid, &change);
        Ok(())
    }
}

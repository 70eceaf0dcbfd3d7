//! A raw member of the group that behaves as a stock server with many devices, for benchmarks: it introduces itself, says all that
//! it holds whenever somebody joins, and counts what it hears. `storm GROUP EID ADDRESS DEVICES`; with no devices it only listens.
//!
//! Orders come by standard input, one a line; its end lets the member leave. `report` prints what was counted so far as one
//! line of JSON. `say RATE SECONDS` says changes at their intended times, whatever comes back, and prints the same line when
//! all of them have come back, or will not.
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

mod devices;
mod tally;

use corosync_rs::{Event, Full, GroupName, Session};
use devices::Devices;
use presence::{Eid, Message};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use tally::{Report, Tally};

/// How long to wait for room in the session's queue.
const ROOM: Duration = Duration::from_micros(300);
/// Changes of so long a time are said together.
const TICK: Duration = Duration::from_millis(1);
const IDLE: Duration = Duration::from_secs(1);
/// What has not come back so long after the last change will not.
const PATIENCE: Duration = Duration::from_secs(15);

type Failure = Box<dyn std::error::Error>;

/// What the member has to react to.
enum Incident {
    Order(String),
    Joined {
        nodeid: u32,
        pid: u32,
    },
    /// Who came is to be told everything; who left is to be forgotten.
    Changed {
        joined: bool,
        left: Vec<u32>,
    },
    Introduced {
        nodeid: u32,
    },
    Down(corosync_rs::Error),
    End,
}

struct Storm {
    session: Session,
    tally: Arc<Tally>,
    devices: Devices,
    address: Box<str>,
    me: Option<(u32, u32)>,
    /// Machines that have introduced themselves.
    known: BTreeSet<u32>,
    /// What comes before any change.
    due: VecDeque<Due>,
    /// What there was no room for.
    refused: Option<Vec<u8>>,
    sent: u64,
    run: Option<Run>,
}

enum Due {
    /// All that the devices say, from this one on.
    Dump(u64),
    Introduction,
}

/// Changes at a rate.
struct Run {
    begun: Instant,
    rate: f64,
    total: u64,
    said: u64,
    /// When the last was handed over.
    over: Option<Instant>,
    behind_max: Duration,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [group, eid, address, devices] = &arguments[..] else {
        return Err("usage: storm GROUP EID ADDRESS DEVICES".into());
    };
    let group: GroupName = group.parse()?;
    let eid: Eid = eid.parse()?;
    let (sender, incidents) = mpsc::channel();
    let tally = Arc::new(Tally::default());
    let storm = Storm {
        session: join(group, Arc::clone(&tally), sender.clone()),
        tally,
        devices: Devices::new(eid, devices.parse()?),
        address: address.as_str().into(),
        me: None,
        known: BTreeSet::new(),
        due: VecDeque::new(),
        refused: None,
        sent: 0,
        run: None,
    };
    read_orders(sender);
    storm.run(&incidents)
}

/// Orders from standard input, read by a thread of their own.
fn read_orders(sender: Sender<Incident>) {
    std::thread::spawn(move || {
        // Nobody listens any more when the member has left.
        for line in io::stdin().lines().map_while(Result::ok) {
            drop(sender.send(Incident::Order(line)));
        }
        drop(sender.send(Incident::End));
    });
}

/// The membership; its thread counts what it hears and hands on only what the member reacts to.
fn join(group: GroupName, tally: Arc<Tally>, sender: Sender<Incident>) -> Session {
    Session::spawn(group, move |event| {
        let incident = match event {
            Event::Delivered { from, payload } => {
                tally.heard(from, payload.len());
                match wire::event::decode(&payload) {
                    Ok(Message::Discovery { .. }) => Incident::Introduced { nodeid: from.nodeid },
                    Ok(_) | Err(_) => return,
                }
            }
            Event::Joined { me, .. } => Incident::Joined { nodeid: me.nodeid, pid: me.pid },
            Event::Configuration { joined, left, .. } => Incident::Changed {
                joined: !joined.is_empty(),
                left: left.iter().map(|(member, _)| member.nodeid).collect(),
            },
            Event::Down { error, .. } => Incident::Down(error),
        };
        drop(sender.send(incident));
    })
}

impl Storm {
    fn run(mut self, incidents: &Receiver<Incident>) -> Result<(), Failure> {
        loop {
            let wait = self.say();
            match incidents.recv_timeout(wait) {
                Ok(Incident::End) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(incident) => self.react(incident)?,
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.end_run()?;
        }
        self.session.leave(Duration::from_secs(2));
        Ok(())
    }

    fn react(&mut self, incident: Incident) -> Result<(), Failure> {
        match incident {
            Incident::Order(order) => self.obey(&order)?,
            Incident::Joined { nodeid, pid } => {
                self.me = Some((nodeid, pid));
                self.due.extend([Due::Dump(0), Due::Introduction]);
                println!("{}", serde_json::json!({ "joined": { "nodeid": nodeid, "pid": pid } }));
            }
            Incident::Changed { joined, left } => {
                self.known.retain(|nodeid| !left.contains(nodeid));
                if joined {
                    self.due.push_back(Due::Dump(0));
                }
            }
            // As stock servers do: who is known is not answered.
            Incident::Introduced { nodeid } => {
                let other = self.me.is_some_and(|(own, _)| own != nodeid);
                if other && self.known.insert(nodeid) {
                    self.due.push_back(Due::Introduction);
                }
            }
            Incident::Down(error) => return Err(error.into()),
            Incident::End => {}
        }
        Ok(())
    }

    fn obey(&mut self, order: &str) -> Result<(), Failure> {
        match order.split_whitespace().collect::<Vec<_>>()[..] {
            ["report"] => self.report(Duration::ZERO, Duration::ZERO)?,
            ["say", rate, seconds] => {
                let (rate, seconds): (f64, f64) = (rate.parse()?, seconds.parse()?);
                let total = (rate * seconds).round() as u64;
                let begun = Instant::now();
                self.run = Some(Run { begun, rate, total, said: 0, over: None, behind_max: Duration::ZERO });
            }
            _ => return Err(format!("what is {order:?}?").into()),
        }
        Ok(())
    }

    /// Says what is due as far as there is room. Returns how long to wait for more.
    fn say(&mut self) -> Duration {
        while let Some(payload) = self.refused.take().or_else(|| self.next()) {
            if let Err(Full(payload)) = self.session.multicast(payload) {
                self.refused = Some(payload);
                return ROOM;
            }
            self.sent += 1;
        }
        if self.run.is_some() { TICK } else { IDLE }
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        while let Some(due) = self.due.front_mut() {
            match due {
                Due::Dump(next) if *next < self.devices.count() => {
                    let message = self.devices.standing(*next);
                    *next += 1;
                    return Some(wire::event::encode(&message));
                }
                Due::Dump(_) => drop(self.due.pop_front()),
                Due::Introduction => {
                    self.due.pop_front();
                    return Some(wire::event::encode(&self.introduction()));
                }
            }
        }
        let run = self.run.as_mut()?;
        run.is_due().then(|| wire::event::encode(&self.devices.change()))
    }

    fn introduction(&self) -> Message {
        let nodeid = self.me.map_or(0, |(nodeid, _)| nodeid);
        Message::Discovery { eid: self.devices.eid(), nodeid, address: self.address.clone(), node: None }
    }

    /// Tells, once, how a run went.
    fn end_run(&mut self) -> Result<(), Failure> {
        let Some(Run { begun, over: Some(over), behind_max, .. }) = self.run else { return Ok(()) };
        let through = self.delivered() + self.session.lost_total() >= self.sent;
        if through || over.elapsed() > PATIENCE {
            self.run = None;
            self.report(over - begun, behind_max)?;
        }
        Ok(())
    }

    fn delivered(&self) -> u64 {
        self.me.map_or(0, |me| self.tally.messages_of(me))
    }

    fn report(&self, took: Duration, behind_max: Duration) -> Result<(), Failure> {
        let report = Report {
            changes: self.devices.said(),
            sent: self.sent,
            delivered: self.delivered(),
            throttled: self.session.throttled_total(),
            lost: self.session.lost_total(),
            seconds: took.as_secs_f64(),
            behind_ms_max: behind_max.as_secs_f64() * 1000.0,
            heard: self.tally.all(),
        };
        println!("{}", serde_json::to_string(&report)?);
        Ok(())
    }
}

impl Run {
    /// Whether the next change is due; if so, it counts as said.
    fn is_due(&mut self) -> bool {
        if self.said == self.total {
            return false;
        }
        let elapsed = self.begun.elapsed();
        let intended = Duration::from_secs_f64(self.said as f64 / self.rate);
        if elapsed < intended {
            return false;
        }
        self.behind_max = self.behind_max.max(elapsed - intended);
        self.said += 1;
        if self.said == self.total {
            // The time of the last change counts as well.
            self.over = Some(Instant::now() + Duration::from_secs_f64(1.0 / self.rate));
        }
        true
    }
}

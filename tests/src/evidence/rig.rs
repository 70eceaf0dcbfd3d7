//! The measuring itself: changes go out at their intended times whatever comes back (an open loop), sightings are matched as they come.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::{Ami, Journal, Lab, Lamp, Package, Report, Sighting, Watcher, ami};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::direct::Direct;
use super::figures::{Book, microseconds};
use super::machine::Processor;
use super::path::{LAMPS, PATHS, filter, parse_device, parse_exten};
use super::plan::{self, Due, Rate, Slice};
use super::rest::Rest;
use super::tracker::{Place, Tracker};

const AMI_PORT: u16 = 5038;
/// Between the order to begin and the first change.
const LEAD: Duration = Duration::from_millis(20);
const EXPIRE_EVERY: Duration = Duration::from_millis(100);
/// A link that has just come up may need a moment until it carries everything.
const WARM_UPS_MAX: u32 = 5;

/// Connections to all servers, a phone that watches the lamps, and what was changed and not yet seen.
pub(super) struct Rig {
    servers: Vec<Server>,
    watcher: Watcher,
    sights: UnboundedReceiver<Sight>,
    trackers: Vec<Tracker>,
    forwarders: JoinSet<()>,
    /// Whose burst it is.
    running: usize,
    rest: Rest,
}

struct Server {
    name: &'static str,
    address: Ipv4Addr,
    ami: Ami,
}

/// A device or a lamp of ours that was seen.
struct Sight {
    /// The server; `None` for the phone.
    server: Option<usize>,
    /// `None` for the path that is running.
    path: Option<usize>,
    device: u32,
    lit: bool,
    at: Instant,
}

impl Rig {
    pub(super) async fn open(lab: &Lab) -> Result<Self> {
        let mut addresses = Direct::servers(lab)?;
        for server in &lab.servers {
            addresses.push((server.name, lab.place(server.site, server.host)?));
        }
        let (sender, sights) = unbounded_channel();
        let mut forwarders = JoinSet::new();
        let mut servers = Vec::new();
        for (index, (name, address)) in addresses.into_iter().enumerate() {
            let ami =
                Ami::connect((address, AMI_PORT).into(), "lab", &lab.secrets.ami).await.context(name)?;
            ami.action("Filter", &[("Operation", "Add"), ("Filter", &filter(name))]).await?;
            let read = move |event: &ami::Message| device_sight(event, index);
            forwarders.spawn(forward(ami.events().clone(), sender.clone(), read));
            servers.push(Server { name, address, ami });
        }
        let toward = servers.first().context("no server")?.address;
        let watcher = Watcher::open(toward, "watcher", &lab.secrets.sip).await?;
        let trackers = PATHS.iter().map(|_| Tracker::default()).collect();
        let mut rig =
            Self { servers, watcher, sights, trackers, forwarders, running: 0, rest: Rest::default() };
        rig.light_lamps().await?;
        let lamps = rig.watcher.sightings().clone();
        rig.forwarders.spawn(forward(lamps, sender, lamp_sight));
        Ok(rig)
    }

    /// A server that the paths name, for questions.
    pub(super) fn ami(&self, name: &str) -> Result<&Ami> {
        self.servers
            .iter()
            .find(|server| server.name == name)
            .map(|server| &server.ami)
            .context("no such server")
    }

    /// Hints at the targets, and a phone that watches them.
    async fn light_lamps(&mut self) -> Result<()> {
        for path in &PATHS {
            let server =
                self.servers.iter().find(|server| server.name == path.to).context("no such server")?;
            for n in 0..LAMPS {
                let (exten, device) = (path.exten(n), path.device(n));
                let command = format!("dialplan add extension {exten},hint,{device} into asterism replace");
                server.ami.action("Command", &[("Command", &command)]).await?;
                self.watcher.watch(path.to, server.address, &exten, Package::Dialog).await?;
            }
        }
        Ok(())
    }

    /// Changes every device of some paths to and fro until nothing is wrong.
    pub(super) async fn warm_up(&mut self, paths: &[usize]) -> Result<()> {
        let rate = Rate::PerSecond(1000);
        for path in paths {
            let slice = Slice { paths: vec![*path], rate, changes: rate.devices() * 2 };
            let mut book = Book::default();
            for _ in 0..WARM_UPS_MAX {
                book = Book::default();
                self.run(&slice, &mut book).await?;
                if book.page(*path, rate).device.wrong + book.page(*path, rate).lamp.wrong == 0 {
                    break;
                }
            }
            let page = book.page(*path, rate);
            ensure!(
                page.device.wrong == 0,
                "{}: {} devices do not arrive",
                PATHS[*path].name,
                page.device.wrong
            );
            ensure!(page.lamp.wrong == 0, "{}: {} lamps do not follow", PATHS[*path].name, page.lamp.wrong);
        }
        Ok(())
    }

    /// Runs one slice to its end: until everything was seen, or is given up.
    pub(super) async fn run(&mut self, slice: &Slice, book: &mut Book) -> Result<()> {
        self.rest.before(slice.changes * u32::try_from(slice.paths.len())?).await;
        self.running = slice.paths.first().copied().unwrap_or(0);
        let mut dues = pace(slice);
        let mut expiry = tokio::time::interval(EXPIRE_EVERY);
        expiry.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let before = Processor::now()?;
        let mut sending = true;
        while sending || slice.paths.iter().any(|path| self.trackers[*path].awaited() > 0) {
            tokio::select! {
                due = dues.recv(), if sending => match due {
                    Some((at, due)) => self.change(slice.rate, at, due, book).await?,
                    None => {
                        sending = false;
                        for path in &slice.paths {
                            book.page(*path, slice.rate).processor.add(before, Processor::now()?);
                        }
                    }
                },
                Some(sight) = self.sights.recv() => self.take(&sight, slice.rate, book)?,
                _ = expiry.tick() => self.expire(slice, book)?,
            }
        }
        for path in &slice.paths {
            let page = book.page(*path, slice.rate);
            page.device.wrong += self.trackers[*path].wrong(Place::Device);
            page.lamp.wrong += self.trackers[*path].wrong(Place::Lamp);
        }
        Ok(())
    }

    async fn change(&mut self, rate: Rate, at: Instant, due: Due, book: &mut Book) -> Result<()> {
        let path = &PATHS[due.path];
        let lit = self.trackers[due.path].change(due.device, at, due.device < LAMPS);
        set(self.ami(path.from)?, &path.device(due.device), lit).await?;
        book.page(due.path, rate).behind.record(microseconds(at.elapsed()))?;
        Ok(())
    }

    fn take(&mut self, sight: &Sight, rate: Rate, book: &mut Book) -> Result<()> {
        let index = sight.path.unwrap_or(self.running);
        let (path, tracker) = (&PATHS[index], &mut self.trackers[index]);
        let places = match sight.server.map(|server| self.servers[server].name) {
            Some(server) => {
                [(path.from == server).then_some(Place::Origin), (path.to == server).then_some(Place::Device)]
            }
            None => [Some(Place::Lamp), None],
        };
        for place in places.into_iter().flatten() {
            for change in tracker.saw(sight.device, place, sight.lit, sight.at) {
                book.page(index, rate).record(&change)?;
            }
        }
        Ok(())
    }

    fn expire(&mut self, slice: &Slice, book: &mut Book) -> Result<()> {
        let Some(before) = Instant::now().checked_sub(slice.rate.deadline()) else { return Ok(()) };
        for path in &slice.paths {
            for change in self.trackers[*path].expire(before) {
                book.page(*path, slice.rate).record(&change)?;
            }
        }
        Ok(())
    }

    /// The nodes have told their servers everything that they know.
    pub(super) fn told_everything(&mut self) {
        self.rest.spent(plan::BURST * 2);
    }

    /// Puts all lamps out, ends the subscriptions, and takes devices and hints away.
    pub(super) async fn close(mut self) -> Result<()> {
        let lit = self.trackers.iter().map(|tracker| tracker.lit().len()).sum::<usize>();
        self.rest.before(u32::try_from(lit)?).await;
        self.watcher.close().await;
        for (path, tracker) in PATHS.iter().zip(&self.trackers) {
            let ami = |name| self.servers.iter().find(|server| server.name == name).map(|server| &server.ami);
            let (Some(from), Some(to)) = (ami(path.from), ami(path.to)) else { continue };
            for n in tracker.lit() {
                set(from, &path.device(n), false).await?;
            }
            for n in 0..tracker.devices() {
                let device = path.device(n);
                let key = device.strip_prefix("Custom:").unwrap_or(&device);
                drop(from.send("DBDel", &[("Family", "CustomDevstate"), ("Key", key)]).await?);
            }
            for n in 0..LAMPS {
                let command = format!("dialplan remove extension {}@asterism", path.exten(n));
                drop(to.send("Command", &[("Command", &command)]).await?);
            }
            // One connection's actions are done in order: when this is answered, all are.
            from.action("Ping", &[]).await?;
            to.action("Ping", &[]).await?;
        }
        Ok(())
    }
}

/// Does not wait for the answer: the event tells.
async fn set(ami: &Ami, device: &str, lit: bool) -> Result<()> {
    let variable = format!("DEVICE_STATE({device})");
    let value = if lit { "INUSE" } else { "NOT_INUSE" };
    drop(ami.send("Setvar", &[("Variable", &variable), ("Value", value)]).await?);
    Ok(())
}

/// Tells each change at its time, from a thread of its own: the runtime's timers know only whole milliseconds.
fn pace(slice: &Slice) -> UnboundedReceiver<(Instant, Due)> {
    let (sender, receiver) = unbounded_channel();
    let dues = slice.dues();
    let start = Instant::now() + LEAD;
    std::thread::spawn(move || {
        for due in dues {
            let at = start + due.after;
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
            if sender.send((at, due)).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Empties a journal for ever.
async fn forward<T>(journal: Journal<T>, sights: UnboundedSender<Sight>, read: impl Fn(&T) -> Option<Sight>) {
    loop {
        for sight in journal.drain().await.iter().filter_map(&read) {
            if sights.send(sight).is_err() {
                return;
            }
        }
    }
}

fn device_sight(event: &ami::Message, server: usize) -> Option<Sight> {
    if !event.is("Event", "DeviceStateChange") {
        return None;
    }
    let (path, device) = parse_device(event.bytes("Device")?)?;
    let lit = match event.bytes("State")? {
        b"INUSE" => true,
        b"NOT_INUSE" => false,
        _ => return None,
    };
    Some(Sight { server: Some(server), path, device, lit, at: event.at })
}

fn lamp_sight(sighting: &Sighting) -> Option<Sight> {
    let (path, device) = parse_exten(&sighting.target)?;
    let lit = match sighting.report {
        Report::Lamp(Lamp::Lit) => true,
        Report::Lamp(Lamp::Out) => false,
        Report::Lamp(Lamp::Ringing) | Report::Messages { .. } | Report::Ended(_) | Report::Unknown(_) => {
            return None;
        }
    };
    Some(Sight { server: None, path: Some(path), device, lit, at: sighting.at })
}

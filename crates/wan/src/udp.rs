//! A relay of datagrams. Like a NAT it has a socket of its own for each client, so that the target sees as many sources.

use crate::Shared;
use crate::alarm::Alarm;
use crate::metrics::{Direction, Meter, Reason};
use crate::pipe::{Carries, Drop as Dropped, Pipe};
use crate::relay::Relay;
use prometheus_client::metrics::gauge::Gauge;
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

/// The most clients that have a socket at once.
const CLIENTS_MAX: usize = 256;
/// A client that sends nothing for so long loses its socket.
const IDLE: Duration = Duration::from_secs(120);
/// How often that is looked for.
const SWEEP: Duration = Duration::from_secs(10);
/// The most datagrams that wait between the sockets of the clients and the relay.
const HEARD_MAX: usize = 1_024;
/// The longest datagram that there is.
const DATAGRAM: usize = 65_536;
/// How long a socket that fails is left alone.
const PAUSE: Duration = Duration::from_millis(10);

/// A datagram of a client or for it.
#[derive(Clone)]
struct Datagram {
    client: SocketAddr,
    bytes: Arc<[u8]>,
}

/// Sends through its socket as it is: the runtime believes a socket that has just been opened to be busy.
struct Client {
    socket: std::net::UdpSocket,
    reader: AbortHandle,
    /// When it sent something last.
    sent: Duration,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

struct Way {
    pipe: Pipe<Datagram>,
    meter: Meter,
}

struct UdpRelay {
    shared: Arc<Shared>,
    listen: UdpSocket,
    /// The same, to send.
    answers: std::net::UdpSocket,
    clients: HashMap<SocketAddr, Client>,
    open: Gauge,
    target: Option<SocketAddr>,
    out: Way,
    back: Way,
    to_hear: mpsc::Sender<Datagram>,
}

/// Relays until the task is ended.
pub(crate) async fn run(
    shared: Arc<Shared>,
    relay: Relay,
    listen: UdpSocket,
    seed: u64,
    target: watch::Receiver<Option<SocketAddr>>,
) -> io::Result<()> {
    let (to_hear, heard) = mpsc::channel(HEARD_MAX);
    let way = |direction, seed| Way {
        pipe: Pipe::new(Carries::Datagrams, seed),
        meter: shared.metrics.meter(&relay.name, direction),
    };
    let (out, back) = (way(Direction::Out, seed), way(Direction::Back, seed.wrapping_add(1)));
    let open = shared.metrics.open(&relay.name);
    let clients = HashMap::new();
    let answers = listen.into_std()?;
    let listen = UdpSocket::from_std(answers.try_clone()?)?;
    let relay = UdpRelay { shared, listen, answers, clients, open, target: None, out, back, to_hear };
    relay.run(heard, target).await
}

impl UdpRelay {
    async fn run(
        mut self,
        mut heard: mpsc::Receiver<Datagram>,
        mut target: watch::Receiver<Option<SocketAddr>>,
    ) -> io::Result<()> {
        let (alarm, mut buffer) = (Alarm::new()?, vec![0; DATAGRAM]);
        let (mut conditions, mut rebinds) =
            (self.shared.conditions.subscribe(), self.shared.rebinds.subscribe());
        let mut sweep = tokio::time::interval(SWEEP);
        target.mark_changed();
        loop {
            let due = [&self.out, &self.back].into_iter().filter_map(|way| way.pipe.poll_timeout()).min();
            alarm.set(due.map(|due| due.saturating_sub(self.shared.now())))?;
            tokio::select! {
                received = self.listen.recv_from(&mut buffer) => match received {
                    Ok((length, client)) => self.enter_out(client, &buffer[..length]),
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
                Some(datagram) = heard.recv() => self.back.enter(&self.shared, datagram),
                rung = alarm.ring() => rung?,
                Ok(()) = conditions.changed() => {
                    if conditions.borrow_and_update().cut {
                        self.out.cut();
                        self.back.cut();
                    }
                }
                Ok(()) = target.changed() => self.turn_to(*target.borrow_and_update()),
                Ok(()) = rebinds.changed() => self.rebind(),
                _ = sweep.tick() => self.forget_idle(),
            }
            self.release();
        }
    }

    fn enter_out(&mut self, client: SocketAddr, bytes: &[u8]) {
        self.out.enter(&self.shared, Datagram { client, bytes: bytes.into() });
    }

    /// Sends what is due.
    fn release(&mut self) {
        while let Some((due, datagram)) = self.out.pipe.pop(self.shared.now()) {
            match self.send_out(&datagram) {
                Ok(()) => self.out.meter.passed(datagram.bytes.len(), self.shared.now().saturating_sub(due)),
                Err(reason) => self.out.meter.dropped(reason, 1),
            }
        }
        while let Some((due, Datagram { client, bytes })) = self.back.pipe.pop(self.shared.now()) {
            match self.answers.send_to(&bytes, client) {
                Ok(_) => self.back.meter.passed(bytes.len(), self.shared.now().saturating_sub(due)),
                Err(_) => self.back.meter.dropped(Reason::Socket, 1),
            }
        }
    }

    fn send_out(&mut self, datagram: &Datagram) -> Result<(), Reason> {
        let target = self.target.ok_or(Reason::Target)?;
        let now = self.shared.now();
        if !self.clients.contains_key(&datagram.client) {
            if self.clients.len() >= CLIENTS_MAX {
                return Err(Reason::Crowd);
            }
            let client = self.open(datagram.client, target).map_err(|_| Reason::Socket)?;
            self.clients.insert(datagram.client, client);
            self.count_open();
        }
        let client = self.clients.get_mut(&datagram.client).ok_or(Reason::Socket)?;
        client.sent = now;
        match client.socket.send(&datagram.bytes) {
            Ok(_) => Ok(()),
            // Nobody listened when the one before arrived; this one was not sent.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Err(Reason::Target),
            Err(_) => Err(Reason::Socket),
        }
    }

    fn open(&self, client: SocketAddr, target: SocketAddr) -> io::Result<Client> {
        let any: SocketAddr = match target {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = std::net::UdpSocket::bind(any)?;
        // From then on the kernel refuses what others send.
        socket.connect(target)?;
        socket.set_nonblocking(true)?;
        let hears = UdpSocket::from_std(socket.try_clone()?)?;
        let task = tokio::spawn(hear(hears, client, self.to_hear.clone()));
        Ok(Client { socket, reader: task.abort_handle(), sent: self.shared.now() })
    }

    /// The target has another address.
    fn turn_to(&mut self, target: Option<SocketAddr>) {
        if self.target != target {
            self.target = target;
            self.clients.clear();
            self.count_open();
        }
    }

    /// Gives all clients new sockets, while the old ones still hold their ports, so that each port is another one.
    fn rebind(&mut self) {
        let Some(target) = self.target else { return };
        let opened =
            self.clients.keys().filter_map(|client| Some((*client, self.open(*client, target).ok()?)));
        self.clients = opened.collect();
        self.count_open();
    }

    fn forget_idle(&mut self) {
        let now = self.shared.now();
        self.clients.retain(|_, client| now < client.sent + IDLE);
        self.count_open();
    }

    fn count_open(&self) {
        self.open.set(i64::try_from(self.clients.len()).unwrap_or(i64::MAX));
    }
}

impl Way {
    fn enter(&mut self, shared: &Shared, datagram: Datagram) {
        let (conditions, bytes) = (*shared.conditions.borrow(), datagram.bytes.len());
        if let Err(reason) = self.pipe.push(shared.now(), &conditions, datagram, bytes) {
            self.meter.dropped(Reason::Pipe(reason), 1);
        }
    }

    fn cut(&mut self) {
        self.meter.dropped(Reason::Pipe(Dropped::Cut), self.pipe.clear());
    }
}

/// Hears what comes back to a client. What the relay does not take in time waits in the kernel, which drops what is too much.
async fn hear(socket: UdpSocket, client: SocketAddr, heard: mpsc::Sender<Datagram>) {
    let mut buffer = vec![0; DATAGRAM];
    loop {
        match socket.recv(&mut buffer).await {
            Ok(length) => {
                let datagram = Datagram { client, bytes: buffer[..length].into() };
                if heard.send(datagram).await.is_err() {
                    return;
                }
            }
            // Nobody listens at the target, at the moment.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

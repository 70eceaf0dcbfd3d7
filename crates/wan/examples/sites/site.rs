//! One site: a node with a stock server in its group and an unmodified one that it serves, both of which answer at once. The node
//! is the real core and the real session; between them is the loop of the node's shell (`crates/node/src/driver.rs`), without sockets.

use crate::Failure;
use link::{Event, Events, LinkId, LinkStatus, Session, Unsent};
use presence::link::{Frame, PeerConfig, PeerId};
use presence::{
    Change, Config, Device, DeviceState, Eid, Input, Member, Message, Node, Outcome, Output, ServerConfig,
    ServerId,
};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc as orders;

/// The one peer of each site.
const LINK: LinkId = LinkId(0);
const PEER: PeerId = PeerId(0);

const ME: Member = Member { nodeid: 21, pid: 1 };
const STOCK: Member = Member { nodeid: 1, pid: 1 };
const SERVED: ServerId = ServerId(0);

/// As the node's shell has it.
const BUDGET: usize = 64;
const NEVER: Duration = Duration::from_secs(3_600);
const LEAVING_MAX: Duration = Duration::from_secs(1);

/// What a site is to do. It ends when nobody can order any more.
pub(crate) enum Order {
    /// Its stock server says that a device has another state.
    Say(Change),
    /// To tell how its link is.
    Look(mpsc::Sender<LinkStatus>),
}

/// What happens at a site.
pub(crate) enum Seen {
    /// It is there, and its link can be dialled: by UDP, by TCP.
    Listens([Option<SocketAddr>; 2]),
    Up(Instant),
    /// The server that it serves is told of a device.
    Told(Device, Instant),
}

/// Which of two sites.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    East,
    West,
}

/// A site that runs, on a thread of its own as a node has a machine of its own.
pub(crate) struct Site {
    pub(crate) orders: orders::UnboundedSender<Order>,
    pub(crate) seen: mpsc::Receiver<Seen>,
}

impl Site {
    /// Starts one whose stock server has said all this already.
    pub(crate) fn start(place: Place, known: Vec<Change>, session: link::Config) -> Self {
        let (orders, ordered) = orders::unbounded_channel();
        let (tell, seen) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(Shell::run(place, known, session, ordered, tell))
        });
        Self { orders, seen }
    }

    pub(crate) fn look(&self) -> Result<LinkStatus, Failure> {
        let (tell, told) = mpsc::channel();
        self.orders.send(Order::Look(tell))?;
        Ok(told.recv()?)
    }
}

struct Shell {
    start: Instant,
    node: Node,
    /// The stock server.
    eid: Eid,
    session: Session,
    events: Events,
    /// A frame that there was no room for; none is made before it has gone.
    held: Option<Frame>,
    room: bool,
    tell: mpsc::Sender<Seen>,
}

impl Shell {
    async fn run(
        place: Place,
        known: Vec<Change>,
        session: link::Config,
        mut orders: orders::UnboundedReceiver<Order>,
        tell: mpsc::Sender<Seen>,
    ) -> Result<(), Failure> {
        let start = Instant::now();
        let eid = Eid([2, 0, 0, 0, place as u8, 1]);
        let mut node = node(place)?;
        known.into_iter().for_each(|change| hear(&mut node, start.elapsed(), said(eid, change), |_| {}));
        let (session, events) = Session::start(session)?;
        let (udp, tcp) = session.local_addresses();
        tell.send(Seen::Listens([udp, tcp]))?;
        let mut shell = Self { start, node, eid, session, events, held: None, room: false, tell };
        while shell.turn(&mut orders).await {}
        shell.session.stop(LEAVING_MAX).await;
        Ok(())
    }

    /// One turn of the loop; the last one when nobody can order any more.
    async fn turn(&mut self, orders: &mut orders::UnboundedReceiver<Order>) -> bool {
        self.flush();
        let wake_after = self.node.poll_timeout().map_or(NEVER, |(at, _)| at);
        tokio::select! {
            biased;
            Some(event) = self.events.recv() => self.hear_link(event),
            order = orders.recv() => match order {
                Some(order) => self.obey(order),
                None => return false,
            },
            () = tokio::time::sleep_until((self.start + wake_after).into()) => {}
        }
        for _ in 0..BUDGET {
            let Some(event) = self.events.try_recv() else { break };
            self.hear_link(event);
        }
        for _ in 0..BUDGET {
            let Ok(order) = orders.try_recv() else { break };
            self.obey(order);
        }
        let now = self.start.elapsed();
        if self.node.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.node.handle_timeout(now);
        }
        true
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Say(change) => self.hear(said(self.eid, change)),
            // Who asked may have gone meanwhile.
            Order::Look(reply) => drop(reply.send(self.session.status_of(LINK))),
        }
    }

    fn hear_link(&mut self, event: Event) {
        match event {
            Event::Up { .. } => {
                (self.room, self.held) = (true, None);
                self.tell(Seen::Up(Instant::now()));
                self.hear(Input::LinkUp(PEER));
            }
            Event::Frame { frame, .. } => self.hear(Input::LinkFrame { peer: PEER, frame }),
            Event::Room { .. } => self.room = true,
            Event::Down { silent, .. } => {
                self.room = false;
                self.hear(Input::LinkDown { peer: PEER, silent });
            }
            Event::Refused { .. } => {}
        }
    }

    fn hear(&mut self, input: Input) {
        let tell = &self.tell;
        // Who is told may have seen enough.
        hear(&mut self.node, self.start.elapsed(), input, |device| {
            drop(tell.send(Seen::Told(device, Instant::now())));
        });
    }

    fn tell(&self, seen: Seen) {
        // Likewise.
        drop(self.tell.send(seen));
    }

    /// Gives the link what the core has for it, where there is room.
    fn flush(&mut self) {
        while self.room {
            let Some(frame) = self.held.take().or_else(|| self.node.poll_frame(PEER)) else { break };
            match self.session.send(LINK, &frame) {
                Ok(()) => {}
                Err(Unsent::Full) => (self.room, self.held) = (false, Some(frame)),
                Err(Unsent::Gone) => self.room = false,
            }
        }
    }
}

/// A node in its group, whose server answers.
fn node(place: Place) -> Result<Node, Failure> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let mut config = Config::new(Eid([2, 0, 0, 0, place as u8, 0x21]), "192.0.2.21", now);
    config.site = format!("site {}", place as u8).into();
    config
        .servers
        .push(ServerConfig { eid: Some(Eid([2, 0, 0, 0, place as u8, 3])), ..ServerConfig::default() });
    config.peers.push(PeerConfig::default());
    let mut node = Node::new(config);
    hear(&mut node, Duration::ZERO, Input::Joined { me: ME, members: vec![STOCK, ME] }, |_| {});
    hear(&mut node, Duration::ZERO, Input::Alive(SERVED), |_| {});
    Ok(node)
}

fn said(eid: Eid, change: Change) -> Input {
    Input::Delivered { from: STOCK, message: Message::Change { eid, change, stamp: None } }
}

/// Lets the node have it, and does what the node wants; the group and the server answer at once.
fn hear(node: &mut Node, now: Duration, input: Input, mut told: impl FnMut(Device)) {
    node.handle(now, input);
    while let Some(output) = node.poll_output(now) {
        match output {
            Output::Multicast(message) => node.handle(now, Input::Delivered { from: ME, message }),
            Output::Publish { server, change, .. } => {
                if let Change::DeviceState { device, .. } = change {
                    told(device);
                }
                node.handle(now, Input::Settled { server, outcome: Outcome::Accepted });
            }
            Output::RequestRefresh { server } => {
                node.handle(now, Input::Settled { server, outcome: Outcome::Accepted });
            }
            Output::Touch | Output::Answer { .. } | Output::Note(_) => {}
        }
    }
}

/// What the device of this number says when it speaks for the so-manieth time: another state than before.
pub(crate) fn change(number: usize, pass: usize) -> Change {
    let state = if pass.is_multiple_of(2) { DeviceState::InUse } else { DeviceState::NotInUse };
    let device = Device::new(&format!("PJSIP/{}", FIRST_DEVICE + number)).expect("a printable name");
    Change::DeviceState { device, state, cachable: true }
}

/// The number of a device.
pub(crate) fn number(device: &Device) -> Option<usize> {
    let number: usize = device.as_str().strip_prefix("PJSIP/")?.parse().ok()?;
    number.checked_sub(FIRST_DEVICE)
}

const FIRST_DEVICE: usize = 100_000;

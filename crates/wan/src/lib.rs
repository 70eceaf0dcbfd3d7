//! The lab's Internet between two sites: relays for UDP and TCP that delay, lose, reorder and cut what goes over them. It is
//! in user space because the lab's kernel may not have netem. Not part of the product.
//!
//! [`Pipe`] decides, without clock and socket; the rest moves bytes and time.

mod alarm;
pub mod conditions;
mod control;
mod metrics;
pub mod pipe;
pub mod relay;
mod tcp;
mod udp;

pub use conditions::Conditions;
pub use pipe::Pipe;
pub use relay::{Protocol, Relay};

use metrics::Metrics;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UdpSocket, lookup_host};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How often the name of a target is resolved: its container may start anew elsewhere.
const RESOLVE: Duration = Duration::from_secs(5);
/// How long after a name that nobody knows.
const RESOLVE_AGAIN: Duration = Duration::from_millis(500);

/// What to run.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// The relays.
    pub relays: Vec<Relay>,
    /// Where HTTP is answered.
    pub control: SocketAddr,
    /// The conditions in the beginning.
    pub conditions: Conditions,
    /// Of all chances.
    pub seed: u64,
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The conditions are none.
    #[error(transparent)]
    Conditions(#[from] conditions::Invalid),
    /// Two relays have one name.
    #[error("two relays are called {0:?}; give each a name of its own")]
    Twice(String),
    /// A relay cannot listen.
    #[error("{relay}: cannot listen there: {source}; is another program using it?")]
    Relay {
        /// The relay.
        relay: Relay,
        /// What the system says.
        source: io::Error,
    },
    /// HTTP cannot be answered.
    #[error("--control {address}: cannot listen there: {source}; is another program using it?")]
    Control {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// Relays that run, until this is dropped.
pub struct Running {
    /// Where HTTP is answered.
    pub control: SocketAddr,
    /// Where each relay listens, in their order.
    pub relays: Vec<SocketAddr>,
    tasks: JoinSet<io::Result<()>>,
}

/// What all tasks share.
pub(crate) struct Shared {
    start: Instant,
    pub(crate) conditions: watch::Sender<Conditions>,
    pub(crate) rebinds: watch::Sender<()>,
    pub(crate) metrics: Metrics,
}

impl Shared {
    /// The time of all pipes.
    pub(crate) fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Starts all relays and the control.
///
/// # Errors
/// [`StartError`] names what cannot be done; nothing runs then.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let Config { relays, control, conditions, seed } = config;
    let shared = Arc::new(Shared {
        start: Instant::now(),
        conditions: watch::Sender::new(conditions.checked()?),
        rebinds: watch::Sender::new(()),
        metrics: Metrics::new(),
    });
    let refused = |source| StartError::Control { address: control, source };
    let listener = TcpListener::bind(control).await.map_err(refused)?;
    let control = listener.local_addr().map_err(refused)?;
    let mut running = Running { control, relays: Vec::new(), tasks: JoinSet::new() };
    for (number, relay) in (0_u64..).zip(&relays) {
        if relays.iter().filter(|other| other.name == relay.name).count() > 1 {
            return Err(StartError::Twice(relay.name.clone()));
        }
        // Connections of one relay count their seeds from there.
        let seed = seed.wrapping_add(number << 32);
        let started = running.start_relay(Arc::clone(&shared), relay.clone(), seed).await;
        let address = started.map_err(|source| StartError::Relay { relay: relay.clone(), source })?;
        running.relays.push(address);
    }
    let router = control::router(shared);
    running.tasks.spawn(async { axum::serve(listener, router).await });
    Ok(running)
}

impl Running {
    async fn start_relay(&mut self, shared: Arc<Shared>, relay: Relay, seed: u64) -> io::Result<SocketAddr> {
        match relay.protocol {
            Protocol::Udp => {
                let listen = UdpSocket::bind(&relay.listen).await?;
                let address = listen.local_addr()?;
                let (found, target) = watch::channel(relay.target.parse().ok());
                if found.borrow().is_none() {
                    self.tasks.spawn(resolve(relay.target.clone(), found));
                }
                self.tasks.spawn(udp::run(shared, relay, listen, seed, target));
                Ok(address)
            }
            Protocol::Tcp => {
                let listen = TcpListener::bind(&relay.listen).await?;
                let address = listen.local_addr()?;
                self.tasks.spawn(tcp::run(shared, relay, listen, seed));
                Ok(address)
            }
        }
    }

    /// Runs until `end`, or until a part of it fails.
    ///
    /// # Errors
    /// What failed.
    pub async fn run(mut self, end: impl Future<Output = ()>) -> io::Result<()> {
        tokio::select! {
            () = end => Ok(()),
            Some(ended) = self.tasks.join_next() => ended.map_err(io::Error::other)?,
        }
    }
}

/// Looks up the address of a target again and again, for it may have another.
async fn resolve(target: String, found: watch::Sender<Option<SocketAddr>>) -> io::Result<()> {
    loop {
        let addresses: Vec<_> = lookup_host(&target).await.map(Iterator::collect).unwrap_or_default();
        // One of several is kept, in whatever order they come.
        found.send_if_modified(|known| {
            let lasts = addresses.is_empty() || known.is_some_and(|known| addresses.contains(&known));
            if !lasts {
                *known = addresses.first().copied();
            }
            !lasts
        });
        tokio::time::sleep(if addresses.is_empty() { RESOLVE_AGAIN } else { RESOLVE }).await;
    }
}

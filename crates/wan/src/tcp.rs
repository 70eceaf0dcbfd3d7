//! A relay of streams. The handshakes themselves are not delayed: the relay's kernel answers who dials, and the target is
//! dialled at once.

use crate::Shared;
use crate::alarm::Alarm;
use crate::metrics::{Direction, Meter, Reason};
use crate::pipe::{Carries, Pipe};
use crate::relay::Relay;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// The most connections at once.
const CONNECTIONS_MAX: usize = 64;
/// The most bytes that are read at once.
const PIECE: usize = 16_384;
/// Who takes longer to take a piece holds up those behind it.
const STALL: Duration = Duration::from_millis(1);
/// How long a listener that fails is left alone.
const PAUSE: Duration = Duration::from_millis(10);

/// Relays until the task is ended.
pub(crate) async fn run(
    shared: Arc<Shared>,
    relay: Relay,
    listen: TcpListener,
    mut seed: u64,
) -> io::Result<()> {
    let (meter, open) = (shared.metrics.meter(&relay.name, Direction::Out), shared.metrics.open(&relay.name));
    let mut connections = JoinSet::new();
    loop {
        open.set(i64::try_from(connections.len()).unwrap_or(i64::MAX));
        tokio::select! {
            accepted = listen.accept() => match accepted {
                Ok(_) if connections.len() >= CONNECTIONS_MAX => meter.dropped(Reason::Crowd, 1),
                Ok((client, _)) => {
                    seed = seed.wrapping_add(2);
                    connections.spawn(connect(Arc::clone(&shared), relay.clone(), client, seed));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(ended) = connections.join_next() => {
                if let Ok(Err(error)) = ended {
                    tracing::info!("{}: a connection ended: {error}", relay.name);
                }
            }
        }
    }
}

/// One connection, until both ends have said all or one of them fails.
async fn connect(shared: Arc<Shared>, relay: Relay, client: TcpStream, seed: u64) -> io::Result<()> {
    let meter = |direction| shared.metrics.meter(&relay.name, direction);
    // While the way is cut nobody gets an answer.
    let mut conditions = shared.conditions.subscribe();
    if conditions.wait_for(|conditions| !conditions.cut).await.is_err() {
        return Ok(());
    }
    let target = TcpStream::connect(&relay.target).await;
    let target = target.inspect_err(|_| meter(Direction::Out).dropped(Reason::Target, 1))?;
    client.set_nodelay(true)?;
    target.set_nodelay(true)?;
    let ((from_client, to_client), (from_target, to_target)) = (client.into_split(), target.into_split());
    let out = Flow::new(&shared, meter(Direction::Out), seed)?;
    let back = Flow::new(&shared, meter(Direction::Back), seed.wrapping_add(1))?;
    tokio::try_join!(out.run(from_client, to_target), back.run(from_target, to_client))?;
    Ok(())
}

/// One direction of a connection. An empty piece is its end.
struct Flow {
    shared: Arc<Shared>,
    pipe: Pipe<Arc<[u8]>>,
    meter: Meter,
    alarm: Alarm,
    all_read: bool,
    /// Until then the way was cut, or who is written to took nothing: that is not the relay's error.
    held_up: Duration,
}

impl Flow {
    fn new(shared: &Arc<Shared>, meter: Meter, seed: u64) -> io::Result<Self> {
        let (pipe, alarm) = (Pipe::new(Carries::Stream, seed), Alarm::new()?);
        Ok(Self { shared: Arc::clone(shared), pipe, meter, alarm, all_read: false, held_up: Duration::ZERO })
    }

    async fn run(mut self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) -> io::Result<()> {
        let mut buffer = vec![0; PIECE];
        let mut changes = self.shared.conditions.subscribe();
        loop {
            let conditions = *changes.borrow_and_update();
            let due = self.pipe.poll_timeout().filter(|_| !conditions.cut);
            self.alarm.set(due.map(|due| due.saturating_sub(self.shared.now())))?;
            let reads = !self.all_read && !conditions.cut && self.pipe.has_room();
            tokio::select! {
                length = from.read(&mut buffer), if reads => {
                    let piece = &buffer[..length?];
                    self.all_read = piece.is_empty();
                    // Of a stream nothing is dropped.
                    let _ = self.pipe.push(self.shared.now(), &conditions, piece.into(), piece.len());
                }
                rung = self.alarm.ring() => rung?,
                changed = changes.changed() => if changed.is_err() { return Ok(()) },
            }
            if conditions.cut {
                self.held_up = self.shared.now();
            }
            if !changes.borrow().cut && self.release(&mut to).await? {
                return Ok(());
            }
        }
    }

    /// Writes what is due. Tells whether that was the end.
    async fn release(&mut self, to: &mut OwnedWriteHalf) -> io::Result<bool> {
        while let Some((due, piece)) = self.pipe.pop(self.shared.now()) {
            if piece.is_empty() {
                to.shutdown().await?;
                return Ok(true);
            }
            let begun = self.shared.now();
            let late = begun.saturating_sub(due.max(self.held_up));
            to.write_all(&piece).await?;
            if self.shared.now() > begun + STALL {
                self.held_up = self.shared.now();
            }
            self.meter.passed(piece.len(), late);
        }
        Ok(false)
    }
}

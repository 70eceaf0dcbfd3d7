//! A way between two nodes that can be cut, led elsewhere, and moved.

use crate::Transport;
use crate::slot::lock;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket, tcp};
use tokio::sync::Notify;

/// Where a node is dialled instead of itself.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    ways: Arc<Ways>,
}

#[derive(Default)]
struct Ways {
    target: Mutex<Option<SocketAddr>>,
    /// Whatever comes is dropped.
    cut: AtomicBool,
    /// Changes when the node that dials is to be seen at another address.
    moves: AtomicUsize,
    moved: Notify,
}

impl Relay {
    /// Leads nowhere yet.
    pub(crate) async fn start(transport: Transport) -> Self {
        let ways = Arc::new(Ways::default());
        let address = match transport {
            Transport::Udp => {
                let socket = local_udp().await;
                let address = socket.local_addr().unwrap();
                tokio::spawn(relay_udp(socket, Arc::clone(&ways)));
                address
            }
            Transport::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                tokio::spawn(relay_tcp(listener, Arc::clone(&ways)));
                address
            }
        };
        Self { address, ways }
    }

    pub(crate) async fn to(transport: Transport, target: SocketAddr) -> Self {
        let relay = Self::start(transport).await;
        relay.lead_to(target);
        relay
    }

    pub(crate) fn lead_to(&self, target: SocketAddr) {
        *lock(&self.ways.target) = Some(target);
    }

    pub(crate) fn cut(&self, cut: bool) {
        self.ways.cut.store(cut, Ordering::SeqCst);
    }

    /// As a router that gives another port to the same connection (UDP).
    pub(crate) fn move_client(&self) {
        self.ways.moves.fetch_add(1, Ordering::SeqCst);
        self.ways.moved.notify_one();
    }
}

impl Ways {
    fn target(&self) -> Option<SocketAddr> {
        if self.cut.load(Ordering::SeqCst) { None } else { *lock(&self.target) }
    }
}

async fn local_udp() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

/// For one node that dials; the one that did last.
async fn relay_udp(near: UdpSocket, ways: Arc<Ways>) {
    let (mut far, mut client, mut moves) = (local_udp().await, None, 0);
    let (mut out, mut back) = ([0; 2_048], [0; 2_048]);
    loop {
        tokio::select! {
            () = ways.moved.notified() => {}
            Ok((bytes, from)) = near.recv_from(&mut out) => {
                if client.replace(from) != Some(from) || ways.moves.load(Ordering::SeqCst) != moves {
                    moves = ways.moves.load(Ordering::SeqCst);
                    far = local_udp().await;
                }
                if let Some(target) = ways.target() {
                    let _ = far.send_to(&out[..bytes], target).await;
                }
            }
            Ok((bytes, _)) = far.recv_from(&mut back) => {
                if let Some(client) = client.filter(|_| ways.target().is_some()) {
                    let _ = near.send_to(&back[..bytes], client).await;
                }
            }
        }
    }
}

async fn relay_tcp(listener: TcpListener, ways: Arc<Ways>) {
    while let Ok((near, _)) = listener.accept().await {
        let Some(target) = ways.target() else { continue };
        let Ok(far) = TcpStream::connect(target).await else { continue };
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        tokio::spawn(pass(near_in, far_out, Arc::clone(&ways)));
        tokio::spawn(pass(far_in, near_out, Arc::clone(&ways)));
    }
}

async fn pass(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, ways: Arc<Ways>) {
    let (mut bytes, mut dropped) = ([0; 16_384], false);
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if ways.target().is_none() {
            dropped = true;
        } else if dropped || to.write_all(&bytes[..read]).await.is_err() {
            // TCP never goes on behind a gap.
            return;
        }
    }
}

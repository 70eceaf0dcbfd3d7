//! Letting peers in who dial us, and nobody else.

use crate::connection;
use crate::dial::HANDSHAKE_MAX;
use crate::event::Refusal;
use crate::gate::Permit;
use crate::pipe::Pipe;
use crate::shared::Shared;
use crate::slot::Dialled;
use crate::{quic, tcp};
use quinn::Endpoint;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// How long to wait when the system has no socket left for somebody who dials.
const NO_SOCKET_WAIT: Duration = Duration::from_millis(100);

/// What each task holds, so that the end of all of them can be waited for.
pub(crate) type Alive = tokio::sync::mpsc::Sender<std::convert::Infallible>;

/// Lets peers in by QUIC until the session ends.
pub(crate) async fn by_quic(shared: Arc<Shared>, endpoint: Endpoint, alive: Alive) {
    loop {
        let incoming = tokio::select! {
            () = shared.stopped() => return,
            incoming = endpoint.accept() => incoming,
        };
        let Some(incoming) = incoming else { return };
        let from = incoming.remote_address();
        if shared.gate.is_busy() && incoming.may_retry() {
            // Whoever is not where he says does not hear this, and has cost nothing.
            let _ = incoming.retry();
            continue;
        }
        let Some(permit) = shared.gate.enter(from.ip()) else {
            shared.gate.refuse(from, Refusal::TooMany);
            incoming.refuse();
            continue;
        };
        let (shared, alive) = (Arc::clone(&shared), alive.clone());
        tokio::spawn(async move {
            admit(&shared, from, permit, quic::accept(incoming)).await;
            drop(alive);
        });
    }
}

/// Lets peers in by TCP until the session ends.
pub(crate) async fn by_tcp(
    shared: Arc<Shared>,
    listener: TcpListener,
    server: Arc<rustls::ServerConfig>,
    alive: Alive,
) {
    loop {
        let accepted = tokio::select! {
            () = shared.stopped() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "cannot accept a connection");
                tokio::time::sleep(NO_SOCKET_WAIT).await;
                continue;
            }
        };
        let Some(permit) = shared.gate.enter(from.ip()) else {
            shared.gate.refuse(from, Refusal::TooMany);
            continue;
        };
        let (shared, alive, server) = (Arc::clone(&shared), alive.clone(), Arc::clone(&server));
        tokio::spawn(async move {
            admit(&shared, from, permit, tcp::accept(server, stream, from)).await;
            drop(alive);
        });
    }
}

/// Sees a handshake through, until the peer's first word, and then carries its frames.
async fn admit(
    shared: &Shared,
    from: SocketAddr,
    permit: Permit,
    handshake: impl Future<Output = Result<Pipe, Refusal>>,
) {
    let opening = async {
        let mut pipe = handshake.await?;
        match pipe.first_frame().await {
            Ok(first) => Ok((pipe, first)),
            Err(wordless) => {
                if wordless.refusal != Refusal::Left {
                    pipe.bid_farewell(&wordless.to_string()).await;
                }
                Err(wordless.refusal)
            }
        }
    };
    let opened = tokio::select! {
        () = shared.stopped() => return,
        opened = tokio::time::timeout(HANDSHAKE_MAX, opening) => opened.unwrap_or(Err(Refusal::Timeout)),
    };
    match opened {
        Ok((pipe, first)) => {
            // The verifier knows the same keys.
            let Some(slot) = shared.slot(pipe.key) else { return };
            connection::carry(shared, slot, pipe, first, Dialled::ByPeer, Some(permit)).await;
        }
        Err(why) => shared.gate.refuse(from, why),
    }
}

//! Connections over QUIC: one stream each, opened by whoever dials.

use crate::config::{Config, StartError, Transport};
use crate::event::Refusal;
use crate::key::{Fingerprint, PrivateKey};
use crate::pipe::{Carrier, Pipe};
use crate::{connection, tls};
use quinn::congestion::CubicConfig;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    Connection, ConnectionError, ConnectionId, ConnectionIdGenerator, Endpoint, EndpointConfig, IdleTimeout,
    ServerConfig, TokioRuntime, TransportConfig, TransportErrorCode, VarInt,
};
use rustls::pki_types::CertificateDer;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// How many bytes may be under way: 20 Mbit/s at a round trip of 100 ms. What does not fit waits with our user, who has newer
/// words for it in the meantime.
pub(crate) const WINDOW_BYTES: u32 = 262_144;
/// How many bytes the peer may be ahead of our user.
const RECEIVE_BYTES: u32 = 262_144;
/// How many bytes may be under way at first: 32 packets, as browsers and their servers have long had it, instead of ten. That makes the first
/// sync of 100,000 states at 20 Mbit/s and 40 ms each way a tenth of a second shorter.
const BEGIN_BYTES: u64 = 32 * 1_200;

/// The kernel's own silence is noticed after the hold time and this, so that ours is told first.
const IDLE_GRACE: Duration = Duration::from_secs(1);

/// How many strangers' first datagrams may wait to be looked at, and how many bytes may come after each of those.
const UNSEEN_MAX: usize = 64;
const UNSEEN_BYTES_MAX: u64 = 16_384;

/// TLS alerts (RFC 8446, 6), which QUIC adds to 0x100.
const ALERT: u64 = 0x100;
const HANDSHAKE_FAILURE: u64 = 40;
const ACCESS_DENIED: u64 = 49;
const CERTIFICATE_REQUIRED: u64 = 116;
const NO_APPLICATION_PROTOCOL: u64 = 120;

/// Listens at an address.
pub(crate) fn listen(
    config: &Config,
    known: Vec<Fingerprint>,
    address: SocketAddr,
) -> Result<Endpoint, StartError> {
    let crypto = QuicServerConfig::try_from(tls::server(&config.key, known)).expect("TLS 1.3 is offered");
    let mut server = ServerConfig::with_crypto(Arc::new(crypto));
    server
        .transport_config(Arc::new(transport(config.hold)))
        .migration(true)
        .max_incoming(UNSEEN_MAX)
        .incoming_buffer_size(UNSEEN_BYTES_MAX)
        .incoming_buffer_size_total(UNSEEN_BYTES_MAX * UNSEEN_MAX as u64);
    let failed = |source| StartError::Listen { address, transport: Transport::Udp, source };
    let socket = std::net::UdpSocket::bind(address).map_err(failed)?;
    Endpoint::new(endpoint(&config.key), Some(server), socket, Arc::new(TokioRuntime)).map_err(failed)
}

/// A node that was killed and started again tells its peers by resets that their connections are no more; for that they have to be
/// the same as before. Elsewhere they would notice by the hold time only.
fn endpoint(key: &PrivateKey) -> EndpointConfig {
    let reset_key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key.reset_seed());
    let mut config = EndpointConfig::new(Arc::new(reset_key));
    config.cid_generator(|| Box::new(RandomIds));
    config
}

/// Connection IDs that say nothing, so each may be one of ours from before.
struct RandomIds;

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut bytes = [0; 8];
        aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
        ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        8
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// How a peer is dialled.
pub(crate) fn client(tls: rustls::ClientConfig, hold: Duration) -> quinn::ClientConfig {
    let crypto = QuicClientConfig::try_from(tls).expect("TLS 1.3 is offered");
    let mut client = quinn::ClientConfig::new(Arc::new(crypto));
    client.transport_config(Arc::new(transport(hold)));
    client
}

fn transport(hold: Duration) -> TransportConfig {
    let mut congestion = CubicConfig::default();
    congestion.initial_window(BEGIN_BYTES);
    let mut transport = TransportConfig::default();
    transport
        .congestion_controller_factory(Arc::new(congestion))
        .max_concurrent_bidi_streams(1_u32.into())
        .max_concurrent_uni_streams(0_u32.into())
        .datagram_receive_buffer_size(None)
        .stream_receive_window(RECEIVE_BYTES.into())
        .receive_window(RECEIVE_BYTES.into())
        .send_window(u64::from(WINDOW_BYTES))
        .max_idle_timeout(Some(idle_timeout(hold)));
    transport
}

/// Longer than QUIC can say is never.
fn idle_timeout(hold: Duration) -> IdleTimeout {
    IdleTimeout::try_from(hold + IDLE_GRACE).unwrap_or_else(|_| VarInt::MAX.into())
}

/// Dials from a socket of its own. `from` is where we listen: the address is used for dialling, too.
pub(crate) async fn dial(
    client: &quinn::ClientConfig,
    from: Option<SocketAddr>,
    remote: SocketAddr,
) -> Result<Pipe, String> {
    let endpoint =
        Endpoint::client((source(from, remote.ip()), 0).into()).map_err(|error| error.to_string())?;
    let connecting =
        endpoint.connect_with(client.clone(), remote, tls::SERVER_NAME).map_err(|error| error.to_string())?;
    let connection = connecting.await.map_err(|reason| explain(&reason))?;
    let key = peer_key(&connection).ok_or("the peer showed no key")?;
    let (writer, reader) = connection.open_bi().await.map_err(|reason| explain(&reason))?;
    Ok(Pipe::new(reader, writer, Carrier::Quic(connection), key))
}

/// The address to dial from: the one where we listen if it fits, else the kernel's choice.
pub(crate) fn source(listen: Option<SocketAddr>, remote: IpAddr) -> IpAddr {
    match listen.map(|listen| listen.ip()) {
        Some(ip) if ip.is_ipv4() == remote.is_ipv4() && ip.is_loopback() == remote.is_loopback() => ip,
        Some(_) | None => match remote {
            IpAddr::V4(v4) if v4.is_loopback() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(v6) if v6.is_loopback() => Ipv6Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        },
    }
}

/// Lets somebody in who dialled.
pub(crate) async fn accept(incoming: quinn::Incoming) -> Result<Pipe, Refusal> {
    let refusal = |reason: ConnectionError| {
        tracing::debug!(%reason, "a handshake failed");
        refusal(&reason)
    };
    let connection = incoming.accept().map_err(refusal)?.await.map_err(refusal)?;
    let key = peer_key(&connection).ok_or(Refusal::NoKey)?;
    let (writer, reader) = connection.accept_bi().await.map_err(refusal)?;
    Ok(Pipe::new(reader, writer, Carrier::Quic(connection), key))
}

/// With raw public keys, the one certificate is the key.
fn peer_key(connection: &Connection) -> Option<Fingerprint> {
    let identity = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    identity.first().map(|key| Fingerprint::of(key))
}

/// What a connection that ended makes of whoever dialled.
pub(crate) fn refusal(reason: &ConnectionError) -> Refusal {
    match reason {
        ConnectionError::TransportError(error) => match alert(error.code) {
            Some(ACCESS_DENIED) => Refusal::UnknownKey,
            Some(CERTIFICATE_REQUIRED) => Refusal::NoKey,
            Some(HANDSHAKE_FAILURE) if error.reason.contains("CertificateType") => Refusal::NoKey,
            Some(_) | None => Refusal::Protocol,
        },
        ConnectionError::TimedOut => Refusal::Timeout,
        // Before the handshake is over, QUIC says no more than this of a close.
        ConnectionError::ConnectionClosed(close)
            if close.error_code == TransportErrorCode::APPLICATION_ERROR =>
        {
            Refusal::Left
        }
        ConnectionError::ApplicationClosed(_) | ConnectionError::Reset => Refusal::Left,
        ConnectionError::VersionMismatch
        | ConnectionError::ConnectionClosed(_)
        | ConnectionError::LocallyClosed
        | ConnectionError::CidsExhausted => Refusal::Protocol,
    }
}

fn alert(code: TransportErrorCode) -> Option<u64> {
    u64::from(code).checked_sub(ALERT).filter(|alert| *alert < 0x100)
}

/// Why a connection ended, for people.
pub(crate) fn explain(reason: &ConnectionError) -> String {
    match reason {
        ConnectionError::ConnectionClosed(close) => match alert(close.error_code) {
            Some(ACCESS_DENIED) => tls::NOT_KNOWN.to_owned(),
            Some(NO_APPLICATION_PROTOCOL) => tls::NO_VERSION.to_owned(),
            Some(_) | None => reason.to_string(),
        },
        ConnectionError::ApplicationClosed(close) if close.reason.is_empty() => {
            crate::pipe::CLOSED.to_owned()
        }
        ConnectionError::ApplicationClosed(close) => {
            crate::pipe::peer_ended(&connection::line(&close.reason))
        }
        ConnectionError::Reset => "the peer was started anew".to_owned(),
        ConnectionError::TimedOut => "the peer does not answer".to_owned(),
        ConnectionError::VersionMismatch
        | ConnectionError::TransportError(_)
        | ConnectionError::LocallyClosed
        | ConnectionError::CidsExhausted => reason.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_at_one_address_dials_from_it() {
        let source = |listen: &str, remote: &str| {
            let listen = (!listen.is_empty()).then(|| listen.parse().unwrap());
            source(listen, remote.parse().unwrap()).to_string()
        };
        assert_eq!(source("192.0.2.1:4521", "203.0.113.1"), "192.0.2.1");
        assert_eq!(source("0.0.0.0:4521", "203.0.113.1"), "0.0.0.0");
        assert_eq!(source("[::]:4521", "203.0.113.1"), "0.0.0.0");
        assert_eq!(source("192.0.2.1:4521", "2001:db8::1"), "::");
        assert_eq!(source("127.0.0.1:4521", "203.0.113.1"), "0.0.0.0");
        assert_eq!(source("0.0.0.0:4521", "127.0.0.1"), "127.0.0.1");
        assert_eq!(source("", "::1"), "::1");
    }
}

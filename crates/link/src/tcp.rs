//! Connections over TCP with TLS, where UDP is blocked.

use crate::event::Refusal;
use crate::key::Fingerprint;
use crate::pipe::{Carrier, Pipe};
use crate::quic::{WINDOW_BYTES, source};
use crate::tls;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How many connections the kernel keeps for us to look at.
const BACKLOG: u32 = 128;

/// What is left of a connection that the other end has closed.
const LEFT: [io::ErrorKind; 4] = [
    io::ErrorKind::UnexpectedEof,
    io::ErrorKind::ConnectionReset,
    io::ErrorKind::ConnectionAborted,
    io::ErrorKind::BrokenPipe,
];

/// Listens at an address.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket(address)?;
    // Else a node that was just restarted would have to wait for its old connections.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The kernel at either end takes only so much as may be under way; connections have this from their listener.
fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_send_buffer_size(WINDOW_BYTES)?;
    socket.set_recv_buffer_size(WINDOW_BYTES)?;
    Ok(socket)
}

/// Dials. `from` is where we listen: the address is used for dialling, too.
pub(crate) async fn dial(
    client: &Arc<rustls::ClientConfig>,
    from: Option<SocketAddr>,
    remote: SocketAddr,
) -> Result<Pipe, String> {
    let stream = connect(from, remote).await.map_err(|error| error.to_string())?;
    let name = ServerName::try_from(tls::SERVER_NAME).map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(Arc::clone(client));
    let stream = connector.connect(name, stream).await.map_err(|error| explain(&error))?;
    let key = peer_key(stream.get_ref().1.peer_certificates()).ok_or("the peer showed no key")?;
    let (reader, writer) = tokio::io::split(stream);
    Ok(Pipe::new(reader, writer, Carrier::Tcp(remote), key))
}

async fn connect(from: Option<SocketAddr>, remote: SocketAddr) -> io::Result<TcpStream> {
    let socket = socket(remote)?;
    socket.bind((source(from, remote.ip()), 0).into())?;
    let stream = socket.connect(remote).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Lets somebody in who dialled.
pub(crate) async fn accept(
    server: Arc<rustls::ServerConfig>,
    stream: TcpStream,
    from: SocketAddr,
) -> Result<Pipe, Refusal> {
    stream.set_nodelay(true).map_err(|_| Refusal::Protocol)?;
    let stream = TlsAcceptor::from(server).accept(stream).await.map_err(|error| {
        tracing::debug!(%error, "a handshake failed");
        refusal(&error)
    })?;
    let key = peer_key(stream.get_ref().1.peer_certificates()).ok_or(Refusal::NoKey)?;
    let (reader, writer) = tokio::io::split(stream);
    Ok(Pipe::new(reader, writer, Carrier::Tcp(from), key))
}

/// With raw public keys, the one certificate is the key.
fn peer_key(certificates: Option<&[CertificateDer<'_>]>) -> Option<Fingerprint> {
    certificates?.first().map(|key| Fingerprint::of(key))
}

/// What a connection that ended makes of whoever dialled.
pub(crate) fn refusal(error: &io::Error) -> Refusal {
    match tls_error(error) {
        Some(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
            Refusal::UnknownKey
        }
        Some(
            Error::NoCertificatesPresented
            | Error::PeerIncompatible(PeerIncompatible::IncorrectCertificateTypeExtension),
        ) => Refusal::NoKey,
        None if LEFT.contains(&error.kind()) => Refusal::Left,
        Some(_) | None => Refusal::Protocol,
    }
}

/// Why a connection ended, for people.
pub(crate) fn explain(error: &io::Error) -> String {
    match tls_error(error) {
        Some(Error::AlertReceived(AlertDescription::AccessDenied)) => tls::NOT_KNOWN.to_owned(),
        Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => tls::NO_VERSION.to_owned(),
        Some(_) | None if error.kind() == io::ErrorKind::UnexpectedEof => crate::pipe::CLOSED.to_owned(),
        Some(_) | None => error.to_string(),
    }
}

fn tls_error(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

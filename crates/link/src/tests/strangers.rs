//! Those who are not let in.

use super::world::*;
use crate::pipe::{Carrier, Pipe};
use crate::{Event, PrivateKey, Refusal, Transport, quic, tcp, tls};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UdpSocket};
use wire::link::{Frame, Ping};

#[tokio::test]
async fn a_node_whose_key_is_not_known_is_not_let_in_and_told_so() {
    for transport in BOTH {
        let (own, known, stranger) = (key(), key(), key());
        let mut node = Node::start(&own, vec![awaits(&known)]);
        let mut other = Node::start(&stranger, vec![dials(&own, node.address(transport), transport)]);
        let why = other.until_down(PEER).await.why;
        assert!(why.ends_with(tls::NOT_KNOWN), "{why}");
        let (from, why) = refused(&mut node).await;
        assert_eq!((from.ip(), why), ("127.0.0.1".parse().unwrap(), Refusal::UnknownKey));
        assert!(node.session.totals().refused(Refusal::UnknownKey) > 0);
        assert_eq!((node.status().connects_total, other.status().connects_total), (0, 0));
    }
}

#[tokio::test]
async fn a_node_that_is_somebody_else_than_was_dialled_is_left_and_named() {
    for transport in BOTH {
        let (own, expected, met) = (key(), key(), key());
        let other = Node::start(&met, vec![awaits(&own)]);
        let address = other.address(transport);
        let mut node = Node::start(&own, vec![dials(&expected, address, transport)]);
        let why = node.until_down(PEER).await.why;
        assert_eq!(why, format!("{address} has the key {}, which is not the peer's", met.fingerprint()));
        eventually(|| other.session.totals().refused(Refusal::Protocol) > 0).await;
        assert_eq!((node.status().connects_total, other.status().connects_total), (0, 0));
    }
}

#[tokio::test]
async fn who_shows_no_key_is_not_let_in() {
    for (transport, raw) in BOTH.into_iter().flat_map(|transport| [(transport, true), (transport, false)]) {
        let (own, known) = (key(), key());
        let mut node = Node::start(&own, vec![awaits(&known)]);
        let (mut client, _) = tls::client(&known, vec![own.fingerprint()]);
        client.client_auth_cert_resolver = Arc::new(NoKey { raw });
        let why = end_of(client, node.address(transport), transport).await;
        assert!(!why.is_empty());
        assert_eq!(refused(&mut node).await.1, Refusal::NoKey, "{transport}, raw: {raw}");
    }
}

#[tokio::test]
async fn who_speaks_another_version_is_told_so() {
    for transport in BOTH {
        let (own, known) = (key(), key());
        let mut node = Node::start(&own, vec![awaits(&known)]);
        let (mut client, _) = tls::client(&known, vec![own.fingerprint()]);
        client.alpn_protocols = vec![b"asterism/0".to_vec()];
        assert_eq!(end_of(client, node.address(transport), transport).await, tls::NO_VERSION);
        assert_eq!(refused(&mut node).await.1, Refusal::Protocol);
    }
}

#[tokio::test]
async fn a_peer_that_is_let_in_and_says_nothing_is_not_waited_for() {
    let (own, known) = (key(), key());
    let mut node = Node::start(&own, vec![awaits(&known)]);
    for transport in BOTH {
        let (client, _) = tls::client(&known, vec![own.fingerprint()]);
        let silent = connect(client, node.address(transport), transport).await.unwrap();
        let why = refused(&mut node).await.1;
        assert_eq!(why, Refusal::Timeout);
        drop(silent);
    }
}

#[tokio::test]
async fn who_leaves_by_himself_is_counted_and_not_told() {
    let (own, known) = (key(), key());
    let mut node = Node::start(&own, vec![awaits(&known)]);
    for transport in BOTH {
        let (client, _) = tls::client(&known, vec![own.fingerprint()]);
        drop(connect(client, node.address(transport), transport).await.unwrap());
    }
    drop(TcpStream::connect(node.address(Transport::Tcp)).await.unwrap());
    give_up_early(&known, &own, node.address(Transport::Udp)).await;
    eventually(|| node.session.totals().refused(Refusal::Left) == 4).await;
    // Whoever is told of next is the first.
    TcpStream::connect(node.address(Transport::Tcp)).await.unwrap().write_all(b"GET /").await.unwrap();
    assert_eq!(refused(&mut node).await.1, Refusal::Protocol);
}

#[tokio::test]
async fn only_who_ends_the_connection_has_left() {
    let refusal = async |error: Option<io::Error>| {
        let carrier = Carrier::Tcp("192.0.2.1:4521".parse().unwrap());
        let mut pipe = Pipe::new(Ends(error), tokio::io::sink(), carrier, key().fingerprint());
        pipe.first_frame().await.unwrap_err().refusal
    };
    assert_eq!(refusal(None).await, Refusal::Left);
    assert_eq!(refusal(Some(io::ErrorKind::ConnectionReset.into())).await, Refusal::Left);
    assert_eq!(refusal(Some(io::Error::other(rustls::Error::DecryptError))).await, Refusal::Protocol);
}

/// Ends at once, in this way.
struct Ends(Option<io::Error>);

impl AsyncRead for Ends {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.take().map_or(Ok(()), Err))
    }
}

/// Dials by QUIC over a way on which no answer comes, and stops waiting once the other end has heard of it.
async fn give_up_early(own: &PrivateKey, other: &PrivateKey, address: SocketAddr) {
    let way = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let entrance = way.local_addr().unwrap();
    let (passed, mut first) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut datagram = vec![0; 2_048];
        while let Ok((bytes, from)) = way.recv_from(&mut datagram).await {
            if from != address {
                way.send_to(&datagram[..bytes], address).await.unwrap();
                let _ = passed.send(());
            }
        }
    });
    let (client, _) = tls::client(own, vec![other.fingerprint()]);
    let client = quic::client(client, HOLD);
    tokio::select! {
        _ = first.recv() => {}
        dialled = quic::dial(&client, None, entrance) => panic!("nobody answers: {dialled:?}"),
    }
}

#[tokio::test]
async fn junk_costs_nothing() {
    let (mut a, mut b) = linked(Transport::Udp).await;
    let address = b.address(Transport::Udp);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for round in 0..200_usize {
        let junk: Vec<u8> = (0..round * 7).map(|_| fastrand::u8(..)).collect();
        socket.send_to(&junk, address).await.unwrap();
        // As if it were for a connection, and as if it were the first datagram of one.
        for first in [0x40, 0xc0] {
            let mut header = vec![first, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8];
            header.resize(1_200, 0);
            socket.send_to(&header, address).await.unwrap();
        }
    }
    let mut stream = TcpStream::connect(b.address(Transport::Tcp)).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    // An alert, and the end.
    let _ = within(stream.read_to_end(&mut Vec::new())).await;
    assert_eq!(refused(&mut b).await.1, Refusal::Protocol);
    a.send(1).unwrap();
    assert_eq!(b.until_frame().await, 1);
    b.send(2).unwrap();
    assert_eq!(a.until_frame().await, 2);
    assert_eq!(b.status().connects_total, 1);
}

#[tokio::test]
async fn hundreds_of_half_open_connections_disturb_nobody_who_is_linked_and_go_away() {
    let (own, linked, late) = (key(), key(), key());
    let mut node = Node::start(&own, vec![awaits(&linked), awaits(&late)]);
    let (udp, tcp) = (node.address(Transport::Udp), node.address(Transport::Tcp));
    let mut peer = Node::start(&linked, vec![dials(&own, udp, Transport::Udp)]);
    peer.until_up(PEER).await;
    node.until_up(PEER).await;
    let first_datagrams = first_datagrams(100).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for datagram in first_datagrams.iter().chain(&first_datagrams) {
        socket.send_to(datagram, udp).await.unwrap();
    }
    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(TcpStream::connect(tcp).await.unwrap());
    }
    // Who is linked does not notice.
    peer.send(1).unwrap();
    assert_eq!(node.until_frame().await, 1);
    // Who comes later is let in once those are given up.
    let mut late = Node::start(&late, vec![dials(&own, udp, Transport::Udp)]);
    late.until_up(PEER).await;
    node.until_up(crate::LinkId(1)).await;
    let refused = |why| node.session.totals().refused(why);
    eventually(|| refused(Refusal::TooMany) + refused(Refusal::Timeout) >= 300).await;
    assert!(refused(Refusal::TooMany) > 0 && refused(Refusal::Timeout) > 0);
    assert_eq!(node.status().connects_total, 1);
}

/// What nodes send first to a peer that does not answer.
async fn first_datagrams(count: usize) -> Vec<Vec<u8>> {
    let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap();
    let (client, _) = tls::client(&key(), vec![]);
    let client = quic::client(client, HOLD);
    let mut datagrams = Vec::new();
    for _ in 0..count {
        let mut datagram = vec![0; 2_048];
        let bytes = tokio::select! {
            received = nobody.recv(&mut datagram) => received.unwrap(),
            dialled = quic::dial(&client, None, address) => panic!("nobody answers: {dialled:?}"),
        };
        datagram.truncate(bytes);
        datagrams.push(datagram);
    }
    datagrams
}

/// Has no key, and says or does not say that it could be a raw one.
#[derive(Debug)]
struct NoKey {
    raw: bool,
}

impl ResolvesClientCert for NoKey {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }

    fn only_raw_public_keys(&self) -> bool {
        self.raw
    }
}

async fn connect(
    client: rustls::ClientConfig,
    address: SocketAddr,
    transport: Transport,
) -> Result<Pipe, String> {
    match transport {
        Transport::Udp => quic::dial(&quic::client(client, HOLD), None, address).await,
        Transport::Tcp => tcp::dial(&Arc::new(client), None, address).await,
    }
}

/// Why somebody who dials like that is not let in.
async fn end_of(client: rustls::ClientConfig, address: SocketAddr, transport: Transport) -> String {
    let opening = async {
        let mut pipe = connect(client, address, transport).await?;
        pipe.outgoing.put(&Frame::Ping(Ping { number: 0, sent_us: 0 }));
        pipe.outgoing.flush().await.map_err(|error| pipe.carrier.explain(&error))?;
        pipe.first_frame().await.map_err(|why| why.to_string())
    };
    within(opening).await.expect_err("nobody is let in")
}

async fn refused(node: &mut Node) -> (SocketAddr, Refusal) {
    node.until(|event| if let Event::Refused { from, why } = event { Some((*from, *why)) } else { None })
        .await
}

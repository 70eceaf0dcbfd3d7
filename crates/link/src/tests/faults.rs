//! Links that break, and peers that do not speak as nodes do.

use super::relay::Relay;
use super::world::*;
use crate::dial::Dialler;
use crate::pipe::Pipe;
use crate::{Config, Event, PrivateKey, Refusal, Transport, Unsent};
use std::net::SocketAddr;
use std::time::Duration;
use wire::link::{Frame, Ping};

const SHORT_HOLD: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_link_on_which_nothing_is_heard_is_down_at_both_ends_and_comes_back() {
    for transport in BOTH {
        let (key_a, key_b) = (key(), key());
        let start = |config| Node::start_with(Config { hold: SHORT_HOLD, ..config });
        let mut b = start(config(&key_b, vec![awaits(&key_a)]));
        let way = Relay::to(transport, b.address(transport)).await;
        let mut a = start(config(&key_a, vec![dials(&key_b, way.address, transport)]));
        a.until_up(PEER).await;
        b.until_up(PEER).await;
        way.cut(true);
        for node in [&mut a, &mut b] {
            let down = node.until_down(PEER).await;
            assert_eq!(down.why, "nothing heard for 2 s");
            assert!(down.silent >= SHORT_HOLD, "{down:?}");
        }
        way.cut(false);
        a.until_up(PEER).await;
        b.until_up(PEER).await;
    }
}

#[tokio::test]
async fn a_peer_that_was_killed_and_started_again_is_noticed_before_the_hold_time() {
    let (key_a, key_b) = (key(), key());
    let mut killed = Node::start(&key_b, vec![awaits(&key_a)]);
    let way = Relay::to(Transport::Udp, killed.address(Transport::Udp)).await;
    let mut patient = config(&key_a, vec![dials(&key_b, way.address, Transport::Udp)]);
    patient.hold = Duration::from_secs(60);
    let mut a = Node::start_with(patient);
    a.until_up(PEER).await;
    killed.until_up(PEER).await;
    let mut started = Node::start(&key_b, vec![awaits(&key_a)]);
    way.lead_to(started.address(Transport::Udp));
    assert_eq!(a.until_down(PEER).await.why, "the peer was started anew");
    a.until_up(PEER).await;
    started.until_up(PEER).await;
}

#[tokio::test]
async fn a_peer_that_comes_from_elsewhere_takes_the_place_of_its_old_connection() {
    for transport in BOTH {
        let (key_a, key_b) = (key(), key());
        let mut a = Node::start(&key_a, vec![awaits(&key_b)]);
        let way = Relay::to(transport, a.address(transport)).await;
        let mut gone = Node::start(&key_b, vec![dials(&key_a, way.address, transport)]);
        gone.until_up(PEER).await;
        a.until_up(PEER).await;
        way.cut(true);
        let mut b = Node::start(&key_b, vec![dials(&key_a, a.address(transport), transport)]);
        // It is up at the peer, but we do not know yet: what we say is for the old connection.
        eventually(|| a.status().connects_total == 2).await;
        assert_eq!(a.send(1), Err(Unsent::Gone));
        let down = a.until_down(PEER).await;
        assert_eq!(down.why, "there is a newer connection with the peer");
        assert_eq!(down.retry, None);
        assert_eq!(a.send(2), Err(Unsent::Gone));
        a.until_up(PEER).await;
        b.until_up(PEER).await;
        a.send(3).unwrap();
        assert_eq!(b.until_frame().await, 3);
        drop(gone);
    }
}

#[tokio::test]
async fn a_peer_whose_address_changes_stays_linked() {
    let (key_a, key_b) = (key(), key());
    let mut b = Node::start(&key_b, vec![awaits(&key_a)]);
    let way = Relay::to(Transport::Udp, b.address(Transport::Udp)).await;
    let mut a = Node::start(&key_a, vec![dials(&key_b, way.address, Transport::Udp)]);
    a.until_up(PEER).await;
    let (before, _) = b.until_up(PEER).await;
    way.move_client();
    eventually(|| b.status().remote.is_some_and(|remote| remote != before)).await;
    a.send(1).unwrap();
    assert_eq!(b.until_frame().await, 1);
    b.send(2).unwrap();
    assert_eq!(a.until_frame().await, 2);
    assert_eq!((a.status().connects_total, b.status().connects_total), (1, 1));
}

#[tokio::test]
async fn what_cannot_be_decoded_ends_the_link_with_a_reason_at_both_ends() {
    // An unknown field value, and a frame that claims to be too long.
    let junk: [(&[u8], &str); 2] = [
        (&[0x12, 0, 0, 0, 2, 1, 1], "a frame of type 0x12 is cut off"),
        (&[0x14, 0, 1, 0, 1], "a frame of 65537 bytes; at most 65536 are allowed"),
    ];
    for (transport, (bytes, why)) in BOTH.into_iter().flat_map(|transport| junk.map(|junk| (transport, junk)))
    {
        let (key_a, key_b) = (key(), key());
        let mut node = Node::start(&key_a, vec![awaits(&key_b)]);
        let mut peer = dial(&key_b, &key_a, node.address(transport), transport).await;
        say(&mut peer, &[]).await;
        node.until_up(PEER).await;
        say(&mut peer, bytes).await;
        assert_eq!(node.until_down(PEER).await.why, why);
        assert_eq!(last_word(&mut peer).await, format!("the peer ended the link: {why}"));
        // Others may come, the same one too.
        let mut again = dial(&key_b, &key_a, node.address(transport), transport).await;
        say(&mut again, &[]).await;
        node.until_up(PEER).await;
    }
}

#[tokio::test]
async fn a_peer_whose_first_word_cannot_be_decoded_is_not_let_in_and_told_why() {
    for transport in BOTH {
        let (key_a, key_b) = (key(), key());
        let mut node = Node::start(&key_a, vec![awaits(&key_b)]);
        let mut peer = dial(&key_b, &key_a, node.address(transport), transport).await;
        peer.outgoing.put_bytes(b"GET / HTTP/1.1\r\n\r\n");
        peer.outgoing.flush().await.unwrap();
        assert!(
            last_word(&mut peer).await.starts_with("the peer ended the link: a frame of 1163141167 bytes")
        );
        let why =
            node.until(|event| if let Event::Refused { why, .. } = event { Some(*why) } else { None }).await;
        assert_eq!(why, Refusal::Protocol);
        assert_eq!(node.status().connects_total, 0);
    }
}

/// A peer that has passed the handshake and says what we want.
async fn dial(own: &PrivateKey, other: &PrivateKey, address: SocketAddr, transport: Transport) -> Pipe {
    let peer = dials(other, address, transport);
    Dialler::new(&config(own, vec![]), &peer).unwrap().connect(address).await.unwrap()
}

/// Says a ping, and then these bytes.
async fn say(peer: &mut Pipe, bytes: &[u8]) {
    peer.outgoing.put(&Frame::Ping(Ping { number: 0, sent_us: 0 }));
    peer.outgoing.put_bytes(bytes);
    peer.outgoing.flush().await.unwrap();
}

/// Why the other end hangs up.
async fn last_word(peer: &mut Pipe) -> String {
    within(async {
        loop {
            if let Err(why) = peer.first_frame().await {
                return why.to_string();
            }
        }
    })
    .await
}

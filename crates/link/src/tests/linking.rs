//! Links that come up, carry frames, and end in order.

use super::relay::Relay;
use super::world::*;
use crate::{Event, PrivateKey, StartError, Transport, Unsent};
use std::time::Duration;

#[tokio::test]
async fn frames_go_both_ways_in_order() {
    for transport in BOTH {
        let (mut a, mut b) = linked(transport).await;
        for number in 0..10 {
            a.send(number).unwrap();
            b.send(100 + number).unwrap();
        }
        for number in 0..10 {
            assert_eq!(b.until_frame().await, number);
            assert_eq!(a.until_frame().await, 100 + number);
        }
        eventually(|| a.status().rtt.is_some() && b.status().clock_offset_us.is_some()).await;
        let status = a.status();
        assert!(status.up && status.transport == transport && status.connects_total == 1);
        assert_eq!(status.remote, Some(b.address(transport)));
        assert_eq!((status.sent_frames, status.received_frames, status.queued_frames), (10, 10, 0));
        assert!(status.sent_bytes > 200 && status.received_bytes > 200, "{status:?}");
        let offset = b.status().clock_offset_us.unwrap();
        assert!(offset.abs() < 1_000_000, "one clock, {offset} us apart");
    }
}

#[tokio::test]
async fn nothing_is_sent_on_a_link_that_is_not_up() {
    let (key_a, key_b) = (key(), key());
    let node = Node::start(&key_a, vec![awaits(&key_b)]);
    assert_eq!(node.send(1), Err(Unsent::Gone));
    let status = node.status();
    assert!(!status.up && status.remote.is_none() && status.rtt.is_none());
}

#[tokio::test]
async fn a_peer_may_have_either_of_two_keys() {
    for transport in BOTH {
        let (key_a, old, new) = (key(), key(), key());
        let mut both = awaits(&old);
        both.keys.push(new.fingerprint());
        let mut a = Node::start(&key_a, vec![both]);
        for key_b in [&old, &new] {
            let mut b = Node::start(key_b, vec![dials(&key_a, a.address(transport), transport)]);
            b.until_up(PEER).await;
            a.until_up(PEER).await;
            b.session.stop(HOLD).await;
            a.until_down(PEER).await;
        }
        let mut b = Node::start(&new, vec![awaits(&key_a)]);
        let mut both = dials(&old, b.address(transport), transport);
        both.keys.push(new.fingerprint());
        let mut a = Node::start(&key_a, vec![both]);
        a.until_up(PEER).await;
        b.until_up(PEER).await;
    }
}

#[tokio::test]
async fn a_key_on_p_256_will_do() {
    let pem = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOVuJ6GKtnQUECPks
r1P0VIuMMKeDh9fbEQPW6b/XuKehRANCAASQmG0Dnq1j9BIaXRyVYQqikj5x7vyV
lUNnK/CzZW7I0IFPye357NclEy6kZUmAr3N2Kt2C09CWftSyajzEszWI
-----END PRIVATE KEY-----
";
    let (key_a, key_b) = (PrivateKey::parse(pem.as_bytes()).unwrap(), key());
    for transport in BOTH {
        let mut b = Node::start(&key_b, vec![awaits(&key_a)]);
        let mut a = Node::start(&key_a, vec![dials(&key_b, b.address(transport), transport)]);
        a.until_up(PEER).await;
        b.until_up(PEER).await;
    }
}

#[tokio::test]
async fn a_node_that_stops_says_so() {
    for transport in BOTH {
        let (mut a, mut b) = linked(transport).await;
        a.session.stop(HOLD).await;
        let down = b.until_down(PEER).await;
        assert_eq!((down.why.as_str(), down.retry), ("the peer ended the link: the node stops", None));
        assert!(!b.status().up);
        assert_eq!(b.send(1), Err(Unsent::Gone));
        while let Some(event) = within(a.events.recv()).await {
            assert!(!matches!(event, Event::Up { .. }));
        }
    }
}

#[tokio::test]
async fn a_session_that_is_forgotten_is_noticed_at_once() {
    for transport in BOTH {
        let (a, mut b) = linked(transport).await;
        drop(a);
        let down = b.until_down(PEER).await;
        assert!(down.silent < HOLD / 2, "{down:?}");
    }
}

#[tokio::test]
async fn a_link_that_is_ended_says_why_on_both_sides_and_comes_back() {
    for transport in BOTH {
        let (mut a, mut b) = linked(transport).await;
        b.session.end(PEER, "two nodes of one name");
        assert_eq!(b.until_down(PEER).await.why, "two nodes of one name");
        let down = a.until_down(PEER).await;
        assert_eq!(down.why, "the peer ended the link: two nodes of one name");
        assert!(down.retry.is_some_and(|retry| retry < Duration::from_millis(300)), "{down:?}");
        a.until_up(PEER).await;
        b.until_up(PEER).await;
        assert_eq!(b.status().connects_total, 2);
    }
}

#[tokio::test]
async fn a_peer_that_was_stopped_and_started_is_dialled_again() {
    for transport in BOTH {
        let (key_a, key_b) = (key(), key());
        let way = Relay::start(transport).await;
        let mut a = Node::start(&key_a, vec![dials(&key_b, way.address, transport)]);
        for number in 0..2 {
            let mut b = Node::start(&key_b, vec![awaits(&key_a)]);
            way.lead_to(b.address(transport));
            a.until_up(PEER).await;
            b.until_up(PEER).await;
            a.send(number).unwrap();
            assert_eq!(b.until_frame().await, number);
            b.session.stop(HOLD).await;
            assert!(a.until_down(PEER).await.retry.is_some());
        }
    }
}

#[tokio::test]
async fn attempts_that_fail_are_told_and_come_less_often() {
    // Bound and not listening: whoever dials is refused.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = nobody.local_addr().unwrap();
    let (key_a, key_b) = (key(), key());
    let mut a = Node::start(&key_a, vec![dials(&key_b, address, Transport::Tcp)]);
    let mut retries = Vec::new();
    for _ in 0..3 {
        let down = a.until_down(PEER).await;
        assert!(down.why.starts_with(&format!("{address}: Connection refused")), "{down:?}");
        retries.push(down.retry.unwrap().as_millis());
    }
    assert!((150..=250).contains(&retries[0]) && (600..=1_000).contains(&retries[2]), "{retries:?}");
}

#[tokio::test]
async fn where_both_dial_one_connection_is_left() {
    for transport in BOTH {
        let (key_a, key_b) = (key(), key());
        let (to_a, to_b) = (Relay::start(transport).await, Relay::start(transport).await);
        let mut a = Node::start(&key_a, vec![dials(&key_b, to_b.address, transport)]);
        let mut b = Node::start(&key_b, vec![dials(&key_a, to_a.address, transport)]);
        to_a.lead_to(a.address(transport));
        to_b.lead_to(b.address(transport));
        for number in 0..30 {
            settled(&mut a, &mut b, number).await;
        }
        for node in [&a, &b] {
            assert!(node.status().connects_total <= 4, "{:?}", node.status());
        }
    }
}

/// Waits until each end gets what the other says, whatever comes up or goes down meanwhile.
async fn settled(a: &mut Node, b: &mut Node, number: u32) {
    let (mut heard_a, mut heard_b) = (false, false);
    within(async {
        while !(heard_a && heard_b) {
            // What is not sent now is sent with the next round.
            let _ = (a.send(number), b.send(number));
            tokio::time::sleep(Duration::from_millis(5)).await;
            for (node, heard) in [(&mut *a, &mut heard_a), (&mut *b, &mut heard_b)] {
                while let Some(event) = node.events.try_recv() {
                    *heard |=
                        matches!(&event, Event::Frame { frame, .. } if super::world::number(frame) == number);
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_configuration_that_contradicts_itself_is_refused() {
    let (own, other) = (key(), key());
    let refuse = |config| match crate::Session::start(config) {
        Ok(_) => panic!("it starts"),
        Err(error) => error,
    };
    let mut fast = config(&own, vec![]);
    fast.hold = KEEPALIVE;
    assert!(matches!(refuse(fast), StartError::Times { .. }));
    assert!(matches!(refuse(config(&own, vec![awaits(&own)])), StartError::SharedKey { .. }));
    let told = refuse(config(&own, vec![awaits(&other), awaits(&other)])).to_string();
    assert!(told.contains(&other.fingerprint().to_string()), "{told}");
    let mut none = awaits(&other);
    none.keys.clear();
    assert!(matches!(refuse(config(&own, vec![none])), StartError::Keys { count: 0, .. }));
    let taken = Node::start(&own, vec![]);
    for transport in BOTH {
        let mut same = config(&other, vec![]);
        match transport {
            Transport::Udp => same.listen_udp = Some(taken.address(transport)),
            Transport::Tcp => same.listen_tcp = Some(taken.address(transport)),
        }
        let told = refuse(same).to_string();
        assert!(told.contains(&taken.address(transport).to_string()) && told.contains("in use"), "{told}");
    }
}

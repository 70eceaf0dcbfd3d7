//! A peer that takes nothing.

use super::world::*;
use crate::{Event, Unsent};
use std::time::Duration;

const FRAMES: u32 = 100;
/// The test waits for longer than this.
const SHORT_HOLD: Duration = Duration::from_secs(4);
/// With those, 50 kB each.
const STANDINGS: usize = 2_800;

#[tokio::test]
async fn who_takes_nothing_slows_the_sender_down_and_nothing_is_lost() {
    for transport in BOTH {
        let (mut a, mut b) = linked_with(transport, SHORT_HOLD).await;
        let mut sent = 0;
        // Ends when the peer's end is full. If that is only slow, it ends too early, and all the same holds.
        while tokio::time::timeout(Duration::from_millis(500), fill(&mut a, &mut sent)).await.is_ok() {
            assert!(sent < FRAMES, "{sent} frames went to who takes none");
        }
        while a.session.send(PEER, &frame(sent, STANDINGS)) == Ok(()) {
            sent += 1;
        }
        assert!(a.status().queued_frames > 0);
        // Longer than the hold time: silence of a peer is not heard where nobody reads.
        tokio::time::sleep(SHORT_HOLD + KEEPALIVE).await;
        assert!(a.status().up && b.status().up);
        let taken = async {
            for number in 0..FRAMES {
                assert_eq!(b.until_frame().await, number);
            }
        };
        let rest = async {
            while sent < FRAMES {
                fill(&mut a, &mut sent).await;
            }
        };
        within(async { tokio::join!(taken, rest) }).await;
        assert_eq!((a.status().connects_total, b.status().received_frames), (1, u64::from(FRAMES)));
    }
}

/// Sends until there is no room, and waits until there is.
async fn fill(a: &mut Node, sent: &mut u32) {
    while *sent < FRAMES {
        match a.session.send(PEER, &frame(*sent, STANDINGS)) {
            Ok(()) => *sent += 1,
            Err(Unsent::Full) => break,
            Err(Unsent::Gone) => panic!("the link is up"),
        }
    }
    if *sent < FRAMES {
        let room = Event::Room { link: PEER };
        while a.events.recv().await.expect("the session runs") != room {}
    }
}

//! The bytes of one link between sites, in one piece and in many.
//!
//! The first byte of an input says how long the pieces are.

use presence::link::Frame as Said;
use wire::link::{BODY_BYTES_MAX, Decoder, Frame, Malformed, REASON_BYTES_MAX, encode};

/// Type and length.
const HEADER: usize = 5;
/// The bytes of the smallest statement: flags, clock, the length of its name, the name and the state.
const STATEMENT: usize = 5;
/// The bytes of the standing of a server.
const STANDING: usize = 18;

/// However bytes are cut, they read the same; what is read can be said again; nothing means more than its bytes pay for; and
/// what is broken stays broken and keeps nothing.
///
/// # Panics
/// When that does not hold.
pub fn run(data: &[u8]) {
    let Some((length, bytes)) = data.split_first() else { return };
    let whole = read(bytes, usize::MAX);
    assert_eq!(whole, read(bytes, 1 + usize::from(*length)), "where the bytes are cut changes nothing");
    let mut again = Vec::new();
    for frame in &whole.frames {
        is_paid_for(frame, bytes.len());
        encode(frame, &mut again);
    }
    let again = read(&again, usize::MAX);
    assert_eq!(
        again,
        Link { frames: whole.frames, skipped: 0, end: Ok(0) },
        "what is said again means the same"
    );
}

/// What came over a link.
#[derive(PartialEq, Eq, Debug)]
struct Link {
    frames: Vec<Frame>,
    skipped: u64,
    /// How many bytes wait for others, or why it broke.
    end: Result<usize, Malformed>,
}

/// What comes of bytes that come so many at once.
fn read(bytes: &[u8], at_once: usize) -> Link {
    let (mut decoder, mut frames) = (Decoder::new(), Vec::new());
    for chunk in bytes.chunks(at_once) {
        decoder.push(chunk);
        loop {
            match decoder.next() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(malformed) => {
                    is_broken(&mut decoder, malformed);
                    return Link { frames, skipped: decoder.skipped(), end: Err(malformed) };
                }
            }
        }
        assert!(decoder.waiting_bytes() < HEADER + BODY_BYTES_MAX, "more waits than a frame can need");
    }
    Link { frames, skipped: decoder.skipped(), end: Ok(decoder.waiting_bytes()) }
}

fn is_broken(decoder: &mut Decoder, malformed: Malformed) {
    decoder.push(&[0; 64]);
    assert_eq!(decoder.next(), Err(malformed), "broken is broken");
    assert_eq!(decoder.waiting_bytes(), 0, "nothing is kept that nobody can read");
    let said = malformed.to_string();
    assert!(
        said.len() <= REASON_BYTES_MAX && !said.chars().any(char::is_control),
        "{said:?} goes into a BYE"
    );
}

fn is_paid_for(frame: &Frame, bytes: usize) {
    let least = match frame {
        Frame::Said(Said::States(statements)) => statements.len() * STATEMENT,
        Frame::Said(Said::Digest(standings)) => standings.len() * STANDING,
        Frame::Said(Said::Adjacency(adjacency)) => (adjacency.neighbours.len() + adjacency.servers.len()) * 6,
        Frame::Said(Said::Hello(hello)) => hello.site.len(),
        Frame::Bye(reason) => reason.len(),
        Frame::Ping(_) | Frame::Pong(_) | Frame::Said(Said::Buckets { .. }) => 0,
    };
    assert!(least <= bytes, "{least} bytes of meaning in {bytes}");
}

//! The life of one connection that counts: from its first frame until somebody ends it.

use crate::config::LinkId;
use crate::event::{Event, Told};
use crate::gate::Permit;
use crate::nudge::Nudge;
use crate::outbox::{self, Queue};
use crate::pipe::{CLOSED, Carrier, Incoming, Outgoing, Pipe, peer_ended};
use crate::shared::Shared;
use crate::slot::{Dialled, End, Entry, Slot, lock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use wire::link::{Frame, Ping, Pong};

/// Frames are put together to so many bytes before they are written.
const WRITE_BYTES: usize = 16_384;
/// How many pings may wait for their answers; a peer that asks more often is answered less.
const ANSWERS_MAX: usize = 4;
const REASON_CHARACTERS_MAX: usize = 256;

/// Why a connection is over.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Over {
    /// For our own log.
    why: String,
    /// What the peer is told, if that is not known to it.
    bye: Option<String>,
    replaced: bool,
}

impl Over {
    /// Both sides are told the same.
    fn said(why: String) -> Self {
        Self { bye: Some(why.clone()), why, replaced: false }
    }

    /// The peer knows.
    fn heard(why: String) -> Self {
        Self { why, bye: None, replaced: false }
    }
}

/// Makes a connection the one that counts, if it may be, and carries frames until it is over. A handshake's permit ends when
/// the peer is linked.
pub(crate) async fn carry(
    shared: &Shared,
    slot: &Slot,
    pipe: Pipe,
    first: Frame,
    dialled: Dialled,
    permit: Option<Permit>,
) {
    let Some(mut entry) = slot.enter(dialled, shared.own_key > pipe.key) else {
        pipe.bid_farewell("there is another connection, dialled at the same moment").await;
        return;
    };
    let turn = tokio::select! {
        biased;
        end = &mut entry.end => Err(end),
        () = shared.stopped() => Err(Ok(End::Asked(STOPS.to_owned()))),
        turn = slot.turn.lock() => Ok(turn),
    };
    match turn {
        Ok(turn) => {
            drop(permit);
            let (pipe, over) = live(shared, slot, pipe, first, &mut entry).await;
            slot.leave(&entry);
            drop(turn);
            match over.bye {
                Some(bye) => pipe.bid_farewell(&bye).await,
                None => pipe.close(&over.why),
            }
        }
        Err(_) => {
            slot.leave(&entry);
            pipe.close("there is a newer connection");
        }
    }
}

/// What a node says when it stops.
const STOPS: &str = "the node stops";

/// From up to down, both told.
async fn live(shared: &Shared, slot: &Slot, mut pipe: Pipe, first: Frame, entry: &mut Entry) -> (Pipe, Over) {
    let (outbox, queue) = outbox::channel();
    let path = pipe.carrier.path();
    let up = Event::Up { link: slot.link, remote: path.remote, transport: path.transport };
    let began = Instant::now();
    slot.rise(path);
    shared.tell(Told { event: up, outbox: Some(outbox) }).await;
    let (pings, answers) = mpsc::channel(ANSWERS_MAX);
    let Pipe { incoming, outgoing, carrier, .. } = &mut pipe;
    let reading = Reading { shared, slot, pings };
    let over = tokio::select! {
        biased;
        end = &mut entry.end => ended(end.unwrap_or(End::Replaced)),
        () = shared.stopped() => Over::said(STOPS.to_owned()),
        over = reading.run(incoming, first, |error| carrier.explain(error)) => over,
        over = write(shared, slot, outgoing, carrier, queue, answers) => {
            over.unwrap_or_else(|error| Over::heard(carrier.explain(&error)))
        }
    };
    slot.counters.skipped_frames.add(pipe.incoming.decoder.skipped());
    let (silent, retry) = slot.fall(began.elapsed(), over.replaced);
    let down = Event::Down { link: slot.link, silent, why: over.why.clone(), retry };
    shared.tell(Told { event: down, outbox: None }).await;
    (pipe, over)
}

fn ended(end: End) -> Over {
    match end {
        End::Replaced => {
            let why = "there is a newer connection with the peer".to_owned();
            Over { why, bye: None, replaced: true }
        }
        End::Asked(why) => Over::said(why),
    }
}

/// Whatever comes.
struct Reading<'a> {
    shared: &'a Shared,
    slot: &'a Slot,
    pings: mpsc::Sender<Ping>,
}

impl Reading<'_> {
    async fn run(
        &self,
        incoming: &mut Incoming,
        first: Frame,
        explain: impl Fn(&std::io::Error) -> String,
    ) -> Over {
        let mut next = Some(first);
        loop {
            if let Some(frame) = next {
                if let Some(over) = self.take(frame).await {
                    return over;
                }
            } else {
                // While our own user does not take frames nothing is read, and silence says nothing of the peer.
                match tokio::time::timeout(self.shared.hold, incoming.read()).await {
                    Ok(Ok(0)) => return Over::heard(CLOSED.to_owned()),
                    Ok(Ok(bytes)) => {
                        self.slot.heard();
                        self.slot.counters.received_bytes.add(bytes as u64);
                    }
                    Ok(Err(error)) => return Over::heard(explain(&error)),
                    Err(_) => return Over::said(format!("nothing heard for {}", text(self.shared.hold))),
                }
            }
            next = match incoming.decoder.next() {
                Ok(next) => next,
                Err(malformed) => return Over::said(malformed.to_string()),
            };
        }
    }

    /// Returns something if it was the last one.
    async fn take(&self, frame: Frame) -> Option<Over> {
        match frame {
            // More than can be answered need no answer.
            Frame::Ping(ping) => drop(self.pings.try_send(ping)),
            Frame::Pong(pong) => lock(&self.slot.measure).pong(Instant::now(), pong),
            Frame::Bye(reason) => return Some(Over::heard(peer_ended(&reason))),
            Frame::Said(frame) => {
                self.slot.counters.received_frames.add(1);
                let event = Event::Frame { link: self.slot.link, frame };
                self.shared.tell(Told { event, outbox: None }).await;
            }
        }
        None
    }
}

/// Whatever goes: signs of life first, and then what waits.
async fn write(
    shared: &Shared,
    slot: &Slot,
    outgoing: &mut Outgoing,
    carrier: &Carrier,
    mut queue: Queue,
    mut answers: mpsc::Receiver<Ping>,
) -> std::io::Result<Over> {
    let mut keepalive = tokio::time::interval(shared.keepalive);
    keepalive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut open, mut nudge) = (true, Nudge::default());
    loop {
        tokio::select! {
            biased;
            Some(Ping { number, sent_us }) = answers.recv() => {
                outgoing.put(&Frame::Pong(Pong { number, sent_us, answered_us: now_us() }));
            }
            _ = keepalive.tick() => {
                let ping = lock(&slot.measure).ping(Instant::now(), now_us());
                outgoing.put(&Frame::Ping(ping));
            }
            frame = queue.take(), if open => match frame {
                Some(frame) => {
                    put_all(slot, outgoing, frame, &mut queue);
                    nudge.sent(tokio::time::Instant::now(), carrier.path().lost_packets());
                }
                // Our user has forgotten the session.
                None => open = false,
            },
            () = nudge.due() => outgoing.put(&unmeasured_ping()),
        }
        slot.counters.sent_bytes.add(outgoing.waiting() as u64);
        outgoing.flush().await?;
        if queue.take_room() {
            room(shared, slot.link).await;
        }
    }
}

fn put_all(slot: &Slot, outgoing: &mut Outgoing, frame: Vec<u8>, queue: &mut Queue) {
    let mut next = Some(frame);
    while let Some(frame) = next {
        outgoing.put_bytes(&frame);
        slot.counters.sent_frames.add(1);
        next = if outgoing.waiting() < WRITE_BYTES { queue.try_take() } else { None };
    }
}

async fn room(shared: &Shared, link: LinkId) {
    shared.tell(Told { event: Event::Room { link }, outbox: None }).await;
}

/// A ping whose answer tells nothing.
pub(crate) fn unmeasured_ping() -> Frame {
    Frame::Ping(Ping { number: 0, sent_us: now_us() })
}

/// Microseconds since 1970.
pub(crate) fn now_us() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
}

/// A time as people say it.
pub(crate) fn text(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}

/// What a peer wrote, fit for a line of a log.
pub(crate) fn line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|character| !character.is_control()).take(REASON_CHARACTERS_MAX).collect()
}

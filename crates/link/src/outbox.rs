//! What waits to be sent on one connection: little, because whoever sends has newer words for old ones until they are
//! taken from him.

use crate::event::Unsent;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::mpsc;

const FRAMES_MAX: usize = 16;
/// When so many bytes wait there is no room for a further frame, however few frames they are.
const BYTES_MAX: usize = 32_768;

/// Where frames are put.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    frames: mpsc::Sender<Vec<u8>>,
    load: Arc<Load>,
}

/// Where they are taken.
#[derive(Debug)]
pub(crate) struct Queue {
    frames: mpsc::Receiver<Vec<u8>>,
    load: Arc<Load>,
}

#[derive(Default, Debug)]
struct Load {
    bytes: AtomicUsize,
    /// Somebody was told that there is no room.
    refused: AtomicBool,
}

pub(crate) fn channel() -> (Outbox, Queue) {
    let (sender, receiver) = mpsc::channel(FRAMES_MAX);
    let load = Arc::new(Load::default());
    (Outbox { frames: sender, load: Arc::clone(&load) }, Queue { frames: receiver, load })
}

impl Outbox {
    /// Puts the bytes of one frame. Whoever is told that there is no room hears when there is.
    pub(crate) fn put(&self, frame: Vec<u8>) -> Result<(), Unsent> {
        if self.is_full() {
            self.load.refused.store(true, Ordering::SeqCst);
            // If all that waited was taken just now, nobody would look at the mark any more.
            if self.is_full() {
                return Err(if self.frames.is_closed() { Unsent::Gone } else { Unsent::Full });
            }
            self.load.refused.store(false, Ordering::SeqCst);
        }
        let bytes = frame.len();
        self.load.bytes.fetch_add(bytes, Ordering::SeqCst);
        self.frames.try_send(frame).map_err(|error| {
            self.load.bytes.fetch_sub(bytes, Ordering::SeqCst);
            match error {
                mpsc::error::TrySendError::Full(_) => {
                    self.load.refused.store(true, Ordering::SeqCst);
                    Unsent::Full
                }
                mpsc::error::TrySendError::Closed(_) => Unsent::Gone,
            }
        })
    }

    /// How many frames wait.
    pub(crate) fn len(&self) -> usize {
        FRAMES_MAX - self.frames.capacity()
    }

    fn is_full(&self) -> bool {
        self.frames.capacity() == 0 || self.load.bytes.load(Ordering::SeqCst) >= BYTES_MAX
    }
}

impl Queue {
    /// The next frame; `None` when nobody can put any more.
    pub(crate) async fn take(&mut self) -> Option<Vec<u8>> {
        let frame = self.frames.recv().await?;
        self.taken(&frame);
        Some(frame)
    }

    /// A frame, if one waits.
    pub(crate) fn try_take(&mut self) -> Option<Vec<u8>> {
        let frame = self.frames.try_recv().ok()?;
        self.taken(&frame);
        Some(frame)
    }

    /// Whether there is room now for somebody who was told that there is none. Says so once.
    pub(crate) fn take_room(&self) -> bool {
        let half_empty =
            self.frames.len() <= FRAMES_MAX / 2 && self.load.bytes.load(Ordering::SeqCst) <= BYTES_MAX / 2;
        half_empty && self.load.refused.swap(false, Ordering::SeqCst)
    }

    fn taken(&self, frame: &[u8]) {
        self.load.bytes.fetch_sub(frame.len(), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_some_frames_or_some_bytes_and_it_is_said_when_half_of_it_is_back() {
        let (outbox, mut queue) = channel();
        for number in 0..16 {
            assert_eq!(outbox.put(vec![number]), Ok(()));
        }
        assert!(!queue.take_room(), "nobody was refused");
        assert_eq!((outbox.put(vec![16]), outbox.len()), (Err(Unsent::Full), 16));
        for number in 0..8 {
            assert!(!queue.take_room());
            assert_eq!(queue.try_take(), Some(vec![number]));
        }
        assert!(queue.take_room());
        assert!(!queue.take_room(), "once is enough");
        while queue.try_take().is_some() {}
        assert_eq!(outbox.put(vec![0; BYTES_MAX]), Ok(()), "a frame may be large");
        assert_eq!(outbox.put(vec![1]), Err(Unsent::Full), "but only one");
        assert!(!queue.take_room());
        assert!(queue.try_take().is_some() && queue.take_room());
        drop(queue);
        assert_eq!(outbox.put(vec![1]), Err(Unsent::Gone));
    }
}

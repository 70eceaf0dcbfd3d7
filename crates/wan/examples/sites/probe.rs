//! Bare datagrams by the same relay: what the way itself takes.

use crate::Failure;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Longer than anything is under way.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends datagrams at these times; tells how long each took that came out. Blocks until all have.
pub(crate) fn probe(
    to: SocketAddr,
    heard: &UdpSocket,
    times: impl Iterator<Item = Instant> + Send,
) -> Result<Vec<Duration>, Failure> {
    let begun = Instant::now();
    let sender = UdpSocket::bind((to.ip(), 0))?;
    heard.set_read_timeout(Some(PATIENCE))?;
    std::thread::scope(|scope| {
        let sending = scope.spawn(move || {
            times.into_iter().try_for_each(|time| {
                sleep_until(time);
                let stamp = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
                sender.send_to(&stamp.to_be_bytes(), to).map(drop)
            })
        });
        let (mut took, mut stamp) = (Vec::new(), [0; 8]);
        while heard.recv(&mut stamp).is_ok() {
            took.push(begun.elapsed().saturating_sub(Duration::from_nanos(u64::from_be_bytes(stamp))));
        }
        sending.join().map_err(|_| "the probe failed")??;
        Ok(took)
    })
}

/// More exact than the timers of the asynchronous runtime, which are rounded up to whole milliseconds.
pub(crate) fn sleep_until(time: Instant) {
    std::thread::sleep(time.saturating_duration_since(Instant::now()));
}

//! Wakes a task at a time. Timers of the asynchronous runtime are rounded up to whole milliseconds, which is as much as a
//! relay may add in all.

use rustix::fd::OwnedFd;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::io;
use std::time::Duration;
use tokio::io::unix::AsyncFd;

const NEVER: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// A timer of the kernel.
pub(crate) struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    #[expect(
        deprecated,
        reason = "what replaces it is unsafe, for types that may lose their descriptor; this one owns it"
    )]
    pub(crate) fn new() -> io::Result<Self> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self(AsyncFd::new(timer)?))
    }

    /// Rings after this time, at once if there is none left, or never; not at the time that was set before.
    pub(crate) fn set(&self, after: Option<Duration>) -> io::Result<()> {
        // Zero is never.
        let after = after.map(|after| after.max(Duration::from_nanos(1)));
        let it_value = after.and_then(|after| Timespec::try_from(after).ok()).unwrap_or(NEVER);
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: NEVER, it_value })?;
        Ok(())
    }

    /// Until it rings.
    pub(crate) async fn ring(&self) -> io::Result<()> {
        loop {
            let mut ready = self.0.readable().await?;
            let read = |timer: &AsyncFd<OwnedFd>| Ok(rustix::io::read(timer, &mut [0_u8; 8])?);
            if let Ok(rung) = ready.try_io(read) {
                return rung.map(drop);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[tokio::test]
    async fn it_rings_once_and_not_before_its_time() {
        let alarm = Alarm::new().unwrap();
        let start = Instant::now();
        alarm.set(Some(Duration::ZERO)).unwrap();
        alarm.ring().await.unwrap();
        alarm.set(Some(Duration::from_secs(3_600))).unwrap();
        alarm.set(Some(Duration::from_millis(3))).unwrap();
        alarm.ring().await.unwrap();
        assert!(start.elapsed() >= Duration::from_millis(3));
        let again = tokio::time::timeout(Duration::from_millis(5), alarm.ring());
        assert!(again.await.is_err(), "it has been set once");
    }
}

//! When the kernel received something, not when this program came round to reading it: on a busy machine those differ by
//! milliseconds, and several datagrams read in one go would all look alike.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;

/// Older stamps are not believed: the wall clock, in which the kernel stamps, has been set meanwhile.
const AGE_MAX: Duration = Duration::from_secs(60);

/// One read from a socket.
pub(crate) struct Received {
    pub(crate) length: usize,
    /// The sender, of a datagram.
    pub(crate) from: Option<SocketAddr>,
    /// When its last packet came in.
    pub(crate) at: Instant,
}

/// Asks the kernel to stamp what this socket receives.
pub(crate) fn enable(socket: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(socket, ReceiveTimestampns, &true)?)
}

/// Reads what is there; `WouldBlock` when nothing is. A kernel that gives no stamp leaves the time of reading.
pub(crate) fn receive(socket: &impl AsRawFd, buffer: &mut [u8]) -> io::Result<Received> {
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut pieces = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrIn>(socket.as_raw_fd(), &mut pieces, Some(&mut control), flags)?;
    let (now, wall) = (Instant::now(), SystemTime::now());
    let stamp = message.cmsgs()?.find_map(|control| {
        let ControlMessageOwned::ScmTimestampns(stamp) = control else { return None };
        Some(Duration::from(stamp))
    });
    let from = message.address.map(|address| SocketAddr::from((address.ip(), address.port())));
    Ok(Received { length: message.bytes, from, at: backdated(now, wall, stamp) })
}

/// The stamp, which counts from 1970, as an instant of the clock that is never set.
fn backdated(now: Instant, wall: SystemTime, stamp: Option<Duration>) -> Instant {
    let age = stamp.and_then(|stamp| wall.duration_since(SystemTime::UNIX_EPOCH + stamp).ok());
    age.filter(|age| *age <= AGE_MAX).and_then(|age| now.checked_sub(age)).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_datagram_read_late_keeps_the_time_of_its_arrival() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        enable(&socket).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.send_to(b"hello", socket.local_addr().unwrap()).unwrap();
        let mut buffer = [0; 100];
        socket.peek(&mut buffer).unwrap();
        let arrived = Instant::now();
        std::thread::sleep(Duration::from_millis(20));
        let received = receive(&socket, &mut buffer).unwrap();
        assert_eq!(&buffer[..received.length], b"hello");
        assert_eq!(received.from, Some(sender.local_addr().unwrap()));
        assert!(received.at <= arrived);
        assert_eq!(
            receive(&socket, &mut buffer).err().map(|error| error.kind()),
            Some(io::ErrorKind::WouldBlock)
        );
    }

    #[test]
    fn a_stamp_from_the_future_or_the_far_past_is_not_believed() {
        let (now, wall) = (Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1000));
        assert_eq!(backdated(now, wall, Some(Duration::from_secs(1001))), now);
        assert_eq!(backdated(now, wall, Some(Duration::from_secs(900))), now);
        assert_eq!(backdated(now, wall, None), now);
    }
}

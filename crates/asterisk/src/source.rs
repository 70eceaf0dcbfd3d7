//! Which server a datagram came from.

use std::net::SocketAddr;

/// The position of the server with this address; where several share the IP address, the port decides.
pub(crate) fn find(servers: impl Iterator<Item = SocketAddr> + Clone, from: SocketAddr) -> Option<usize> {
    let ip = from.ip().to_canonical();
    let mut here = servers.enumerate().filter(|(_, server)| server.ip().to_canonical() == ip);
    let exact = here.clone().find(|(_, server)| server.port() == from.port());
    let only = || here.next().filter(|_| here.next().is_none());
    exact.or_else(only).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_decides_only_between_servers_of_one_address() {
        let servers =
            ["127.0.0.1:5060", "127.0.0.2:5060", "127.0.0.2:5062"].map(|text| text.parse().unwrap());
        let find = |from: &str| find(servers.iter().copied(), from.parse().unwrap());
        assert_eq!(find("127.0.0.1:9999"), Some(0));
        assert_eq!(find("[::ffff:127.0.0.1]:5060"), Some(0));
        assert_eq!((find("127.0.0.2:5062"), find("127.0.0.2:5060")), (Some(2), Some(1)));
        assert_eq!((find("127.0.0.2:9999"), find("127.0.0.3:5060")), (None, None));
    }
}

//! What a session is started with.

use crate::key::{Fingerprint, PrivateKey};
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

/// The most keys that one peer may have: the one it uses, and the one that it is about to use.
pub const KEYS_PER_PEER_MAX: usize = 2;

/// What a session is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our own key.
    pub key: PrivateKey,
    /// Where peers may dial us by QUIC.
    pub listen_udp: Option<SocketAddr>,
    /// Where peers may dial us by TCP.
    pub listen_tcp: Option<SocketAddr>,
    /// Who may be linked with us.
    pub peers: Vec<PeerConfig>,
    /// How often each side gives a sign of life; usually 3 s.
    pub keepalive: Duration,
    /// A link on which nothing is heard for so long is down; usually 15 s, at least twice `keepalive`.
    pub hold: Duration,
}

/// A node elsewhere.
#[derive(Clone, Debug)]
pub struct PeerConfig {
    /// What it is called here.
    pub name: String,
    /// Where it listens; `None` if it dials us.
    pub dial: Option<Address>,
    /// How it is dialled. It may dial us by either.
    pub transport: Transport,
    /// One or two fingerprints: it has one of these keys.
    pub keys: Vec<Fingerprint>,
}

/// How frames are carried.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// QUIC, over UDP.
    Udp,
    /// TLS over TCP, where UDP is blocked.
    Tcp,
}

impl Transport {
    /// As a configuration and a metric label have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A host, by name or address, and a port: `node.example.org:4521`, `192.0.2.1:4521`, `[2001:db8::1]:4521`. A name is
/// looked up for each attempt anew.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Some text is no address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "write a host and a port from 1 to 65535: node.example.org:4521, 192.0.2.1:4521 or [2001:db8::1]:4521"
)]
pub struct NotAnAddress;

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(NotAnAddress)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(NotAnAddress)?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(v6) if v6.parse::<std::net::Ipv6Addr>().is_ok() => v6,
            None if is_name_or_v4(host) => host,
            Some(_) | None => return Err(NotAnAddress),
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

fn is_name_or_v4(host: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=253).contains(&host.len()) && host.bytes().all(known)
}

/// A peer: its place in [`Config::peers`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkId(pub usize);

/// Why a session cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A socket cannot be had.
    #[error("cannot listen on {address} ({transport}): {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// By what.
        transport: Transport,
        /// What the system says.
        source: io::Error,
    },
    /// Between two signs of life a healthy link would be taken for dead.
    #[error(
        "keepalive is {keepalive:?} and hold is {hold:?}: hold has to be at least twice keepalive, which is not zero"
    )]
    Times {
        /// As configured.
        keepalive: Duration,
        /// As configured.
        hold: Duration,
    },
    /// A peer has no key, or too many.
    #[error("peer {peer} has {count} keys: it takes one, or two while it changes its key")]
    Keys {
        /// Its name.
        peer: String,
        /// How many it has.
        count: usize,
    },
    /// A key would not tell who somebody is.
    #[error("peer {peer} has the key {key} of {other}: every node has a key of its own")]
    SharedKey {
        /// A peer's name.
        peer: String,
        /// Who has the same key.
        other: String,
        /// The key.
        key: Fingerprint,
    },
}

impl Config {
    /// Which peer has which key.
    ///
    /// # Errors
    /// When the configuration contradicts itself.
    pub(crate) fn owners(&self) -> Result<HashMap<Fingerprint, LinkId>, StartError> {
        let (keepalive, hold) = (self.keepalive, self.hold);
        if keepalive.is_zero() || hold < keepalive.saturating_mul(2) {
            return Err(StartError::Times { keepalive, hold });
        }
        let mut owners = HashMap::new();
        for (place, peer) in self.peers.iter().enumerate() {
            let name = || peer.name.clone();
            if peer.keys.is_empty() || peer.keys.len() > KEYS_PER_PEER_MAX {
                return Err(StartError::Keys { peer: name(), count: peer.keys.len() });
            }
            for &key in &peer.keys {
                let shared =
                    |other: &str| StartError::SharedKey { peer: name(), other: other.to_owned(), key };
                if key == self.key.fingerprint() {
                    return Err(shared("this node"));
                }
                match owners.insert(key, LinkId(place)) {
                    Some(other) if other.0 != place => return Err(shared(&self.peers[other.0].name)),
                    Some(_) | None => {}
                }
            }
        }
        Ok(owners)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_a_host_and_a_port() {
        for text in ["node.example.org:4521", "192.0.2.1:1", "[2001:db8::1]:65535", "localhost:4521"] {
            assert_eq!(text.parse::<Address>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
        let wrong =
            ["", ":1", "a", "a:", "a:0", "a:65536", "2001:db8::1:4521", "[a]:1", "a b:1", "a:1 ", "a/b:1"];
        for text in wrong {
            assert_eq!(text.parse::<Address>(), Err(NotAnAddress), "{text}");
        }
    }
}

//! Carries frames between nodes of different sites: over QUIC, or TLS over TCP where UDP is blocked. Both sides prove who
//! they are by a key that the other has in its configuration; there is no authority and no password.
//!
//! [`Session`] keeps the links up: it dials, listens, redials, gives signs of life and notices when there are none. What the
//! frames mean it does not know. It keeps next to nothing that waits to be sent, and says [`Unsent::Full`] instead: its user
//! has the latest word for whatever waits, and the next frame is made when there is room.

mod accept;
mod backoff;
mod config;
mod connection;
mod dial;
mod event;
mod gate;
mod key;
mod measure;
mod nudge;
mod outbox;
mod pipe;
mod quic;
mod session;
mod shared;
mod slot;
mod status;
mod tcp;
mod tls;

pub use config::{
    Address, Config, KEYS_PER_PEER_MAX, LinkId, NotAnAddress, PeerConfig, StartError, Transport,
};
pub use event::{Event, Events, Refusal, Unsent};
pub use key::{Fingerprint, KeyError, NotAFingerprint, PrivateKey};
pub use session::Session;
pub use status::{LinkStatus, Totals};
pub use tls::tls_client;

#[cfg(test)]
mod tests;

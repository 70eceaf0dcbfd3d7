//! One connection that has passed the handshake, whatever carries it: bytes both ways and an end.

use crate::config::Transport;
use crate::event::Refusal;
use crate::key::Fingerprint;
use crate::slot::Path;
use std::net::SocketAddr;
use std::time::Duration;
use std::{fmt, io};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wire::link::{Decoder, Frame};

/// How many bytes are read at a time.
const READ_BYTES: usize = 16_384;

/// How long the last word may take to get to the peer.
const FAREWELL: Duration = Duration::from_millis(500);

/// One connection.
pub(crate) struct Pipe {
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
    pub(crate) carrier: Carrier,
    /// The key that the peer has proved to have.
    pub(crate) key: Fingerprint,
}

/// Why a peer has no first word.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Wordless {
    /// For people.
    why: String,
    /// For whoever was dialled.
    pub(crate) refusal: Refusal,
}

/// What carries a connection.
#[derive(Clone, Debug)]
pub(crate) enum Carrier {
    Quic(quinn::Connection),
    Tcp(SocketAddr),
}

/// What comes.
pub(crate) struct Incoming {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    buffer: Vec<u8>,
    pub(crate) decoder: Decoder,
}

/// What goes. A write that is given up half-way is taken up again by the next one.
pub(crate) struct Outgoing {
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    buffer: Vec<u8>,
    written: usize,
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pipe({:?}, {})", self.carrier, self.key)
    }
}

impl Pipe {
    pub(crate) fn new(
        reader: impl AsyncRead + Send + Unpin + 'static,
        writer: impl AsyncWrite + Send + Unpin + 'static,
        carrier: Carrier,
        key: Fingerprint,
    ) -> Self {
        let incoming =
            Incoming { reader: Box::new(reader), buffer: vec![0; READ_BYTES], decoder: Decoder::new() };
        let outgoing = Outgoing { writer: Box::new(writer), buffer: Vec::new(), written: 0 };
        Self { incoming, outgoing, carrier, key }
    }

    /// The first frame that the peer says.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn first_frame(&mut self) -> Result<Frame, Wordless> {
        loop {
            match self.incoming.decoder.next() {
                Ok(Some(Frame::Bye(reason))) => {
                    return Err(Wordless { why: peer_ended(&reason), refusal: Refusal::Left });
                }
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => {}
                Err(malformed) => {
                    return Err(Wordless { why: malformed.to_string(), refusal: Refusal::Protocol });
                }
            }
            match self.incoming.read().await {
                Ok(0) => return Err(Wordless { why: CLOSED.to_owned(), refusal: Refusal::Left }),
                Ok(_) => {}
                Err(error) => {
                    let (why, refusal) = (self.carrier.explain(&error), self.carrier.refusal(&error));
                    return Err(Wordless { why, refusal });
                }
            }
        }
    }

    /// Says why, waits a moment for the peer to hear it, and closes.
    pub(crate) async fn bid_farewell(mut self, why: &str) {
        self.outgoing.put(&Frame::Bye(why.into()));
        let last_word = async {
            self.outgoing.flush().await?;
            // The peer closes when it has read that. Until then, closing might overtake it. TLS is not told that nothing more
            // follows, because after that rustls must not be given junk (in debug builds).
            while self.incoming.read().await? > 0 {}
            io::Result::Ok(())
        };
        // If it cannot be said, then not.
        let _ = tokio::time::timeout(FAREWELL, last_word).await;
        self.close(why);
    }

    /// Closes at once.
    pub(crate) fn close(self, why: &str) {
        if let Carrier::Quic(connection) = &self.carrier {
            connection.close(0_u32.into(), why.as_bytes());
        }
    }
}

/// What is said of a connection that ended without a word.
pub(crate) const CLOSED: &str = "the peer closed the connection";

pub(crate) fn peer_ended(reason: &str) -> String {
    format!("the peer ended the link: {reason}")
}

impl Carrier {
    pub(crate) fn path(&self) -> Path {
        match self {
            Self::Quic(connection) => Path {
                remote: connection.remote_address(),
                transport: Transport::Udp,
                quic: Some(connection.clone()),
            },
            Self::Tcp(remote) => Path { remote: *remote, transport: Transport::Tcp, quic: None },
        }
    }

    /// Why reading or writing failed, for people.
    pub(crate) fn explain(&self, error: &io::Error) -> String {
        match self {
            Self::Quic(connection) => connection
                .close_reason()
                .map_or_else(|| error.to_string(), |reason| crate::quic::explain(&reason)),
            Self::Tcp(_) => crate::tcp::explain(error),
        }
    }

    /// The same for whoever is not let in.
    fn refusal(&self, error: &io::Error) -> Refusal {
        match self {
            Self::Quic(connection) => {
                connection.close_reason().map_or(Refusal::Protocol, |reason| crate::quic::refusal(&reason))
            }
            Self::Tcp(_) => crate::tcp::refusal(error),
        }
    }
}

impl Incoming {
    /// Reads some bytes into the decoder; zero at the end. May be dropped while it waits.
    pub(crate) async fn read(&mut self) -> io::Result<usize> {
        let bytes = self.reader.read(&mut self.buffer).await?;
        self.decoder.push(&self.buffer[..bytes]);
        Ok(bytes)
    }
}

impl Outgoing {
    /// Puts a frame behind what is not written yet.
    pub(crate) fn put(&mut self, frame: &Frame) {
        wire::link::encode(frame, &mut self.buffer);
    }

    /// Puts bytes of a frame, likewise.
    pub(crate) fn put_bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// How many bytes are not written yet.
    pub(crate) fn waiting(&self) -> usize {
        self.buffer.len() - self.written
    }

    /// Writes all. May be dropped while it waits.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        while self.waiting() > 0 {
            let written = self.writer.write(&self.buffer[self.written..]).await?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.written += written;
        }
        self.buffer.clear();
        self.written = 0;
        self.writer.flush().await
    }
}

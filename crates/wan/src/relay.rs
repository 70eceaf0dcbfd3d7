//! What a relay is: a name, a protocol, where it listens and where what it hears goes.

use std::fmt;
use std::str::FromStr;

/// One relay, as `NAME=udp:LISTEN->TARGET` says it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relay {
    /// How metrics and the log call it.
    pub name: String,
    /// What it relays.
    pub protocol: Protocol,
    /// Host and port at which it listens.
    pub listen: String,
    /// Host and port, where the host may be a name that is resolved when it is needed.
    pub target: String,
}

/// What a relay relays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// Datagrams.
    Udp,
    /// Streams.
    Tcp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}

impl fmt::Display for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}:{}->{}", self.name, self.protocol, self.listen, self.target)
    }
}

/// The text is no relay.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidRelay {
    /// A part is missing, or the protocol is another one.
    #[error(
        "want NAME=udp:LISTEN->TARGET or NAME=tcp:LISTEN->TARGET, as in east=udp:0.0.0.0:4521->east-node1:4521"
    )]
    Form,
    /// A place has no host or no port.
    #[error("{0:?} is not a host and a port, as in east-node1:4521")]
    Place(String),
}

impl FromStr for Relay {
    type Err = InvalidRelay;

    fn from_str(text: &str) -> Result<Self, InvalidRelay> {
        let (name, rest) = text.split_once('=').ok_or(InvalidRelay::Form)?;
        let (protocol, rest) = rest.split_once(':').ok_or(InvalidRelay::Form)?;
        let (listen, target) = rest.split_once("->").ok_or(InvalidRelay::Form)?;
        let protocol = match protocol {
            "udp" => Protocol::Udp,
            "tcp" => Protocol::Tcp,
            _ => return Err(InvalidRelay::Form),
        };
        if name.is_empty() {
            return Err(InvalidRelay::Form);
        }
        Ok(Self { name: name.to_owned(), protocol, listen: place(listen)?, target: place(target)? })
    }
}

fn place(text: &str) -> Result<String, InvalidRelay> {
    let invalid = || InvalidRelay::Place(text.to_owned());
    let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(invalid());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_read_as_it_is_shown() {
        for text in ["east=udp:0.0.0.0:4521->east-node1:4521", "w=tcp:[::1]:1->[::1]:2"] {
            assert_eq!(text.parse::<Relay>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_relay_is_refused_in_words() {
        for text in ["", "east", "east=udp:1:1", "=udp:h:1->h:1", "east=sctp:h:1->h:1"] {
            assert_eq!(text.parse::<Relay>(), Err(InvalidRelay::Form), "{text}");
        }
        let error = "east=udp:0.0.0.0:4521->east-node1".parse::<Relay>().unwrap_err();
        assert_eq!(error.to_string(), "\"east-node1\" is not a host and a port, as in east-node1:4521");
        assert!("e=udp::1->h:1".parse::<Relay>().is_err());
        assert!("e=udp:h:1->h:65536".parse::<Relay>().is_err());
    }
}

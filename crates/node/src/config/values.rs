//! What the text of a field may be. An error is the rest of a sentence that begins with the field and its text.

use link::{Address, Fingerprint, Transport};
use presence::{Eid, Pattern};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// SIP's own port, for a server's address without one.
const SIP_PORT: u16 = 5060;
/// What libcpg takes.
const GROUP_BYTES_MAX: usize = 127;

pub(super) fn eid(text: &str) -> Result<Eid, String> {
    let eid: Eid = text.parse().map_err(|_| {
        r#"is no EID; write six hexadecimal bytes, for example "02:00:00:00:01:21""#.to_owned()
    })?;
    if eid == Eid([0; 6]) {
        return Err("means \"none\" to Asterisk; write another EID".to_owned());
    }
    Ok(eid)
}

pub(super) fn group(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > GROUP_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(format!(
            "is no group name; write 1 to {GROUP_BYTES_MAX} bytes of text, \"asterisk\" to meet stock Asterisk"
        ));
    }
    Ok(text.to_owned())
}

pub(super) fn pattern(text: &str) -> Result<Pattern, String> {
    Pattern::new(text)
        .map_err(|error| format!("is no pattern of devices: {error}; write for example \"Local/*\""))
}

pub(super) fn mailboxes(text: &str) -> Result<Pattern, String> {
    Pattern::new(text)
        .map_err(|error| format!("is no pattern of mailboxes: {error}; write for example \"*@default\""))
}

pub(super) fn fingerprint(text: &str) -> Result<Fingerprint, String> {
    text.parse().map_err(|_| {
        "is no fingerprint; write what `asterism-node key show FILE` says at the peer, SHA256: and 43 characters"
            .to_owned()
    })
}

pub(super) fn dial(text: &str) -> Result<Address, String> {
    text.parse().map_err(|_| r#"is no host:port; write for example "west.example.net:4521""#.to_owned())
}

pub(super) fn transport(text: &str) -> Result<Transport, String> {
    match text {
        "udp" => Ok(Transport::Udp),
        "tcp" => Ok(Transport::Tcp),
        _ => Err("is no transport; write udp, or tcp where UDP is blocked".to_owned()),
    }
}

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("is no file; write for example \"/etc/asterism/link.key\"".to_owned());
    }
    Ok(PathBuf::from(text))
}

pub(super) fn cluster_address(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr =
        text.parse().map_err(|_| r#"is no IP address; write for example "192.0.2.21""#.to_owned())?;
    if address.is_unspecified() {
        return Err("is nobody's address; write the one by which operators know this node".to_owned());
    }
    Ok(address)
}

/// Where the node takes SIP, on all addresses or one; others must know the port.
pub(super) fn sip_listen(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| {
        r#"is no IP:port; write for example "0.0.0.0:5060" for all addresses or "192.0.2.21:5060" for one"#
            .to_owned()
    })?;
    if address.port() == 0 {
        return Err(
            "has no fixed port, so that no server could find it; write port 5060 or another".to_owned()
        );
    }
    Ok(address)
}

/// Where one host takes SIP.
pub(super) fn sip_address(text: &str) -> Result<SocketAddr, String> {
    let with_port = text.parse().or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, SIP_PORT)));
    let address =
        with_port.map_err(|_| r#"is no IP:port; write for example "192.0.2.13:5060""#.to_owned())?;
    if address.ip().is_unspecified() || address.ip().is_multicast() || address.port() == 0 {
        return Err(
            r#"is no place to send to; write the IP:port of one host, for example "192.0.2.13:5060""#
                .to_owned(),
        );
    }
    Ok(address)
}

/// A user name that needs no escape in a SIP header.
pub(super) fn user(text: &str) -> Result<String, String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\:".contains(&byte));
    if text.is_empty() || !is_plain {
        return Err(
            r#"is no user name; write ASCII without blanks, quotes and colons, as in "presence""#.to_owned()
        );
    }
    Ok(text.to_owned())
}

//! What the text of a field may be. An error is the rest of a sentence that begins with the field and its text.

use std::net::SocketAddr;

/// A user name or an extension, which needs no escape in a SIP header or an AMI line.
pub(super) fn user(text: &str) -> Result<String, String> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\:@;<>?&/".contains(&byte));
    if text.is_empty() || text.len() > 128 || !is_plain {
        return Err(
            r#"is none; write ASCII without blanks and without any of " \ : @ ; < > ? & /"#.to_owned()
        );
    }
    Ok(text.to_owned())
}

pub(super) fn ami(text: &str) -> Result<SocketAddr, String> {
    host(text, r#"is no IP:port of a server; write for example "192.0.2.11:5038""#)
}

pub(super) fn sip(text: &str) -> Result<SocketAddr, String> {
    host(text, r#"is no IP:port of a server; write for example "192.0.2.11:5060""#)
}

fn host(text: &str, problem: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| problem)?;
    let is_host = !address.ip().is_unspecified() && !address.ip().is_multicast() && address.port() != 0;
    if is_host { Ok(address) } else { Err(problem.to_owned()) }
}

/// `http://host:port` without a path; gives `host:port`.
pub(super) fn url(text: &str) -> Result<String, String> {
    let authority = text.strip_prefix("http://").map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let is_plain = |authority: &&str| {
        let port = authority.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
        let has_port = port.and_then(|port| port.parse::<u16>().ok()).is_some_and(|port| port > 0);
        has_port && authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
    };
    authority.filter(is_plain).map(str::to_owned).ok_or_else(|| {
        r#"is no address of a node; write http://host:port, for example "http://192.0.2.21:9710""#.to_owned()
    })
}

//! SIP messages: values to bytes.

use crate::message::{Request, parameters, tag};
use std::fmt::Write;
use std::net::SocketAddr;

/// One datagram to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// The datagram.
    pub payload: Vec<u8>,
}

/// Without the payload, which may hold a digest response.
impl std::fmt::Debug for Transmit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Transmit {{ to: {}, {} bytes }}", self.to, self.payload.len())
    }
}

/// Where an answer goes and the headers it repeats; all that must be kept of a request until it is answered.
#[derive(Debug)]
pub(crate) struct Envelope {
    to: SocketAddr,
    lines: String,
}

impl Envelope {
    /// `own_tag` goes into To unless the request has one.
    pub(crate) fn new(request: &Request<'_>, from: SocketAddr, own_tag: &str) -> Self {
        let fields = &request.fields;
        let mut lines = String::with_capacity(512);
        for (position, via) in fields.headers("Via").enumerate() {
            let via = if position == 0 { seen_from(via, from) } else { via.to_owned() };
            header(&mut lines, "Via", &via);
        }
        header(&mut lines, "From", fields.header("From").unwrap_or_default());
        let to = fields.header("To").unwrap_or_default();
        if tag(to).is_some() {
            header(&mut lines, "To", to);
        } else {
            header(&mut lines, "To", &format!("{to};tag={own_tag}"));
        }
        header(&mut lines, "Call-ID", fields.call_id());
        header(&mut lines, "CSeq", &format!("{} {}", request.cseq, request.method));
        Self { to: return_address(fields.top_via(), from), lines }
    }

    /// The answer itself.
    pub(crate) fn answer(&self, code: u16, reason: &str, headers: &[(&str, &str)]) -> Transmit {
        let mut text = format!("SIP/2.0 {code} {reason}\r\n{}", self.lines);
        for (name, value) in headers {
            header(&mut text, name, value);
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        Transmit { to: self.to, payload: text.into_bytes() }
    }
}

/// The first Via with the address it was seen from (RFC 3261, 18.2.1; RFC 3581).
fn seen_from(via: &str, from: SocketAddr) -> String {
    let (top, rest) = match via.split_once(',') {
        Some((top, rest)) => (top, Some(rest)),
        None => (via, None),
    };
    let mut seen = top.split(';').next().unwrap_or_default().trim_end().to_owned();
    for (name, value) in parameters(top) {
        // Writing to a String cannot fail.
        let _ = match value {
            _ if name.eq_ignore_ascii_case("received") => Ok(()),
            _ if name.eq_ignore_ascii_case("rport") => write!(seen, ";rport={}", from.port()),
            Some(value) => write!(seen, ";{name}={value}"),
            None => write!(seen, ";{name}"),
        };
    }
    let _ = write!(seen, ";received={}", from.ip().to_canonical());
    if let Some(rest) = rest {
        seen.push(',');
        seen.push_str(rest);
    }
    seen
}

/// To the port it came from where the sender asks so (`rport`), else to the port in its Via.
fn return_address(top_via: &str, from: SocketAddr) -> SocketAddr {
    if parameters(top_via).any(|(name, _)| name.eq_ignore_ascii_case("rport")) {
        return from;
    }
    let sent_by = top_via.split(';').next().unwrap_or_default().split_whitespace().last().unwrap_or_default();
    let port = sent_by
        .rsplit_once(':')
        .filter(|(host, _)| !host.starts_with('[') || host.ends_with(']'))
        .and_then(|(_, port)| port.parse().ok())
        .unwrap_or(5060);
    SocketAddr::new(from.ip(), port)
}

/// Our side and their side of every request to one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) local: SocketAddr,
    pub(crate) server: SocketAddr,
}

/// What a request of ours holds beside the addresses.
pub(crate) struct Draft<'a> {
    pub(crate) method: &'a str,
    pub(crate) uri: &'a str,
    pub(crate) branch: &'a str,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) call_id: &'a str,
    pub(crate) cseq: u32,
    pub(crate) headers: &'a [(&'a str, &'a str)],
    pub(crate) body: &'a str,
}

impl Route {
    /// The address of presence at the server.
    pub(crate) fn uri(&self) -> String {
        format!("sip:presence@{}", self.server)
    }

    /// Our address of presence, as From has it.
    pub(crate) fn from(&self, tag: &str) -> String {
        format!("<sip:presence@{}>;tag={tag}", self.local)
    }

    /// The address of presence at the server, as To has it.
    pub(crate) fn to(&self) -> String {
        format!("<{}>", self.uri())
    }

    /// The request as one datagram.
    pub(crate) fn request(&self, draft: &Draft<'_>) -> Transmit {
        let Self { local, server } = self;
        let mut text = format!("{} {} SIP/2.0\r\n", draft.method, draft.uri);
        header(&mut text, "Via", &format!("SIP/2.0/UDP {local};rport;branch={}", draft.branch));
        header(&mut text, "Max-Forwards", "70");
        header(&mut text, "From", draft.from);
        header(&mut text, "To", draft.to);
        header(&mut text, "Call-ID", draft.call_id);
        header(&mut text, "CSeq", &format!("{} {}", draft.cseq, draft.method));
        header(&mut text, "User-Agent", "asterism");
        for (name, value) in draft.headers {
            header(&mut text, name, value);
        }
        if !draft.body.is_empty() {
            header(&mut text, "Content-Type", "application/json");
        }
        header(&mut text, "Content-Length", &draft.body.len().to_string());
        text.push_str("\r\n");
        text.push_str(draft.body);
        Transmit { to: *server, payload: text.into_bytes() }
    }
}

fn header(text: &mut String, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        text.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    const FROM: &str = "127.0.0.2:40000";

    fn envelope(via: &str, to: &str) -> Envelope {
        let text = format!(
            "OPTIONS sip:a SIP/2.0\r\nVia: {via}\r\nVia: SIP/2.0/UDP 9.9.9.9;branch=second\r\nFrom: <sip:f@g>;tag=f\r\n\
             To: {to}\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n"
        );
        let Ok(Message::Request(request)) = Message::parse(text.as_bytes()) else { panic!("no request") };
        Envelope::new(&request, FROM.parse().unwrap(), "ours")
    }

    #[test]
    fn an_answer_repeats_what_names_the_request_and_tells_where_it_was_seen() {
        let envelope = envelope("SIP/2.0/UDP 10.0.0.1:5062;rport;branch=z9hG4bK1", "<sip:t@u;tag=no>");
        let answer = envelope.answer(200, "OK", &[("Expires", "60")]);
        assert_eq!(answer.to, FROM.parse().unwrap());
        assert_eq!(
            String::from_utf8(answer.payload).unwrap(),
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.1:5062;rport=40000;branch=z9hG4bK1;received=127.0.0.2\r\n\
             Via: SIP/2.0/UDP 9.9.9.9;branch=second\r\nFrom: <sip:f@g>;tag=f\r\nTo: <sip:t@u;tag=no>;tag=ours\r\n\
             Call-ID: c\r\nCSeq: 1 OPTIONS\r\nExpires: 60\r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn without_rport_the_answer_goes_to_the_port_in_the_via() {
        let port = |via| envelope(via, "<sip:t@u>;tag=theirs").answer(200, "OK", &[]).to.port();
        assert_eq!(port("SIP/2.0/UDP 10.0.0.1:5062;branch=b"), 5062);
        assert_eq!(port("SIP/2.0/UDP 10.0.0.1;branch=b"), 5060);
        assert_eq!(port("SIP/2.0/UDP [fe80::1]:5070;branch=b"), 5070);
        assert_eq!(port("SIP/2.0/UDP [fe80::1];branch=b"), 5060);
    }

    #[test]
    fn a_tag_that_is_there_stays() {
        let answer = envelope("SIP/2.0/UDP h;branch=b", "<sip:t@u>;tag=theirs").answer(200, "OK", &[]);
        assert!(String::from_utf8(answer.payload).unwrap().contains("To: <sip:t@u>;tag=theirs\r\n"));
    }

    #[test]
    fn our_requests_parse() {
        let route = Route { local: "[::1]:5060".parse().unwrap(), server: FROM.parse().unwrap() };
        let uri = route.uri();
        let draft = Draft {
            method: "PUBLISH",
            uri: &uri,
            branch: "z9hG4bKx",
            from: &route.from("t"),
            to: &route.to(),
            call_id: "c",
            cseq: 4,
            headers: &[("Event", "asterisk-mwi")],
            body: "{}",
        };
        let transmit = route.request(&draft);
        assert_eq!(transmit.to, route.server);
        let Ok(Message::Request(request)) = Message::parse(&transmit.payload) else { panic!("no request") };
        assert_eq!((request.fields.branch(), request.fields.body), ("z9hG4bKx", &b"{}"[..]));
        assert_eq!(request.fields.header("Event"), Some("asterisk-mwi"));
    }
}

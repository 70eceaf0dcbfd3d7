//! SIP messages: bytes to just the fields that PUBLISH and SUBSCRIBE need.
//!
//! This is our own parser and not rsipstack's (0.7.14), on evidence from its source: `nc` of a digest is a
//! `u8` written in decimal, so a nonce cannot be used again more than a few times; a response goes out with
//! the standard reason phrase whatever it was given; a header line that is not UTF-8 silently ends the
//! header section; a body shorter than its Content-Length is taken as whole; SIP-ETag and SIP-If-Match are
//! unknown to it. Around that, it brings a runtime and 70 packages to a crate that has no I/O. What remains
//! useful is smaller than the glue to it.

use std::borrow::Cow;
use std::str;

/// More header lines than any PBX sends; beyond it is junk.
const HEADERS_MAX: usize = 64;
/// More than all header lines of a PBX together. An answer repeats some of them and is kept for a while.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Why bytes are no SIP message. Nothing is answered: there may be nobody to answer to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("a keep-alive: nothing but line ends or zeros")]
    KeepAlive,
    #[error("no empty line ends the headers")]
    NoEnd,
    #[error("the headers are not UTF-8 or hold control characters")]
    Text,
    #[error("neither a request line nor a status line of SIP/2.0")]
    StartLine,
    #[error("a header line has no colon, or there are too many, or too long ones")]
    Header,
    #[error("Via, From, To, Call-ID or CSeq is missing or unreadable")]
    Mandatory,
    #[error("Content-Length is no number or exceeds the datagram")]
    Length,
}

/// One SIP message, borrowed from its datagram.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    Request(Request<'a>),
    Response(Response<'a>),
}

/// A request with the fields that every request has.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) cseq: u32,
    pub(crate) fields: Fields<'a>,
}

/// A response; the branch and the method say which request it answers.
#[derive(Debug)]
pub(crate) struct Response<'a> {
    pub(crate) code: u16,
    pub(crate) method: String,
    pub(crate) fields: Fields<'a>,
}

/// Headers and body.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    headers: Vec<(&'a str, Cow<'a, str>)>,
    pub(crate) body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads one datagram.
    pub(crate) fn parse(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let junk = |byte: &u8| matches!(byte, b'\r' | b'\n' | 0);
        let start = datagram.iter().position(|byte| !junk(byte)).ok_or(Malformed::KeepAlive)?;
        let datagram = &datagram[start..];
        let end = datagram.windows(4).position(|four| four == b"\r\n\r\n").ok_or(Malformed::NoEnd)?;
        if end > HEAD_BYTES_MAX {
            return Err(Malformed::Header);
        }
        let head = str::from_utf8(&datagram[..end]).map_err(|_| Malformed::Text)?;
        let mut lines = head.split("\r\n");
        let start_line = lines.next().unwrap_or_default();
        let mut fields = Fields { headers: headers(lines)?, body: &datagram[end + 4..] };
        fields.cut_body()?;
        let (cseq, cseq_method) = fields.mandatory()?;
        if let Some(status) = start_line.strip_prefix("SIP/2.0 ") {
            let code = status.get(..3).and_then(number).ok_or(Malformed::StartLine)?;
            let method = cseq_method.to_owned();
            return Ok(Self::Response(Response { code, method, fields }));
        }
        let mut words = start_line.split(' ');
        let (Some(method), Some(_uri), Some("SIP/2.0"), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Malformed::StartLine);
        };
        if method != cseq_method || start_line.chars().any(char::is_control) {
            return Err(Malformed::StartLine);
        }
        Ok(Self::Request(Request { method, cseq, fields }))
    }
}

fn headers<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<(&'a str, Cow<'a, str>)>, Malformed> {
    let mut headers: Vec<(&str, Cow<str>)> = Vec::with_capacity(16);
    for line in lines {
        if line.chars().any(|sign| sign.is_control() && sign != '\t') {
            return Err(Malformed::Text);
        }
        if line.starts_with([' ', '\t']) {
            let (_, folded) = headers.last_mut().ok_or(Malformed::Header)?;
            folded.to_mut().push(' ');
            folded.to_mut().push_str(line.trim());
            continue;
        }
        let (name, value) = line.split_once(':').ok_or(Malformed::Header)?;
        if headers.len() == HEADERS_MAX {
            return Err(Malformed::Header);
        }
        headers.push((long_name(name.trim_end()), Cow::Borrowed(value.trim())));
    }
    Ok(headers)
}

/// The full name of a header in compact form (RFC 3261, 7.3.3; RFC 6665).
fn long_name(name: &str) -> &str {
    match name {
        "v" | "V" => "Via",
        "f" | "F" => "From",
        "t" | "T" => "To",
        "i" | "I" => "Call-ID",
        "l" | "L" => "Content-Length",
        "c" | "C" => "Content-Type",
        "m" | "M" => "Contact",
        "o" | "O" => "Event",
        other => other,
    }
}

impl<'a> Fields<'a> {
    /// The first header of this name.
    pub(crate) fn header(&self, name: &'static str) -> Option<&str> {
        self.headers(name).next()
    }

    /// All headers of this name, in order.
    pub(crate) fn headers(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_ref())
    }

    /// A header that holds one number; `Err` when it holds something else.
    pub(crate) fn number(&self, name: &'static str) -> Result<Option<u32>, Malformed> {
        self.header(name).map(|text| number(text).ok_or(Malformed::Header)).transpose()
    }

    /// The Via of the sender, which is the first where a header holds several.
    pub(crate) fn top_via(&self) -> &str {
        self.header("Via").and_then(|via| via.split(',').next()).unwrap_or_default()
    }

    /// The branch of the top Via: the name of the transaction.
    pub(crate) fn branch(&self) -> &str {
        parameters(self.top_via())
            .find(|(name, _)| name.eq_ignore_ascii_case("branch"))
            .and_then(|(_, value)| value)
            .unwrap_or_default()
    }

    pub(crate) fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or_default()
    }

    /// Over UDP the body ends with the datagram or earlier, never later (RFC 3261, 18.3).
    fn cut_body(&mut self) -> Result<(), Malformed> {
        if let Some(length) = self.number("Content-Length").map_err(|_| Malformed::Length)? {
            let length = usize::try_from(length).map_err(|_| Malformed::Length)?;
            self.body = self.body.get(..length).ok_or(Malformed::Length)?;
        }
        Ok(())
    }

    /// CSeq, once all headers that every message must have are there.
    fn mandatory(&self) -> Result<(u32, &str), Malformed> {
        let there = |name| self.header(name).is_some_and(|value| !value.trim().is_empty());
        if self.branch().is_empty() || !["From", "To", "Call-ID"].into_iter().all(there) {
            return Err(Malformed::Mandatory);
        }
        let cseq = self.header("CSeq").ok_or(Malformed::Mandatory)?;
        let (count, method) = cseq.split_once([' ', '\t']).ok_or(Malformed::Mandatory)?;
        Ok((number(count).ok_or(Malformed::Mandatory)?, method.trim_start()))
    }
}

/// The parameters behind the first semicolon, with their values where they have one.
pub(crate) fn parameters(value: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    value.split(';').skip(1).map(|parameter| match parameter.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (parameter.trim(), None),
    })
}

/// The tag of a From or To: a parameter of the header, so it stands behind the address in angle brackets.
pub(crate) fn tag(address: &str) -> Option<&str> {
    let outside = address.rsplit('>').next().unwrap_or_default();
    let mut tags = parameters(outside).filter(|(name, _)| name.eq_ignore_ascii_case("tag"));
    tags.next().map(|(_, value)| value.unwrap_or_default())
}

/// Digits only: Rust's own parser also takes a sign.
fn number<T: str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PUBLISH: &str = "PUBLISH sip:presence@127.0.0.1:5060 SIP/2.0\r\n\
        v: SIP/2.0/UDP 127.0.0.2:5060;rport;branch=z9hG4bKa, SIP/2.0/UDP 9.9.9.9;branch=x\r\n\
        FROM: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\ni: call\r\nCSeq: 7 PUBLISH\r\n\
        Event: asterisk-\r\n devicestate\r\nExpires: 3600\r\nContent-Length: 2\r\n\r\n{}junk";

    fn request(text: &str) -> Request<'_> {
        match Message::parse(text.as_bytes()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_gives_its_fields() {
        let request = request(PUBLISH);
        assert_eq!((request.method, request.cseq), ("PUBLISH", 7));
        let fields = &request.fields;
        assert_eq!((fields.branch(), fields.call_id()), ("z9hG4bKa", "call"));
        assert_eq!(fields.header("Event"), Some("asterisk- devicestate"), "a folded line is one value");
        assert_eq!(fields.number("Expires"), Ok(Some(3600)));
        assert_eq!(fields.body, b"{}", "what follows Content-Length is not ours");
    }

    #[test]
    fn a_response_names_its_request() {
        let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=b1\r\nFrom: a\r\nTo: b\r\nCall-ID: c\r\n\
                    CSeq: 3 OPTIONS\r\n\r\n";
        let Ok(Message::Response(response)) = Message::parse(text.as_bytes()) else { panic!("no response") };
        assert_eq!(
            (response.code, response.method.as_str(), response.fields.branch()),
            (200, "OPTIONS", "b1")
        );
    }

    #[test]
    fn junk_is_named_by_what_is_wrong() {
        let parse = |text: &str| Message::parse(text.as_bytes()).map(|_| ()).unwrap_err();
        assert_eq!(parse("\r\n\r\n"), Malformed::KeepAlive);
        assert_eq!(parse("\0\0\0\0"), Malformed::KeepAlive);
        assert_eq!(parse("PUBLISH sip:a SIP/2.0\r\n"), Malformed::NoEnd);
        assert_eq!(parse(&PUBLISH.replace("SIP/2.0\r\nv", "SIP/3.0\r\nv")), Malformed::StartLine);
        assert_eq!(parse(&PUBLISH.replace("7 PUBLISH", "7 OPTIONS")), Malformed::StartLine);
        assert_eq!(parse(&PUBLISH.replace("Length: 2", "Length: 20")), Malformed::Length);
        assert_eq!(parse(&PUBLISH.replace("Length: 2", "Length: +2")), Malformed::Length);
        assert_eq!(parse(&PUBLISH.replace("i: call\r\n", "")), Malformed::Mandatory);
        assert_eq!(parse(&PUBLISH.replace(";branch=z9hG4bKa", "")), Malformed::Mandatory);
        assert_eq!(parse(&PUBLISH.replace("i: call", "i:\r\n ")), Malformed::Mandatory, "folded blanks");
        assert_eq!(parse(&PUBLISH.replace("call", "ca\rll")), Malformed::Text);
        assert_eq!(parse(&PUBLISH.replace("Expires: 3600", "Expires")), Malformed::Header);
        let many = PUBLISH.replace("i: call\r\n", &format!("i: call\r\n{}", "X: y\r\n".repeat(70)));
        assert_eq!(parse(&many), Malformed::Header);
        assert_eq!(parse(&PUBLISH.replace("call", &"c".repeat(HEAD_BYTES_MAX))), Malformed::Header);
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Message::parse(&bytes);
        }

        #[test]
        fn a_damaged_message_parses_or_is_refused(
            edits in prop::collection::vec((0..PUBLISH.len(), any::<u8>()), 1..8), cut in 0..PUBLISH.len() + 1,
        ) {
            let mut bytes = PUBLISH.as_bytes().to_vec();
            for (at, byte) in edits {
                bytes[at] = byte;
            }
            if let Ok(Message::Request(request)) = Message::parse(&bytes[..cut]) {
                prop_assert!(!request.fields.branch().is_empty());
            }
        }
    }
}

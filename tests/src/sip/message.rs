//! SIP messages as far as a watching phone needs them: start line, headers in order, body.

/// One request or response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) start: String,
    headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Message {
    pub(super) fn new(start: String) -> Self {
        Self { start, headers: Vec::new(), body: String::new() }
    }

    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// `None` for anything that is not SIP.
    pub(super) fn parse(datagram: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(datagram);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let start = lines.next().filter(|start| start.contains("SIP/2.0"))?.to_owned();
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            match line.strip_prefix([' ', '\t']) {
                Some(folded) => {
                    let (_, value) = headers.last_mut()?;
                    value.push(' ');
                    value.push_str(folded.trim());
                }
                None => {
                    let (name, value) = line.split_once(':')?;
                    headers.push((long_name(name.trim()).to_owned(), value.trim().to_owned()));
                }
            }
        }
        Some(Self { start, headers, body: body.to_owned() })
    }

    pub(super) fn render(&self) -> String {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{}\r\n{headers}Content-Length: {}\r\n\r\n{}", self.start, self.body.len(), self.body)
    }

    /// The code of a response; `None` for a request.
    pub(super) fn status(&self) -> Option<u16> {
        self.start.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok()
    }

    pub(super) fn is_request(&self, method: &str) -> bool {
        self.start.split(' ').next() == Some(method)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The response to this request, with the headers that every response repeats.
    pub(super) fn response(&self, status: &str) -> Self {
        let mut response = Self::new(format!("SIP/2.0 {status}"));
        for (name, value) in &self.headers {
            if ["Via", "From", "To", "Call-ID", "CSeq"].iter().any(|kept| kept.eq_ignore_ascii_case(name)) {
                response = response.with(name, value);
            }
        }
        response
    }
}

/// The value of a parameter such as `;tag=`.
pub(super) fn parameter<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    value.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The address between angle brackets, or the whole without parameters.
pub(super) fn uri(value: &str) -> &str {
    match value.split_once('<').and_then(|(_, rest)| rest.split_once('>')) {
        Some((uri, _)) => uri,
        None => value.split(';').next().unwrap_or(value).trim(),
    }
}

fn long_name(name: &str) -> &str {
    match name {
        "v" => "Via",
        "f" => "From",
        "t" => "To",
        "i" => "Call-ID",
        "m" => "Contact",
        "o" => "Event",
        "c" => "Content-Type",
        "l" => "Content-Length",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTIFY: &[u8] = b"NOTIFY sip:watcher@198.18.0.1:40000 SIP/2.0\r\nVia: SIP/2.0/UDP 198.18.0.11:5060;branch=z9hG4bK1\r\n\
        f: <sip:1001@198.18.0.11>;tag=abc\r\nt: \"W\" <sip:watcher@198.18.0.1>;tag=def\r\ni: call@1\r\nCSeq: 5 NOTIFY\r\n\
        o: dialog\r\nSubscription-State: active;\r\n expires=300\r\nContent-Length: 4\r\n\r\nbody";

    #[test]
    fn compact_and_folded_headers_are_read() {
        let notify = Message::parse(NOTIFY).unwrap();
        assert!(notify.is_request("NOTIFY"));
        assert_eq!(notify.header("event"), Some("dialog"));
        assert_eq!(notify.header("Subscription-State"), Some("active; expires=300"));
        assert_eq!(parameter(notify.header("To").unwrap(), "tag"), Some("def"));
        assert_eq!(uri(notify.header("To").unwrap()), "sip:watcher@198.18.0.1");
        assert_eq!(notify.body, "body");
    }

    #[test]
    fn a_response_repeats_what_identifies_the_request() {
        let text = Message::parse(NOTIFY).unwrap().response("200 OK").render();
        let response = Message::parse(text.as_bytes()).unwrap();
        assert_eq!(response.status(), Some(200));
        assert_eq!(response.header("Call-ID"), Some("call@1"));
        assert_eq!(response.header("CSeq"), Some("5 NOTIFY"));
        assert_eq!(response.header("Event"), None);
    }

    #[test]
    fn what_is_not_sip_is_no_message() {
        for junk in [&b""[..], b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"SIP/2.0 200 OK\r\nno colon\r\n\r\n"]
        {
            assert_eq!(Message::parse(junk), None, "{junk:?}");
        }
    }
}

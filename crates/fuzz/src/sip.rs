//! What a datagram of ours must be, read without the parser that is under test.

/// A message without anything odd: whole, no folded lines, no short names, a length that is told.
pub(crate) struct Plain<'a> {
    start: &'a str,
    headers: Vec<(&'a str, &'a str)>,
}

impl<'a> Plain<'a> {
    /// A datagram that we sent.
    ///
    /// # Panics
    /// When it is not plain, so that some peer could read it as something else than was meant.
    pub(crate) fn sent(payload: &'a [u8]) -> Self {
        Self::read(payload).unwrap_or_else(|fault| panic!("{fault}: {:?}", String::from_utf8_lossy(payload)))
    }

    /// Any datagram; an error says what is odd about it.
    pub(crate) fn read(payload: &'a [u8]) -> Result<Self, &'static str> {
        let text = str::from_utf8(payload).map_err(|_| "no text")?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or("headers without end")?;
        let is_control = |line: &str| line.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t');
        if head.split("\r\n").any(is_control) {
            return Err("a control character");
        }
        let mut lines = head.split("\r\n");
        let start = lines.next().unwrap_or_default();
        if !start.starts_with("SIP/2.0 ") && !start.ends_with(" SIP/2.0") {
            return Err("no start line");
        }
        let headers = lines.map(header).collect::<Option<_>>().ok_or("a line that is no header")?;
        let plain = Self { start, headers };
        if plain.header("Content-Length") != body.len().to_string() {
            return Err("not the length of the body");
        }
        let mandatory = ["Via", "From", "To", "Call-ID", "CSeq"];
        if mandatory.into_iter().any(|name| plain.header(name).is_empty()) || plain.branch().is_empty() {
            return Err("a header that must be there is not");
        }
        Ok(plain)
    }

    pub(crate) fn is_answer(&self) -> bool {
        self.start.starts_with("SIP/2.0 ")
    }

    /// True when it is a request of this method.
    pub(crate) fn is(&self, method: &str) -> bool {
        self.start.strip_prefix(method).is_some_and(|rest| rest.starts_with(' '))
    }

    /// The first header of this name, or nothing.
    pub(crate) fn header(&self, name: &str) -> &'a str {
        self.headers.iter().find(|header| header.0.eq_ignore_ascii_case(name)).map_or("", |header| header.1)
    }

    pub(crate) fn branch(&self) -> &'a str {
        parameter(self.header("Via"), "branch")
    }

    pub(crate) fn own_tag(&self) -> &'a str {
        parameter(self.header("From"), "tag")
    }
}

/// A long name and its value.
fn header(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(": ")?;
    let is_long = name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    is_long.then(|| (name, value.trim()))
}

/// The value of a parameter, or nothing.
fn parameter<'a>(value: &'a str, name: &str) -> &'a str {
    let found = value.split([';', ',']).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    });
    found.unwrap_or_default()
}

/// True for what keeps a NAT open, which is no message and gets no answer.
pub(crate) fn is_keep_alive(datagram: &[u8]) -> bool {
    datagram.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

/// True for what can only be a request, if it is a message at all; and for no ACK, which is never answered.
pub(crate) fn is_request(datagram: &[u8]) -> bool {
    let start = datagram.iter().position(|byte| !matches!(byte, b'\r' | b'\n' | 0)).unwrap_or(datagram.len());
    let message = &datagram[start..];
    !message.is_empty() && !message.starts_with(b"SIP/2.0 ") && !message.starts_with(b"ACK ")
}

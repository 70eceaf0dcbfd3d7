//! What the text of a field may be, and the list of what is wrong. A problem is a sentence that begins with the field.

use super::{LogFormat, Secret, line_of};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use toml::Spanned;
use tracing::Level;

const NAME_BYTES_MAX: usize = 63;

/// The file's text, the environment, and what was wrong so far.
pub(super) struct Checks<'a> {
    text: &'a str,
    environment: &'a dyn Fn(&str) -> Option<String>,
    /// Line (0 where there is none) and sentence.
    pub(super) problems: BTreeSet<(usize, String)>,
    pub(super) secret_in_file: bool,
}

impl<'a> Checks<'a> {
    pub(super) fn new(text: &'a str, environment: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { text, environment, problems: BTreeSet::new(), secret_in_file: false }
    }

    /// Notes a problem with a value.
    pub(super) fn wrong<T>(&mut self, value: &Spanned<T>, field: &str, problem: impl fmt::Display) {
        self.problems.insert((line_of(self.text, value.span().start), format!("{field} {problem}")));
    }

    /// Notes a problem with the file as a whole.
    pub(super) fn missing(&mut self, problem: &str) {
        self.problems.insert((0, problem.to_owned()));
    }

    /// Reads a value; what is wrong with it is noted.
    pub(super) fn read<T>(
        &mut self,
        value: &Spanned<String>,
        field: &str,
        read: fn(&str) -> Result<T, &'static str>,
    ) -> Option<T> {
        match read(value.as_ref()) {
            Ok(read) => Some(read),
            Err(problem) => {
                let shown: String = value.as_ref().chars().take(100).collect();
                self.wrong(value, field, format_args!("= {shown:?} {problem}"));
                None
            }
        }
    }

    /// A variable of the environment that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name).filter(|text| !text.is_empty())
    }

    /// A secret from its field, or else from its variable. Its text is never shown.
    pub(super) fn secret(
        &mut self,
        value: Option<&Spanned<String>>,
        field: &str,
        variable: &str,
    ) -> Option<Secret> {
        self.secret_in_file |= value.is_some();
        let sound = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let advice = "is empty or has characters that a header cannot carry; write ASCII without blanks";
        match (value, self.variable(variable)) {
            (Some(value), _) if !sound(value.as_ref()) => {
                self.wrong(value, field, advice);
                None
            }
            (Some(value), _) => Some(Secret(value.as_ref().clone())),
            (None, Some(text)) if !sound(&text) => {
                self.problems.insert((0, format!("environment: {variable} {advice}")));
                None
            }
            (None, text) => text.map(Secret),
        }
    }

    /// Notes values that stand more than once.
    pub(super) fn unique<'v>(&mut self, values: impl Iterator<Item = &'v Spanned<String>>, field: &str) {
        let mut first = BTreeMap::new();
        for value in values {
            let line = line_of(self.text, value.span().start);
            if let Some(first) = first.insert(value.as_ref(), line) {
                let text = value.as_ref();
                self.wrong(
                    value,
                    field,
                    format_args!("= {text:?} is taken already (line {first}); write another"),
                );
            }
        }
    }
}

pub(super) fn name(text: &str) -> Result<String, &'static str> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if text.is_empty() || text.len() > NAME_BYTES_MAX || !is_plain {
        return Err("is no name; write 1 to 63 of the characters A-Z a-z 0-9 . _ -");
    }
    Ok(text.to_owned())
}

/// A user name or an extension, which needs no escape in a SIP header or an AMI line.
pub(super) fn user(text: &str) -> Result<String, &'static str> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\:@;<>?&/".contains(&byte));
    if text.is_empty() || text.len() > 128 || !is_plain {
        return Err("is none; write ASCII without blanks and without any of \" \\ : @ ; < > ? & /");
    }
    Ok(text.to_owned())
}

pub(super) fn listen(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| r#"is no IP:port; write for example "127.0.0.1:9720""#)
}

pub(super) fn ami(text: &str) -> Result<SocketAddr, &'static str> {
    host(text, r#"is no IP:port of a server; write for example "192.0.2.11:5038""#)
}

pub(super) fn sip(text: &str) -> Result<SocketAddr, &'static str> {
    host(text, r#"is no IP:port of a server; write for example "192.0.2.11:5060""#)
}

fn host(text: &str, problem: &'static str) -> Result<SocketAddr, &'static str> {
    let address: SocketAddr = text.parse().map_err(|_| problem)?;
    let is_host = !address.ip().is_unspecified() && !address.ip().is_multicast() && address.port() != 0;
    if is_host { Ok(address) } else { Err(problem) }
}

/// `http://host:port` without a path; gives `host:port`.
pub(super) fn url(text: &str) -> Result<String, &'static str> {
    let authority = text.strip_prefix("http://").map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let is_plain = |authority: &&str| {
        let port = authority.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
        let has_port = port.and_then(|port| port.parse::<u16>().ok()).is_some_and(|port| port > 0);
        has_port && authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
    };
    authority
        .filter(is_plain)
        .map(str::to_owned)
        .ok_or(r#"is no address of a node; write http://host:port, for example "http://192.0.2.21:9710""#)
}

pub(super) fn level(text: &str) -> Result<Level, &'static str> {
    match text {
        "error" | "warn" | "info" | "debug" | "trace" => text.parse().map_err(|_| "is no level"),
        _ => Err("is no level; write error, warn, info, debug or trace"),
    }
}

pub(super) fn format(text: &str) -> Result<LogFormat, &'static str> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("is no format; write text or json"),
    }
}

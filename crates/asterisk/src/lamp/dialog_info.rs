//! Bodies of `application/dialog-info+xml` (RFC 4235): the few tags that make a lamp, by one pass over the text.

use std::fmt;

/// Deeper than any dialog-info; beyond it is junk.
const DEPTH_MAX: usize = 16;

/// What a lamp shows. Ordered from dark to bright: of several dialogs the brightest counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LampState {
    /// Dark: idle, unavailable, or no dialog at all.
    Terminated,
    /// Blinking: ringing.
    Early,
    /// Lit: in use, on hold, or in use and ringing.
    Confirmed,
}

impl LampState {
    /// The state as SIP and a metric label have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminated => "terminated",
            Self::Early => "early",
            Self::Confirmed => "confirmed",
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        match text {
            "terminated" => Some(Self::Terminated),
            "trying" | "proceeding" | "early" => Some(Self::Early),
            "confirmed" => Some(Self::Confirmed),
            _ => None,
        }
    }
}

impl fmt::Display for LampState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a body says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct DialogInfo {
    /// Grows with every change within a subscription.
    pub(crate) version: u32,
    pub(crate) state: LampState,
}

/// Why a body says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("not well-formed XML")]
    Xml,
    #[error("no dialog-info with a version")]
    Root,
    #[error("not the full state")]
    Partial,
    #[error("an unknown dialog state")]
    State,
}

/// Reads a body. The names count, not the namespace that they are in.
pub(crate) fn parse(body: &[u8]) -> Result<DialogInfo, Unreadable> {
    let text = str::from_utf8(body).map_err(|_| Unreadable::Xml)?;
    let mut tags = Tags(text);
    let mut open: Vec<&str> = Vec::new();
    let mut version = None;
    let mut state = LampState::Terminated;
    while let Some(tag) = tags.next()? {
        let inside: Vec<&str> = open.iter().copied().map(local_name).collect();
        match tag.kind {
            Kind::Close => {
                if inside == ["dialog-info", "dialog", "state"] {
                    state = state.max(LampState::from_text(tag.before.trim()).ok_or(Unreadable::State)?);
                }
                open.pop().filter(|name| *name == tag.name).ok_or(Unreadable::Xml)?;
            }
            Kind::Open | Kind::Empty => {
                if inside.is_empty() {
                    let first = version.is_none();
                    version =
                        Some(root(&tag).and_then(|root| first.then_some(root).ok_or(Unreadable::Root))?);
                }
                if tag.kind == Kind::Open {
                    open.push(tag.name);
                }
                if open.len() > DEPTH_MAX {
                    return Err(Unreadable::Xml);
                }
            }
        }
    }
    let version = version.filter(|_| open.is_empty()).ok_or(Unreadable::Xml)?;
    Ok(DialogInfo { version, state })
}

/// The version in the outermost tag.
fn root(tag: &Tag<'_>) -> Result<u32, Unreadable> {
    if local_name(tag.name) != "dialog-info" {
        return Err(Unreadable::Root);
    }
    if attribute(tag.attributes, "state")? != Some("full") {
        return Err(Unreadable::Partial);
    }
    let version = attribute(tag.attributes, "version")?.ok_or(Unreadable::Root)?;
    let digits = version.bytes().all(|byte| byte.is_ascii_digit());
    version.parse().ok().filter(|_| digits).ok_or(Unreadable::Root)
}

fn local_name(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// The value of an attribute.
fn attribute<'a>(mut attributes: &'a str, name: &str) -> Result<Option<&'a str>, Unreadable> {
    loop {
        attributes = attributes.trim_start();
        if attributes.is_empty() {
            return Ok(None);
        }
        let (found, behind) = attributes.split_once('=').ok_or(Unreadable::Xml)?;
        let behind = behind.trim_start();
        let quote = behind.chars().next().filter(|sign| matches!(sign, '"' | '\'')).ok_or(Unreadable::Xml)?;
        let (value, rest) = behind[1..].split_once(quote).ok_or(Unreadable::Xml)?;
        if found.trim_end() == name {
            return Ok(Some(value));
        }
        attributes = rest;
    }
}

/// What is left of the text.
struct Tags<'a>(&'a str);

/// One tag and the text before it.
struct Tag<'a> {
    before: &'a str,
    name: &'a str,
    attributes: &'a str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    Close,
    Empty,
}

impl<'a> Tags<'a> {
    /// The next tag; declarations and comments are skipped, a document type is refused.
    fn next(&mut self) -> Result<Option<Tag<'a>>, Unreadable> {
        loop {
            let Some((before, behind)) = self.0.split_once('<') else { return Ok(None) };
            let skipped = if behind.starts_with('?') {
                "?>"
            } else if behind.starts_with("!--") {
                "-->"
            } else {
                return self.tag(before, behind).map(Some);
            };
            (_, self.0) = behind.split_once(skipped).ok_or(Unreadable::Xml)?;
        }
    }

    fn tag(&mut self, before: &'a str, behind: &'a str) -> Result<Tag<'a>, Unreadable> {
        let end = closing_bracket(behind).ok_or(Unreadable::Xml)?;
        self.0 = &behind[end + 1..];
        let inner = &behind[..end];
        let (kind, inner) = if let Some(name) = inner.strip_prefix('/') {
            (Kind::Close, name)
        } else if let Some(inner) = inner.strip_suffix('/') {
            (Kind::Empty, inner)
        } else {
            (Kind::Open, inner)
        };
        let (name, attributes) = inner.split_once(|sign: char| sign.is_whitespace()).unwrap_or((inner, ""));
        if name.is_empty() || name.starts_with('!') {
            return Err(Unreadable::Xml);
        }
        Ok(Tag { before, name, attributes, kind })
    }
}

/// Where the tag ends; a bracket in quotes is part of it.
fn closing_bracket(text: &str) -> Option<usize> {
    let mut quote = None;
    text.bytes().position(|byte| match quote {
        None if matches!(byte, b'"' | b'\'') => {
            quote = Some(byte);
            false
        }
        None => byte == b'>',
        Some(open) => {
            quote = quote.filter(|_| byte != open);
            false
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HELD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"4\" state=\"full\" entity=\"sip:lamp@h\">\n \
        <dialog id=\"lamp\">\n  <state>confirmed</state>\n  <local>\n   <target uri=\"sip:lamp@h\">\n    \
        <param pname=\"+sip.rendering\" pvalue=\"no\" />\n   </target>\n  </local>\n </dialog>\n</dialog-info>\n";

    fn of(dialogs: &str) -> Result<LampState, Unreadable> {
        let text = format!("<dialog-info version='7' state='full'>{dialogs}</dialog-info>");
        parse(text.as_bytes()).map(|info| {
            assert_eq!(info.version, 7);
            info.state
        })
    }

    #[test]
    fn a_body_of_asterisk_is_read() {
        assert_eq!(parse(HELD.as_bytes()), Ok(DialogInfo { version: 4, state: LampState::Confirmed }));
    }

    #[test]
    fn of_several_dialogs_the_brightest_counts_and_without_any_it_is_dark() {
        let dialog = |state| format!("<dialog id=\"a\"><state> {state} </state></dialog>");
        assert_eq!(of(&(dialog("terminated") + &dialog("early"))), Ok(LampState::Early));
        assert_eq!(of(&(dialog("confirmed") + &dialog("proceeding"))), Ok(LampState::Confirmed));
        assert_eq!(of(""), Ok(LampState::Terminated));
        assert_eq!(parse(b"<dialog-info state=\"full\" version=\"1\"/>").map(|info| info.version), Ok(1));
    }

    #[test]
    fn prefixes_comments_quotes_and_states_elsewhere_do_not_mislead() {
        let text = "<!-- <a> --><d:dialog-info a='>' d:x=\"'\" version = \"2\" state=\"full\"><d:dialog>\
                    <x><state>confirmed</state></x><!-- <state>early</state> --><d:state>early</d:state></d:dialog></d:dialog-info>";
        assert_eq!(parse(text.as_bytes()), Ok(DialogInfo { version: 2, state: LampState::Early }));
    }

    #[test]
    fn what_is_no_full_state_is_refused_by_its_fault() {
        assert_eq!(of("<dialog><state>loud</state></dialog>"), Err(Unreadable::State));
        assert_eq!(of("<dialog><state/></dialog>"), Ok(LampState::Terminated));
        assert_eq!(of("<dialog></state></dialog>"), Err(Unreadable::Xml));
        assert_eq!(of(&"<a>".repeat(20_000)), Err(Unreadable::Xml));
        for (body, fault) in [
            (&HELD[..HELD.len() - 3], Unreadable::Xml),
            ("", Unreadable::Xml),
            ("Messages-Waiting: no", Unreadable::Xml),
            ("<presence/>", Unreadable::Root),
            ("<dialog-info state=\"full\"/>", Unreadable::Root),
            ("<dialog-info state=\"full\" version=\"+1\"/>", Unreadable::Root),
            (
                "<dialog-info state=\"full\" version=\"1\"/><dialog-info state=\"full\" version=\"2\"/>",
                Unreadable::Root,
            ),
            ("<dialog-info state=\"partial\" version=\"1\"/>", Unreadable::Partial),
            ("<dialog-info state=full version=\"1\"/>", Unreadable::Xml),
            ("<!DOCTYPE a [<!ENTITY b \"c\">]><dialog-info state=\"full\" version=\"1\"/>", Unreadable::Xml),
        ] {
            assert_eq!(parse(body.as_bytes()), Err(fault), "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn a_damaged_body_is_read_or_refused(
            edits in prop::collection::vec((0..HELD.len(), any::<u8>()), 1..8), cut in 0..HELD.len() + 1,
        ) {
            let mut bytes = HELD.as_bytes().to_vec();
            for (at, byte) in edits {
                bytes[at] = byte;
            }
            let _ = parse(&bytes[..cut]);
        }

        #[test]
        fn any_tags_are_read_or_refused(text in "(<[/?!]?(dialog-info|dialog|state|é)?( version=\"1\"| state='full'|=\"|')*[ /-]{0,2}>?|early){0,12}") {
            let _ = parse(text.as_bytes());
        }
    }
}

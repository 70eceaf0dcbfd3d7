//! The dialog of one subscription (RFC 3261, 12): what names it, and which of its NOTIFYs is newer.

use crate::ids::Ids;
use crate::message::{Fields, Request, tag};

/// More than any Contact of a PBX.
const TARGET_BYTES_MAX: usize = 256;

/// One dialog, from our first SUBSCRIBE on.
#[derive(Debug)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    own_tag: String,
    cseq: u32,
    /// The server's side, once it is known.
    remote_tag: Option<String>,
    /// The server's Contact, where requests within the dialog go.
    target: Option<String>,
    seen: Option<u32>,
    version: Option<u32>,
}

/// How a NOTIFY stands to the ones before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    Newer,
    /// The last one again.
    Repeated,
    /// It was overtaken on its way.
    Older,
}

impl Dialog {
    /// A dialog whose Call-ID names the position of its subscription.
    pub(crate) fn new(position: usize, ids: &mut Ids) -> Self {
        let call_id = format!("{position}.{}", ids.token());
        let own_tag = ids.token();
        Self { call_id, own_tag, cseq: 0, remote_tag: None, target: None, seen: None, version: None }
    }

    /// The position in a Call-ID of ours.
    pub(crate) fn position(call_id: &str) -> Option<usize> {
        call_id.split_once('.').and_then(|(position, _)| position.parse().ok())
    }

    /// True when this request of the server belongs here.
    pub(crate) fn holds(&self, request: &Request<'_>) -> bool {
        let header_tag = |name| request.fields.header(name).and_then(tag);
        let remote = header_tag("From");
        self.call_id == request.fields.call_id()
            && header_tag("To") == Some(&self.own_tag)
            && (self.remote_tag.is_none() || remote == self.remote_tag.as_deref())
    }

    /// Takes the server's tag, and its Contact if it can be written into a request line.
    pub(crate) fn learn(&mut self, address: &'static str, fields: &Fields<'_>) {
        if self.remote_tag.is_none() {
            self.remote_tag = fields.header(address).and_then(tag).map(str::to_owned);
        }
        let contact = fields.header("Contact").unwrap_or_default();
        let inside = contact.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(uri, _)| uri);
        let uri = inside.unwrap_or_else(|| contact.split(';').next().unwrap_or_default());
        let plain = uri.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>'));
        if plain && uri.starts_with("sip:") && uri.len() <= TARGET_BYTES_MAX {
            self.target = Some(uri.to_owned());
        }
    }

    /// Where a NOTIFY stands by its CSeq; a newer one is noted.
    pub(crate) fn order(&mut self, cseq: u32) -> Order {
        match self.seen {
            Some(seen) if cseq < seen => Order::Older,
            Some(seen) if cseq == seen => Order::Repeated,
            Some(_) | None => {
                self.seen = Some(cseq);
                Order::Newer
            }
        }
    }

    /// Notes the version of a document; false when it is less than that of an earlier one.
    pub(crate) fn advance(&mut self, version: u32) -> bool {
        let grows = self.version.is_none_or(|last| version >= last);
        if grows {
            self.version = Some(version);
        }
        grows
    }

    /// Where the next request goes: the server's Contact, or `first`, the address of the lamp.
    pub(crate) fn target(&self, first: &str) -> String {
        self.target.as_deref().unwrap_or(first).to_owned()
    }

    /// Our side and theirs of the next request, as From and To have them, and its number.
    pub(crate) fn next(&mut self, from: &str, to: &str) -> (String, String, u32) {
        self.cseq += 1;
        let to = match &self.remote_tag {
            Some(remote) => format!("<{to}>;tag={remote}"),
            None => format!("<{to}>"),
        };
        (format!("<{from}>;tag={}", self.own_tag), to, self.cseq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    fn notify(from_tag: &str, to_tag: &str, call_id: &str, contact: &str) -> String {
        format!(
            "NOTIFY sip:w@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=b\r\nFrom: <sip:lamp@h>;tag={from_tag}\r\n\
             To: <sip:w@h>;tag={to_tag}\r\nCall-ID: {call_id}\r\nCSeq: 5 NOTIFY\r\nContact: {contact}\r\n\r\n"
        )
    }

    fn with<T>(text: &str, use_it: impl FnOnce(&Request<'_>) -> T) -> T {
        let Ok(Message::Request(request)) = Message::parse(text.as_bytes()) else { panic!("no request") };
        use_it(&request)
    }

    #[test]
    fn a_notify_belongs_by_call_id_and_both_tags() {
        let mut dialog = Dialog::new(3, &mut Ids::new(1));
        let (call, own) = (dialog.call_id.clone(), dialog.own_tag.clone());
        assert_eq!(Dialog::position(&call), Some(3));
        let first = notify("theirs", &own, &call, "<sip:h:5070>;expires=3");
        assert!(with(&first, |request| dialog.holds(request)), "the first one names the server's side");
        with(&first, |request| dialog.learn("From", &request.fields));
        assert!(with(&first, |request| dialog.holds(request)));
        for other in [
            notify("other", &own, &call, "<sip:h>"),
            notify("theirs", "other", &call, "<sip:h>"),
            notify("theirs", &own, "3.other", "<sip:h>"),
        ] {
            assert!(!with(&other, |request| dialog.holds(request)), "{other}");
        }
        assert_eq!(dialog.target("sip:lamp@h"), "sip:h:5070");
        let (from, to, cseq) = dialog.next("sip:w@us", "sip:lamp@h");
        assert_eq!(
            (from, to.as_str(), cseq),
            (format!("<sip:w@us>;tag={own}"), "<sip:lamp@h>;tag=theirs", 1)
        );
    }

    #[test]
    fn a_contact_that_would_break_the_request_line_is_not_used() {
        for contact in ["<sip:h h>", "<tel:1>", "sip:\"h", "", &format!("<sip:{}>", "h".repeat(300))] {
            let mut dialog = Dialog::new(0, &mut Ids::new(1));
            let text = notify("t", "o", "c", contact);
            with(&text, |request| dialog.learn("From", &request.fields));
            assert_eq!(dialog.target("sip:lamp@h"), "sip:lamp@h", "{contact}");
        }
    }

    #[test]
    fn the_highest_cseq_and_version_count() {
        let mut dialog = Dialog::new(0, &mut Ids::new(1));
        assert_eq!(
            [7, 7, 6, 9].map(|cseq| dialog.order(cseq)),
            [Order::Newer, Order::Repeated, Order::Older, Order::Newer]
        );
        assert_eq!([3, 3, 2, 4].map(|version| dialog.advance(version)), [true, true, false, true]);
    }
}

//! The event state compositor (RFC 3903) for one server: its publications at our side.
//!
//! Expiries are kept with 64 s of grace, because Asterisk renews a publication only after it has expired.
//! Less than 60 s is refused with 423: whether a server lives is told by OPTIONS within seconds, so a brief
//! publication would only cost datagrams.

use crate::body::{self, Body, Package};
use crate::counters::DropKind;
use crate::ids::Ids;
use crate::message::Request;
use presence::{Change, Eid};
use std::collections::BTreeMap;
use std::time::Duration;

/// Grace after the expiry of a publication.
const GRACE: Duration = Duration::from_secs(64);
/// Asterisk's own default, for a request without Expires.
const EXPIRES_DEFAULT_S: u32 = 3600;
/// The briefest publication that is kept.
const EXPIRES_MIN_S: u32 = 60;
const EXPIRES_MIN: &str = "60";
/// Publications of one server. It has two; the rest is room for those that a restart left behind.
const PUBLICATIONS_MAX: usize = 16;

/// Publications of one server, by entity tag.
#[derive(Debug)]
pub(crate) struct Compositor {
    publications: BTreeMap<String, Publication>,
}

#[derive(Debug)]
struct Publication {
    package: Package,
    touched: Duration,
    until: Duration,
    call_id: String,
    cseq: u32,
}

/// A PUBLISH that can be obeyed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Ask {
    package: Package,
    tag: Option<String>,
    expires_s: u32,
    call_id: String,
    cseq: u32,
    pub(crate) what: What,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum What {
    /// No body: the publication lives on.
    Renew,
    /// The publication ends.
    Remove,
    /// The server with this EID wants to be told everything.
    Refresh { eid: Eid },
    /// The server states something.
    State { eid: Eid, change: Change },
}

/// A PUBLISH that cannot be obeyed: the answer, and how it is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) reason: &'static str,
    pub(crate) header: Option<(&'static str, &'static str)>,
    pub(crate) kind: DropKind,
}

/// What became of a publication.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Kept {
    pub(crate) tag: String,
    pub(crate) expires_s: u32,
    /// An older publication had to go for it.
    pub(crate) evicted: bool,
}

impl Ask {
    /// Whether it begins a publication, and so does not go on with one that the server knows of.
    pub(crate) fn is_initial(&self) -> bool {
        self.tag.is_none()
    }

    pub(crate) fn same_package(&self, other: &Self) -> bool {
        self.package == other.package
    }
}

impl Compositor {
    pub(crate) fn new() -> Self {
        Self { publications: BTreeMap::new() }
    }

    /// Reads a PUBLISH against what is published; changes nothing.
    pub(crate) fn judge(&self, request: &Request<'_>) -> Result<Ask, Refusal> {
        let fields = &request.fields;
        let package = fields.header("Event").and_then(Package::from_header).ok_or(Refusal {
            code: 489,
            reason: "Bad Event",
            header: Some(("Allow-Events", Package::NAMES)),
            kind: DropKind::EventPackage,
        })?;
        let tag = fields.header("SIP-If-Match").map(str::to_owned);
        self.check_tag(package, tag.as_deref())?;
        self.check_order(fields.call_id(), request.cseq)?;
        let expires_s =
            fields.number("Expires").map_err(|_| bad("Expires is not a number", DropKind::Request))?;
        let expires_s = expires_s.unwrap_or(EXPIRES_DEFAULT_S);
        if expires_s == 0 && tag.is_none() {
            return Err(bad("Expires is 0 without SIP-If-Match", DropKind::Request));
        }
        if (1..EXPIRES_MIN_S).contains(&expires_s) {
            return Err(Refusal {
                code: 423,
                reason: "Interval Too Brief",
                header: Some(("Min-Expires", EXPIRES_MIN)),
                kind: DropKind::TooBrief,
            });
        }
        let what = match expires_s {
            0 => What::Remove,
            _ if fields.body.is_empty() => What::Renew,
            _ => read_body(package, request)?,
        };
        let call_id = fields.call_id().to_owned();
        Ok(Ask { package, tag, expires_s, call_id, cseq: request.cseq, what })
    }

    /// Does what was asked and names the publication anew; the old name is void.
    pub(crate) fn obey(&mut self, now: Duration, ask: Ask, ids: &mut Ids) -> Kept {
        if let Some(tag) = &ask.tag {
            self.publications.remove(tag);
        }
        let tag = ids.token();
        let mut kept = Kept { tag: tag.clone(), expires_s: ask.expires_s, evicted: false };
        if ask.what == What::Remove {
            return kept;
        }
        if self.publications.len() >= PUBLICATIONS_MAX {
            let oldest = self.publications.iter().min_by_key(|(_, publication)| publication.touched);
            let oldest = oldest.map(|(tag, _)| tag.clone());
            kept.evicted = oldest.is_some_and(|tag| self.publications.remove(&tag).is_some());
        }
        let until = now + Duration::from_secs(u64::from(ask.expires_s)) + GRACE;
        let Ask { package, call_id, cseq, .. } = ask;
        self.publications.insert(tag, Publication { package, touched: now, until, call_id, cseq });
        kept
    }

    /// Drops what is over; says how many.
    pub(crate) fn expire(&mut self, now: Duration) -> usize {
        let before = self.publications.len();
        self.publications.retain(|_, publication| now < publication.until);
        before - self.publications.len()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.publications.values().map(|publication| publication.until).min()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.publications.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.publications.clear();
    }

    fn check_tag(&self, package: Package, tag: Option<&str>) -> Result<(), Refusal> {
        let known =
            |tag| self.publications.get(tag).is_some_and(|publication| publication.package == package);
        if tag.is_none_or(known) {
            return Ok(());
        }
        let reason = "Conditional Request Failed";
        Err(Refusal { code: 412, reason, header: None, kind: DropKind::EntityTag })
    }

    /// A datagram may arrive so late that its transaction is forgotten; obeying it would turn back time.
    fn check_order(&self, call_id: &str, cseq: u32) -> Result<(), Refusal> {
        let passed = |publication: &Publication| publication.call_id == call_id && cseq <= publication.cseq;
        if self.publications.values().any(passed) {
            let reason = "CSeq Is Out Of Order";
            return Err(Refusal { code: 500, reason, header: None, kind: DropKind::OutOfOrder });
        }
        Ok(())
    }
}

fn read_body(package: Package, request: &Request<'_>) -> Result<What, Refusal> {
    let content_type = request.fields.header("Content-Type").unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    if !content_type.eq_ignore_ascii_case("application/json") {
        return Err(Refusal {
            code: 415,
            reason: "Unsupported Media Type",
            header: Some(("Accept", "application/json")),
            kind: DropKind::ContentType,
        });
    }
    match body::parse(package, request.fields.body) {
        Ok(Body::Refresh { eid }) => Ok(What::Refresh { eid }),
        Ok(Body::State { eid, change }) => Ok(What::State { eid, change }),
        Err(fault) => Err(bad(fault, DropKind::Body)),
    }
}

fn bad(reason: &'static str, kind: DropKind) -> Refusal {
    Refusal { code: 400, reason, header: None, kind }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    const REFRESH: &str = r#"{"type":"refresh","eid":"00:11:22:33:44:55"}"#;
    const NOW: Duration = Duration::from_secs(100);

    struct Scene {
        compositor: Compositor,
        ids: Ids,
        cseq: u32,
    }

    impl Scene {
        fn new() -> Self {
            Self { compositor: Compositor::new(), ids: Ids::new(1), cseq: 0 }
        }

        fn judge(&mut self, headers: &str, body: &str) -> Result<Ask, Refusal> {
            self.cseq += 1;
            self.judge_in("call", self.cseq, headers, body)
        }

        fn judge_in(&self, call_id: &str, cseq: u32, headers: &str, body: &str) -> Result<Ask, Refusal> {
            let text = format!(
                "PUBLISH sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=b\r\nFrom: a\r\nTo: b\r\nCall-ID: {call_id}\r\n\
                 CSeq: {cseq} PUBLISH\r\n{headers}\r\n\r\n{body}"
            );
            let Ok(Message::Request(request)) = Message::parse(text.as_bytes()) else { panic!("no request") };
            self.compositor.judge(&request)
        }

        fn code(&mut self, headers: &str, body: &str) -> u16 {
            self.judge(headers, body).unwrap_err().code
        }

        fn obey(&mut self, now: Duration, headers: &str, body: &str) -> String {
            let ask = self.judge(headers, body).unwrap();
            self.compositor.obey(now, ask, &mut self.ids).tag
        }
    }

    const MWI: &str = "Event: asterisk-mwi\r\nContent-Type: application/json";

    #[test]
    fn a_publication_lives_under_a_new_tag_each_time() {
        let mut scene = Scene::new();
        let first = scene.obey(NOW, MWI, REFRESH);
        let second = scene.obey(NOW, &format!("{MWI}\r\nSIP-If-Match: {first}"), "");
        assert_ne!(first, second);
        assert_eq!(scene.code(&format!("{MWI}\r\nSIP-If-Match: {first}"), ""), 412);
        let other = MWI.replace("mwi", "devicestate");
        assert_eq!(scene.code(&format!("{other}\r\nSIP-If-Match: {second}"), ""), 412, "of another package");
        let ask = scene.judge(&format!("{MWI}\r\nSIP-If-Match: {second}\r\nExpires: 0"), REFRESH).unwrap();
        assert_eq!(ask.what, What::Remove);
        scene.compositor.obey(NOW, ask, &mut scene.ids);
        assert!(scene.compositor.is_empty());
    }

    #[test]
    fn a_late_renewal_without_a_body_makes_a_new_publication() {
        let mut scene = Scene::new();
        scene.obey(NOW, MWI, "");
        assert_eq!(scene.compositor.poll_timeout(), Some(NOW + Duration::from_secs(3664)));
        assert_eq!(scene.compositor.expire(NOW + Duration::from_secs(3663)), 0);
        assert_eq!(scene.compositor.expire(NOW + Duration::from_secs(3664)), 1);
    }

    #[test]
    fn what_cannot_be_obeyed_is_refused_with_its_code() {
        let mut scene = Scene::new();
        assert_eq!(scene.code("X: y", REFRESH), 489);
        assert_eq!(scene.code("Event: dialog", REFRESH), 489);
        assert_eq!(scene.code("Event: asterisk-mwi", REFRESH), 415);
        assert_eq!(scene.code(&MWI.replace("json", "xml"), REFRESH), 415);
        assert_eq!(scene.code(MWI, "{"), 400);
        assert_eq!(scene.code(&format!("{MWI}\r\nExpires: x"), REFRESH), 400);
        assert_eq!(scene.code(&format!("{MWI}\r\nExpires: 0"), REFRESH), 400);
        assert_eq!(scene.code(&format!("{MWI}\r\nExpires: 59"), REFRESH), 423);
        assert_eq!(scene.code(&format!("{MWI}\r\nSIP-If-Match: 7"), REFRESH), 412);
        assert!(scene.compositor.is_empty());
    }

    #[test]
    fn an_older_request_of_the_same_call_is_not_obeyed() {
        let mut scene = Scene::new();
        scene.cseq = 7;
        scene.obey(NOW, MWI, REFRESH);
        assert_eq!(scene.judge_in("call", 8, MWI, REFRESH).unwrap_err().code, 500);
        assert!(scene.judge_in("call", 9, MWI, REFRESH).is_ok());
        assert!(scene.judge_in("another", 8, MWI, REFRESH).is_ok());
    }

    #[test]
    fn the_oldest_publication_makes_room() {
        let mut scene = Scene::new();
        let first = scene.obey(NOW, MWI, REFRESH);
        for second in 1..PUBLICATIONS_MAX as u64 {
            scene.obey(NOW + Duration::from_secs(second), MWI, REFRESH);
        }
        let ask = scene.judge(MWI, REFRESH).unwrap();
        assert!(scene.compositor.obey(NOW * 2, ask, &mut scene.ids).evicted);
        assert_eq!(scene.compositor.publications.len(), PUBLICATIONS_MAX);
        assert_eq!(scene.code(&format!("{MWI}\r\nSIP-If-Match: {first}"), ""), 412);
    }
}

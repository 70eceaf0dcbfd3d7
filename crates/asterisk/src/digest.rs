//! Digest authentication (RFC 2617, MD5, qop "auth"): the computation, and our side as the client.

use crate::ids::{Ids, md5_hex};
use crate::message::Response;
use std::fmt;

/// User and password that a server and we share, for both directions.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

/// Without the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).field("password", &"…").finish()
    }
}

/// What goes into a digest response beside the credentials.
pub(crate) struct Inputs<'a> {
    pub(crate) realm: &'a str,
    pub(crate) nonce: &'a str,
    pub(crate) method: &'a str,
    pub(crate) uri: &'a str,
    /// `nc` and `cnonce`, where the server offers qop "auth".
    pub(crate) count: Option<(&'a str, &'a str)>,
}

impl Credentials {
    /// The digest response.
    pub(crate) fn response(&self, inputs: &Inputs<'_>) -> String {
        let Inputs { realm, nonce, method, uri, count } = inputs;
        let who = md5_hex(&format!("{}:{realm}:{}", self.user, self.password));
        let what = md5_hex(&format!("{method}:{uri}"));
        md5_hex(&match count {
            Some((nc, cnonce)) => format!("{who}:{nonce}:{nc}:{cnonce}:auth:{what}"),
            None => format!("{who}:{nonce}:{what}"),
        })
    }
}

/// The parameters of a challenge or of an authorization: `Digest a=b, c="d, e"`, quotes taken off.
pub(crate) struct Parameters<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Parameters<'a> {
    pub(crate) fn parse(header: &'a str) -> Option<Self> {
        let (scheme, mut rest) = header.trim_start().split_once([' ', '\t'])?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let mut parameters = Vec::new();
        while !rest.trim_start_matches([' ', '\t', ',']).is_empty() {
            let (name, behind) = rest.trim_start_matches([' ', '\t', ',']).split_once('=')?;
            let behind = behind.trim_start();
            let value;
            (value, rest) = match behind.strip_prefix('"') {
                Some(quoted) => quoted.split_at_checked(closing_quote(quoted)?)?,
                None => behind.split_at(behind.find(',').unwrap_or(behind.len())),
            };
            rest = rest.strip_prefix('"').unwrap_or(rest);
            parameters.push((name.trim_end(), value.trim_end()));
        }
        Some(Self(parameters))
    }

    pub(crate) fn value(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }
}

/// Where the quoted text ends; a quote behind a backslash is part of it.
fn closing_quote(quoted: &str) -> Option<usize> {
    let mut escaped = false;
    quoted.bytes().position(|byte| {
        let end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        end
    })
}

/// Quotes a text of ours for a header.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// What we know of a server's demands: its last nonce serves until it refuses it, so that not every request
/// is challenged.
#[derive(Debug)]
pub(crate) struct ClientAuth {
    credentials: Option<Credentials>,
    challenge: Option<Challenge>,
}

#[derive(Debug)]
struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    qop: bool,
    proxy: bool,
    used: u32,
}

/// Whether a challenge can be met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Learned {
    /// The nonce we used is too old; the credentials may be right.
    Stale,
    /// A nonce to try.
    Fresh,
    /// We have no credentials, or the server wants an algorithm that we lack.
    Unusable,
}

impl ClientAuth {
    pub(crate) fn new(credentials: Option<Credentials>) -> Self {
        Self { credentials, challenge: None }
    }

    /// Takes the challenge of a 401 or 407.
    pub(crate) fn learn(&mut self, response: &Response<'_>) -> Learned {
        let proxy = response.code == 407;
        let header = if proxy { "Proxy-Authenticate" } else { "WWW-Authenticate" };
        let offers = response.fields.headers(header).filter_map(Parameters::parse);
        let md5 = |offer: &Parameters<'_>| {
            offer.value("algorithm").is_none_or(|algorithm| algorithm.eq_ignore_ascii_case("MD5"))
        };
        let Some(offer) = offers.into_iter().find(md5) else { return Learned::Unusable };
        let qops = offer.value("qop").map(|qops| qops.split(',').any(|qop| qop.trim() == "auth"));
        let (Some(realm), Some(nonce), Some(_)) =
            (offer.value("realm"), offer.value("nonce"), &self.credentials)
        else {
            return Learned::Unusable;
        };
        if qops == Some(false) {
            return Learned::Unusable;
        }
        // A server may repeat a nonce that it gave before; its count goes on.
        let used = self.challenge.as_ref().filter(|last| last.nonce == nonce).map_or(0, |last| last.used);
        self.challenge = Some(Challenge {
            realm: realm.to_owned(),
            nonce: nonce.to_owned(),
            opaque: offer.value("opaque").map(str::to_owned),
            qop: qops.is_some(),
            proxy,
            used,
        });
        match offer.value("stale") {
            Some(stale) if stale.eq_ignore_ascii_case("true") => Learned::Stale,
            Some(_) | None => Learned::Fresh,
        }
    }

    /// The header that authorizes one request, once a challenge is known.
    pub(crate) fn authorize(
        &mut self,
        method: &str,
        uri: &str,
        ids: &mut Ids,
    ) -> Option<(&'static str, String)> {
        let (credentials, challenge) = (self.credentials.as_ref()?, self.challenge.as_mut()?);
        challenge.used = challenge.used.wrapping_add(1);
        let (nc, cnonce) = (format!("{:08x}", challenge.used), ids.token());
        let Challenge { realm, nonce, opaque, qop, .. } = challenge;
        let count = qop.then_some((nc.as_str(), cnonce.as_str()));
        let response = credentials.response(&Inputs { realm, nonce, method, uri, count });
        let user = quoted(&credentials.user);
        let mut value = format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm=MD5"
        );
        if let Some(opaque) = opaque {
            value.push_str(&format!(", opaque=\"{opaque}\""));
        }
        if count.is_some() {
            value.push_str(&format!(", qop=auth, cnonce=\"{cnonce}\", nc={nc}"));
        }
        Some((if challenge.proxy { "Proxy-Authorization" } else { "Authorization" }, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use proptest::prelude::*;

    fn credentials() -> Credentials {
        Credentials { user: "Mufasa".into(), password: "Circle Of Life".into() }
    }

    fn learn(auth: &mut ClientAuth, challenge: &str) -> Learned {
        let text = format!(
            "SIP/2.0 401 No\r\nVia: SIP/2.0/UDP h;branch=b\r\nFrom: a\r\nTo: b\r\nCall-ID: c\r\n\
             CSeq: 3 PUBLISH\r\nWWW-Authenticate: {challenge}\r\n\r\n"
        );
        let Ok(Message::Response(response)) = Message::parse(text.as_bytes()) else { panic!("no response") };
        auth.learn(&response)
    }

    #[test]
    fn the_example_of_the_standard_comes_out() {
        let inputs = Inputs {
            realm: "testrealm@host.com",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            method: "GET",
            uri: "/dir/index.html",
            count: Some(("00000001", "0a4f113b")),
        };
        assert_eq!(credentials().response(&inputs), "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn a_response_of_asterisk_comes_out() {
        let captured = include_str!("../tests/captured/authorized.sip");
        let header = captured.lines().find_map(|line| line.strip_prefix("Authorization: ")).unwrap();
        let answer = Parameters::parse(header).unwrap();
        let value = |name| answer.value(name).unwrap();
        let inputs = Inputs {
            realm: value("realm"),
            nonce: value("nonce"),
            method: "PUBLISH",
            uri: value("uri"),
            count: Some((value("nc"), value("cnonce"))),
        };
        let credentials = Credentials { user: "presence".into(), password: "zz".into() };
        assert_eq!(credentials.response(&inputs), value("response"));
    }

    #[test]
    fn a_nonce_is_used_again_and_counted_in_hexadecimal() {
        let mut auth = ClientAuth::new(Some(credentials()));
        let mut ids = Ids::new(1);
        assert!(auth.authorize("PUBLISH", "sip:a", &mut ids).is_none(), "nothing is known yet");
        assert_eq!(
            learn(&mut auth, r#"Digest realm="r",nonce="n",opaque="o",qop="auth,auth-int""#),
            Learned::Fresh
        );
        for _ in 0..9 {
            auth.authorize("PUBLISH", "sip:a", &mut ids).unwrap();
        }
        let (name, value) = auth.authorize("PUBLISH", "sip:a", &mut ids).unwrap();
        assert_eq!(name, "Authorization");
        let parameters = Parameters::parse(&value).unwrap();
        assert_eq!((parameters.value("nc"), parameters.value("opaque")), (Some("0000000a"), Some("o")));
        assert_eq!(learn(&mut auth, r#"Digest realm="r",nonce="m",stale=TRUE"#), Learned::Stale);
        let (_, value) = auth.authorize("PUBLISH", "sip:a", &mut ids).unwrap();
        assert_eq!(Parameters::parse(&value).unwrap().value("qop"), None);
    }

    #[test]
    fn a_challenge_that_cannot_be_met_is_known() {
        let mut auth = ClientAuth::new(Some(credentials()));
        for challenge in [
            "Basic realm=\"r\"",
            r#"Digest realm="r",nonce="n",algorithm=SHA-256"#,
            r#"Digest realm="r",nonce="n",qop="auth-int""#,
            r#"Digest nonce="n""#,
        ] {
            assert_eq!(learn(&mut auth, challenge), Learned::Unusable, "{challenge}");
        }
        assert_eq!(learn(&mut ClientAuth::new(None), r#"Digest realm="r",nonce="n""#), Learned::Unusable);
    }

    #[test]
    fn quotes_and_commas_inside_a_value_are_kept() {
        let parameters = Parameters::parse(r#"digest a="x, \"y\"", b=c ,d = "" "#).unwrap();
        assert_eq!(parameters.value("A"), Some(r#"x, \"y\""#));
        assert_eq!((parameters.value("b"), parameters.value("d")), (Some("c"), Some("")));
        assert!(Parameters::parse(r#"Digest a="open"#).is_none());
        assert!(Parameters::parse("Digest a").is_none());
    }

    #[test]
    fn the_password_is_not_shown() {
        assert!(!format!("{:?}", ClientAuth::new(Some(credentials()))).contains("Circle"));
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_refused(text in "(Digest )?[ -~é\"=,\\\\]{0,60}") {
            let _ = Parameters::parse(&text);
        }
    }
}

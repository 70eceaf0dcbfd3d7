//! Digest authentication with MD5, as Asterisk asks for it (RFC 2617 and 8760's choice among several challenges).

use md5::{Digest as _, Md5};

/// What a server asks for in WWW-Authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    qop_auth: bool,
}

impl Challenge {
    /// The first MD5 challenge among the header's values.
    pub(super) fn pick<'a>(values: impl Iterator<Item = &'a str>) -> Option<Self> {
        values.filter_map(Self::parse).next()
    }

    fn parse(value: &str) -> Option<Self> {
        let pairs = pairs(value.strip_prefix("Digest ")?);
        let field =
            |name: &str| pairs.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone());
        if field("algorithm").is_some_and(|algorithm| !algorithm.eq_ignore_ascii_case("MD5")) {
            return None;
        }
        Some(Self {
            realm: field("realm")?,
            nonce: field("nonce")?,
            opaque: field("opaque"),
            qop_auth: field("qop").is_some_and(|qop| qop.split(',').any(|word| word.trim() == "auth")),
        })
    }

    /// The value of the Authorization header.
    pub(super) fn answer(&self, method: &str, uri: &str, user: &str, password: &str, cnonce: &str) -> String {
        let Self { realm, nonce, .. } = self;
        let secret = md5(&format!("{user}:{realm}:{password}"));
        let request = md5(&format!("{method}:{uri}"));
        let (response, qop) = if self.qop_auth {
            let response = md5(&format!("{secret}:{nonce}:00000001:{cnonce}:auth:{request}"));
            (response, format!(", qop=auth, nc=00000001, cnonce=\"{cnonce}\""))
        } else {
            (md5(&format!("{secret}:{nonce}:{request}")), String::new())
        };
        let opaque = self.opaque.as_ref().map(|opaque| format!(", opaque=\"{opaque}\"")).unwrap_or_default();
        format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             response=\"{response}\", algorithm=MD5{opaque}{qop}"
        )
    }
}

fn pairs(mut text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    while let Some((name, rest)) = text.split_once('=') {
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
        };
        pairs.push((name.trim_matches([' ', ',']).to_owned(), value.trim().to_owned()));
        text = rest;
    }
    pairs
}

fn md5(text: &str) -> String {
    Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC_2617: &str = "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
        nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";

    #[test]
    fn the_answer_is_the_one_of_the_rfc() {
        let challenge = Challenge::pick([RFC_2617].into_iter()).unwrap();
        let answer = challenge.answer("GET", "/dir/index.html", "Mufasa", "Circle Of Life", "0a4f113b");
        assert!(answer.contains("response=\"6629fae49393a05397450978507c4ef1\""), "{answer}");
        assert!(answer.contains("opaque=\"5ccc069c403ebaf9f0171e9517f40e41\""), "{answer}");
    }

    #[test]
    fn md5_is_chosen_among_several_challenges() {
        let sha = "Digest realm=\"a\",nonce=\"1\",algorithm=SHA-256,qop=\"auth\"";
        let md5 = "Digest realm=\"a\",nonce=\"2\",algorithm=MD5";
        let challenge = Challenge::pick([sha, md5].into_iter()).unwrap();
        assert_eq!(
            challenge,
            Challenge { realm: "a".into(), nonce: "2".into(), opaque: None, qop_auth: false }
        );
    }

    #[test]
    fn a_broken_challenge_is_none() {
        for broken in ["", "Basic realm=\"a\"", "Digest ", "Digest realm=\"a", "Digest nonce=1,="] {
            assert_eq!(Challenge::pick([broken].into_iter()), None, "{broken}");
        }
    }
}

//! Digest authentication, our side as the server: who knocks, and did we see this very knock before.

use crate::digest::{Credentials, Inputs, Parameters};
use crate::ids::Ids;
use crate::message::Request;
use std::collections::BTreeMap;
use std::time::Duration;

/// Our realm; Asterisk's `auth` objects need not name it.
const REALM: &str = "asterism";
/// How long a nonce serves. A replay is refused by its count, so this may be long.
const NONCE_LIFE: Duration = Duration::from_secs(300);
/// Nonces of one server whose counts are remembered.
const USED_MAX: usize = 64;

/// Checks the requests of one server.
///
/// A nonce proves by itself that we made it, so nothing is kept for nonces that nobody uses.
#[derive(Debug)]
pub(crate) struct Doorman {
    credentials: Option<Credentials>,
    /// Highest `nc` by the serial number of the nonce.
    used: BTreeMap<u64, u32>,
    /// Nonces with this serial number or less count as used up unless they are in `used`.
    floor: u64,
}

/// What the doorman says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Knock {
    /// Come in.
    Welcome,
    /// No credentials yet.
    Anonymous,
    /// The credentials are right, the nonce is too old or was seen with this count.
    Stale,
    /// Wrong credentials.
    Wrong,
}

impl Doorman {
    pub(crate) fn new(credentials: Option<Credentials>) -> Self {
        Self { credentials, used: BTreeMap::new(), floor: 0 }
    }

    /// Judges a request; its source address is already the server's.
    pub(crate) fn judge(&mut self, now: Duration, request: &Request<'_>, ids: &Ids) -> Knock {
        let Some(credentials) = &self.credentials else { return Knock::Welcome };
        let answers = request.fields.headers("Authorization").filter_map(Parameters::parse);
        let Some(answer) = answers.into_iter().find(|answer| answer.value("realm") == Some(REALM)) else {
            return Knock::Anonymous;
        };
        let value = |name| answer.value(name).unwrap_or_default();
        let (nonce, nc) = (value("nonce"), value("nc"));
        let inputs = Inputs {
            realm: REALM,
            nonce,
            method: request.method,
            uri: value("uri"),
            count: Some((nc, value("cnonce"))),
        };
        let right = value("username") == credentials.user
            && value("qop") == "auth"
            && same(&value("response").to_ascii_lowercase(), &credentials.response(&inputs));
        let Some((serial, expires)) = opened(nonce, ids).filter(|_| right) else { return Knock::Wrong };
        match u32::from_str_radix(nc, 16) {
            Ok(nc) if now < expires && self.count(serial, nc) => Knock::Welcome,
            Ok(_) => Knock::Stale,
            Err(_) => Knock::Wrong,
        }
    }

    /// The value of `WWW-Authenticate` with a new nonce.
    pub(crate) fn challenge(now: Duration, stale: bool, ids: &mut Ids) -> String {
        let nonce = sealed(ids.count(), now + NONCE_LIFE, ids);
        let stale = if stale { ",stale=true" } else { "" };
        format!("Digest realm=\"{REALM}\",nonce=\"{nonce}\",algorithm=MD5,qop=\"auth\"{stale}")
    }

    /// False when the count was used before, or may have been.
    fn count(&mut self, serial: u64, nc: u32) -> bool {
        match self.used.get_mut(&serial) {
            Some(highest) if nc > *highest => *highest = nc,
            Some(_) => return false,
            None if serial <= self.floor => return false,
            None => {
                self.used.insert(serial, nc);
            }
        }
        if self.used.len() > USED_MAX
            && let Some((oldest, _)) = self.used.pop_first()
        {
            self.floor = self.floor.max(oldest);
        }
        true
    }
}

fn sealed(serial: u64, expires: Duration, ids: &Ids) -> String {
    let text = format!("{serial:x}.{:x}", expires.as_millis());
    let seal = ids.seal(&format!("nonce {text}"));
    format!("{text}.{seal}")
}

/// Serial number and expiry of a nonce, if we made it.
fn opened(nonce: &str, ids: &Ids) -> Option<(u64, Duration)> {
    let (serial, rest) = nonce.split_once('.')?;
    let (expires, _) = rest.split_once('.')?;
    let serial = u64::from_str_radix(serial, 16).ok()?;
    let expires = Duration::from_millis(u64::from_str_radix(expires, 16).ok()?);
    same(nonce, &sealed(serial, expires, ids)).then_some((serial, expires))
}

/// Equality whose time does not tell where two texts differ.
fn same(left: &str, right: &str) -> bool {
    left.len() == right.len() && left.bytes().zip(right.bytes()).fold(0, |sum, (l, r)| sum | (l ^ r)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::ClientAuth;
    use crate::message::Message;

    const NOW: Duration = Duration::from_secs(1000);

    struct Scene {
        doorman: Doorman,
        ids: Ids,
        client: ClientAuth,
    }

    fn scene(password: &str) -> Scene {
        let credentials =
            |password: &str| Some(Credentials { user: "presence".into(), password: password.into() });
        let doorman = Doorman::new(credentials("right"));
        Scene { doorman, ids: Ids::new(9), client: ClientAuth::new(credentials(password)) }
    }

    impl Scene {
        fn learn(&mut self) {
            let challenge = Doorman::challenge(NOW, false, &mut self.ids);
            let text = message("SIP/2.0 401 No", &format!("WWW-Authenticate: {challenge}"));
            let Ok(Message::Response(response)) = Message::parse(text.as_bytes()) else {
                panic!("no response")
            };
            self.client.learn(&response);
        }

        fn authorization(&mut self) -> String {
            let (name, value) = self.client.authorize("PUBLISH", "sip:x", &mut self.ids).unwrap();
            format!("{name}: {value}")
        }

        fn knock(&mut self, now: Duration, header: &str) -> Knock {
            let text = message("PUBLISH sip:x SIP/2.0", header);
            let Ok(Message::Request(request)) = Message::parse(text.as_bytes()) else { panic!("no request") };
            self.doorman.judge(now, &request, &self.ids)
        }
    }

    fn message(start: &str, header: &str) -> String {
        format!(
            "{start}\r\nVia: SIP/2.0/UDP h;branch=b\r\nFrom: a\r\nTo: b\r\nCall-ID: c\r\nCSeq: 3 PUBLISH\r\n{header}\r\n\r\n"
        )
    }

    #[test]
    fn who_knows_the_password_comes_in_with_every_new_count() {
        let mut scene = scene("right");
        assert_eq!(scene.knock(NOW, "X: y"), Knock::Anonymous);
        scene.learn();
        for _ in 0..3 {
            let header = scene.authorization();
            assert_eq!(scene.knock(NOW, &header), Knock::Welcome);
        }
    }

    #[test]
    fn a_replay_and_an_old_nonce_are_stale() {
        let mut scene = scene("right");
        scene.learn();
        let header = scene.authorization();
        assert_eq!(scene.knock(NOW, &header), Knock::Welcome);
        assert_eq!(scene.knock(NOW, &header), Knock::Stale);
        let header = scene.authorization();
        assert_eq!(scene.knock(NOW + NONCE_LIFE, &header), Knock::Stale);
    }

    #[test]
    fn a_replay_is_stale_even_when_its_nonce_is_forgotten() {
        let mut scene = scene("right");
        scene.learn();
        let first = scene.authorization();
        assert_eq!(scene.knock(NOW, &first), Knock::Welcome);
        for _ in 0..=USED_MAX {
            scene.learn();
            let header = scene.authorization();
            assert_eq!(scene.knock(NOW, &header), Knock::Welcome);
        }
        assert_eq!(scene.doorman.used.len(), USED_MAX);
        assert_eq!(scene.knock(NOW, &first), Knock::Stale);
    }

    #[test]
    fn a_wrong_password_or_a_nonce_that_is_not_ours_stays_out() {
        let mut wrong = scene("wrong");
        wrong.learn();
        let header = wrong.authorization();
        assert_eq!(wrong.knock(NOW, &header), Knock::Wrong);
        let mut foreign = scene("right");
        foreign.learn();
        let header = foreign.authorization();
        foreign.ids = Ids::new(10);
        assert_eq!(foreign.knock(NOW, &header), Knock::Wrong);
    }
}

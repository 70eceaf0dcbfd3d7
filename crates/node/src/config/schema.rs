//! The fields that a configuration may have.

/// A field with a value in quotes.
pub(super) struct Field {
    pub(super) name: &'static str,
    /// What a message shows as the way to write it.
    pub(super) example: &'static str,
    /// The environment variable that overrides it.
    pub(super) variable: Option<&'static str>,
}

pub(super) const ROOT: &[&str] = &["eid", "cluster", "sip", "http", "log", "server"];
pub(super) const CLUSTER: &[&str] = &["group", "address"];
pub(super) const SIP: &[&str] = &["listen", "address"];
pub(super) const HTTP: &[&str] = &["listen", "token"];
pub(super) const LOG: &[&str] = &["level", "format"];
pub(super) const SERVER: &[&str] = &["name", "address", "eid", "user", "password"];

pub(super) const EID: Field = field("eid", "02:00:00:00:01:21", Some("ASTERISM_EID"));

pub(super) const CLUSTER_GROUP: Field = field("group", "asterisk", None);
pub(super) const CLUSTER_ADDRESS: Field = field("address", "192.0.2.21", None);

pub(super) const SIP_LISTEN: Field = field("listen", "0.0.0.0:5060", Some("ASTERISM_SIP_LISTEN"));
pub(super) const SIP_ADDRESS: Field = field("address", "192.0.2.21:5060", None);

pub(super) const HTTP_LISTEN: Field = field("listen", "127.0.0.1:9710", Some("ASTERISM_HTTP_LISTEN"));
pub(super) const HTTP_TOKEN: Field = field("token", "...", Some("ASTERISM_HTTP_TOKEN"));

pub(super) const LOG_LEVEL: Field = field("level", "info", Some("ASTERISM_LOG"));
pub(super) const LOG_FORMAT: Field = field("format", "text", Some("ASTERISM_LOG_FORMAT"));

pub(super) const SERVER_NAME: Field = field("name", "pbx3", None);
pub(super) const SERVER_ADDRESS: Field = field("address", "192.0.2.13:5060", None);
pub(super) const SERVER_EID: Field = field("eid", "02:00:00:00:01:03", None);
pub(super) const SERVER_USER: Field = field("user", "presence", None);
pub(super) const SERVER_PASSWORD: Field = field("password", "...", None);

/// The password of every server that has a user and no password of its own.
pub(super) const PUBLISH_SECRET: &str = "ASTERISM_PUBLISH_SECRET";

const fn field(name: &'static str, example: &'static str, variable: Option<&'static str>) -> Field {
    Field { name, example, variable }
}

/// The known name that an unknown one was probably meant to be.
pub(super) fn closest(unknown: &str, known: &[&'static str]) -> Option<&'static str> {
    let near = known.iter().map(|name| (typing_errors(unknown, name), *name)).min()?;
    (near.0 <= 2 && near.0 < near.1.len()).then_some(near.1)
}

/// Levenshtein distance.
fn typing_errors(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.chars().count()]
}

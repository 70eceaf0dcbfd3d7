//! The fields that a configuration may have.

use daemon::config::Field;

pub(super) const ROOT: &[&str] = &["eid", "cluster", "sip", "devices", "http", "log", "server"];
pub(super) const CLUSTER: &[&str] = &["group", "address"];
pub(super) const SIP: &[&str] = &["listen", "address"];
pub(super) const DEVICES: &[&str] = &["ephemeral"];
pub(super) const SERVER: &[&str] = &["name", "address", "eid", "user", "password"];

pub(super) const EID: Field = field("eid", "02:00:00:00:01:21", Some("ASTERISM_EID"));

pub(super) const CLUSTER_GROUP: Field = field("group", "asterisk", None);
pub(super) const CLUSTER_ADDRESS: Field = field("address", "192.0.2.21", None);

pub(super) const SIP_LISTEN: Field = field("listen", "0.0.0.0:5060", Some("ASTERISM_SIP_LISTEN"));
pub(super) const SIP_ADDRESS: Field = field("address", "192.0.2.21:5060", None);

pub(super) const DEVICES_EPHEMERAL: Field = field("ephemeral", "Local/*", None);

pub(super) const HTTP_LISTEN: Field = field("listen", "127.0.0.1:9710", Some("ASTERISM_HTTP_LISTEN"));

pub(super) const SERVER_NAME: Field = field("name", "pbx3", None);
pub(super) const SERVER_ADDRESS: Field = field("address", "192.0.2.13:5060", None);
pub(super) const SERVER_EID: Field = field("eid", "02:00:00:00:01:03", None);
pub(super) const SERVER_USER: Field = field("user", "presence", None);
pub(super) const SERVER_PASSWORD: Field = field("password", "...", None);

/// The password of every server that has a user and no password of its own.
pub(super) const PUBLISH_SECRET: &str = "ASTERISM_PUBLISH_SECRET";

const fn field(name: &'static str, example: &'static str, variable: Option<&'static str>) -> Field {
    Field::new(name, example, variable)
}

//! The fields that a configuration may have.

use daemon::config::Field;

pub(super) const ROOT: &[&str] =
    &["eid", "cluster", "sip", "devices", "http", "log", "server", "site", "channel", "link"];
pub(super) const CLUSTER: &[&str] = &["group", "address"];
pub(super) const SIP: &[&str] = &["listen", "address"];
pub(super) const DEVICES: &[&str] = &["ephemeral"];
pub(super) const SERVER: &[&str] = &["name", "address", "eid", "user", "password", "send", "take"];

pub(super) const SITE: &[&str] = &["name", "key", "listen", "listen_tcp", "keepalive", "hold"];
pub(super) const CHANNEL: &[&str] = &["name", "devices", "mailboxes"];
pub(super) const LINK: &[&str] = &["name", "keys", "dial", "transport", "send", "take", "eids"];

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

pub(super) const SITE_NAME: Field = field("name", "east", None);
pub(super) const SITE_KEY: Field = field("key", "/etc/asterism/link.key", Some("ASTERISM_LINK_KEY"));
pub(super) const SITE_LISTEN: Field = field("listen", "0.0.0.0:4521", Some("ASTERISM_LINK_LISTEN"));
pub(super) const SITE_LISTEN_TCP: Field = field("listen_tcp", "0.0.0.0:4521", None);
pub(super) const SITE_KEEPALIVE: Field = field("keepalive", "3", None);
pub(super) const SITE_HOLD: Field = field("hold", "15", None);

pub(super) const CHANNEL_NAME: Field = field("name", "phones", None);
pub(super) const CHANNEL_DEVICES: Field = field("devices", "PJSIP/*", None);
pub(super) const CHANNEL_MAILBOXES: Field = field("mailboxes", "*@default", None);

pub(super) const LINK_NAME: Field = field("name", "west-node1", None);
pub(super) const LINK_KEYS: Field = field("keys", "SHA256:JEj35IEopdl2xFPDjGyXUW2Y2yAkMpfPG6YaWfACHOA", None);
pub(super) const LINK_DIAL: Field = field("dial", "west.example.net:4521", None);
pub(super) const LINK_TRANSPORT: Field = field("transport", "udp", None);
/// Of links and of servers.
pub(super) const SEND: Field = field("send", "phones", None);
pub(super) const TAKE: Field = field("take", "phones", None);
pub(super) const LINK_EIDS: Field = field("eids", "02:00:00:00:02:01", None);

/// The password of every server that has a user and no password of its own.
pub(super) const PUBLISH_SECRET: &str = "ASTERISM_PUBLISH_SECRET";

const fn field(name: &'static str, example: &'static str, variable: Option<&'static str>) -> Field {
    Field::new(name, example, variable)
}

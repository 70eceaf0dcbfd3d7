//! The fields that a configuration may have.

use daemon::config::Field;

pub(super) const ROOT: &[&str] = &["site", "http", "log", "server", "node", "corosync", "canary"];
pub(super) const SERVER: &[&str] =
    &["name", "site", "ami", "user", "secret", "node", "sip", "lamps", "sip_user", "sip_secret"];
pub(super) const NODE: &[&str] = &["name", "site", "url", "token"];
pub(super) const COROSYNC: &[&str] = &["enabled"];
pub(super) const CANARY: &[&str] = &["enabled", "rate_per_s"];

pub(super) const SITE: Field = Field::new("site", "east", None);

pub(super) const HTTP_LISTEN: Field = Field::new("listen", "127.0.0.1:9720", Some("ASTERISM_HTTP_LISTEN"));

pub(super) const SERVER_NAME: Field = Field::new("name", "pbx1", None);
pub(super) const SERVER_AMI: Field = Field::new("ami", "192.0.2.11:5038", None);
pub(super) const SERVER_USER: Field = Field::new("user", "exporter", None);
pub(super) const SERVER_SECRET: Field = Field::new("secret", "...", None);
pub(super) const SERVER_NODE: Field = Field::new("node", "node1", None);
pub(super) const SERVER_SIP: Field = Field::new("sip", "192.0.2.11:5060", None);
pub(super) const SERVER_LAMPS: Field = Field::new("lamps", "1001", None);
pub(super) const SERVER_SIP_USER: Field = Field::new("sip_user", "watcher", None);
pub(super) const SERVER_SIP_SECRET: Field = Field::new("sip_secret", "...", None);

pub(super) const NODE_NAME: Field = Field::new("name", "node1", None);
pub(super) const NODE_URL: Field = Field::new("url", "http://192.0.2.21:9710", None);
pub(super) const NODE_TOKEN: Field = Field::new("token", "...", None);

pub(super) const COROSYNC_ENABLED: Field = Field::new("enabled", "true", None);

pub(super) const CANARY_ENABLED: Field = Field::new("enabled", "false", None);
pub(super) const CANARY_RATE: Field = Field::new("rate_per_s", "1.0", None);

/// The secrets of every server and node without one of its own.
pub(super) const AMI_SECRET: &str = "ASTERISM_AMI_SECRET";
pub(super) const SIP_SECRET: &str = "ASTERISM_SIP_SECRET";
pub(super) const NODE_SECRET: &str = "ASTERISM_NODE_TOKEN";

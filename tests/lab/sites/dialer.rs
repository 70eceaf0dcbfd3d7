//! Somebody who dials a node of east as a peer would, with one key or another.

use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use lab::{NODES, env_values};
use link::{Config, Events, Fingerprint, PeerConfig, PrivateKey, Session, Transport};

use crate::stage::Stage;

const PORT: u16 = 4521;
/// The node of west whose key is abused.
pub(super) const ABUSED: usize = 0;

/// Where the first node of east listens for peers.
pub(super) fn door(stage: &Stage) -> Result<SocketAddr> {
    Ok(SocketAddr::from((stage.lab.address(NODES[0].host)?, PORT)))
}

/// Dials the first node of east there.
pub(super) fn dial(address: SocketAddr, key: PrivateKey) -> Result<(Session, Events)> {
    let peer = PeerConfig {
        name: NODES[0].name.to_owned(),
        dial: Some(address.to_string().parse()?),
        transport: Transport::Udp,
        keys: vec![print_of_east_node1()?],
    };
    let config = Config {
        key,
        listen_udp: Some(SocketAddr::from(([0, 0, 0, 0], 0))),
        listen_tcp: None,
        peers: vec![peer],
        keepalive: Duration::from_secs(3),
        hold: Duration::from_secs(15),
    };
    Ok(Session::start(config)?)
}

/// By what the first node of east is known.
pub(super) fn print_of_east_node1() -> Result<Fingerprint> {
    Ok(value("PRINT_EAST_NODE1")?.parse()?)
}

/// The key that east takes for west-node1's.
pub(super) fn key_of_west_node1() -> Result<PrivateKey> {
    let path = file("west-node1");
    let pem =
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", value("KEY_WEST_NODE1")?);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    std::io::Write::write_all(&mut file, pem.as_bytes())?;
    let key = PrivateKey::load(&path);
    std::fs::remove_file(&path)?;
    Ok(key?)
}

/// A key that nobody knows.
pub(super) fn strange_key() -> Result<PrivateKey> {
    let path = file("stranger");
    let key = PrivateKey::create(&path);
    std::fs::remove_file(&path)?;
    Ok(key?)
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}.key", std::process::id()))
}

/// As the nodes of the lab have it.
fn value(name: &str) -> Result<String> {
    env_values()?.remove(name).with_context(|| format!("compose/.env has no {name}"))
}

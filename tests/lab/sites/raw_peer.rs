//! An accepted peer that does not speak as nodes do: TLS on TCP with the right key, and behind it whatever bytes we like.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use lab::WEST_NODES;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::dialer::{self, ABUSED};
use super::linked;
use crate::stage::{SOON, STARTED, Stage, eventually};

/// A sign of life, as WIRE.md has it: what any peer may say first.
const PING: &[u8] = b"\x01\x00\x00\x00\x0c\x00\x00\x00\x01\x00\x00\x00\x00\x00\x0f\x42\x40";
/// A frame that claims to be too long, and one that ends within a number.
const JUNK: [(&[u8], &str); 2] = [
    (b"\x14\x00\x01\x00\x01", "a frame of 65537 bytes; at most 65536 are allowed"),
    (b"\x12\x00\x00\x00\x02\x01\x01", "a frame of type 0x12 is cut off"),
];

pub(super) async fn run(stage: Stage) -> Result<()> {
    let node = stage.node(1)?;
    let door = dialer::door(&stage)?;
    stage.lab.docker().stop(&[WEST_NODES[ABUSED].name]).await?;
    for (junk, why) in JUNK {
        let since = SystemTime::now();
        let told = last_word(door, &[PING, junk].concat()).await?;
        ensure!(told.contains(why), "the peer is told {told:?}, not {why:?}");
        eventually("the node's log tells why the link ended", SOON, || async {
            Ok(stage.lab.docker().logs(node.spec.name, since).await?.contains(why))
        })
        .await?;
    }
    let lamp = stage.new_lamp().await?;
    stage.pbx("west-pbx2")?.set(&lamp.device, "INUSE").await?;
    lamp.lit(&super::at(&stage, lab::Site::East), SOON).await?;
    stage.lab.docker().start(&[WEST_NODES[ABUSED].name]).await?;
    linked(&stage.lab, STARTED).await
}

/// Says these bytes and returns all that the node answers until it hangs up.
async fn last_word(door: SocketAddr, bytes: &[u8]) -> Result<String> {
    let stream = TcpStream::connect(door).await?;
    let client = link::tls_client(&dialer::key_of_west_node1()?, vec![dialer::print_of_east_node1()?]);
    let name = ServerName::try_from("asterism")?;
    let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await?;
    stream.write_all(bytes).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    let end = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await;
    // However it ends: what counts is that it does.
    drop(end.context("the node does not hang up")?);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

//! Strangers at the links' door: garbage, a key that nobody knows, and a thousand connections that never say who they are.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use link::Event;
use tokio::net::{TcpStream, UdpSocket};

use super::dialer;
use crate::stage::{SOON, Stage};

const DATAGRAMS: usize = 5_000;
const CONNECTIONS: usize = 1_000;
/// What the door may cost, in bytes.
const MEMORY: f64 = 64.0 * 1024.0 * 1024.0;

pub(super) async fn run(stage: Stage) -> Result<()> {
    let node = stage.node(1)?;
    let door = dialer::door(&stage)?;
    let resident = async || anyhow::Ok(node.metrics().await?.sum("process_resident_memory_bytes", &[]));
    let before = resident().await?;
    let lamp = stage.new_lamp().await?;

    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    socket.connect(door).await?;
    for number in 0..DATAGRAMS {
        // Long headers of QUIC with any version, short ones of connections that are none, and what is nothing at all.
        let length = [1, 20, 1_200, 1_472][number % 4];
        let mut datagram: Vec<u8> = (0..length).map(|at| (at * 31 + number * 7) as u8).collect();
        datagram[0] = [0xc3, 0x40, 0xff, 0x00][number / 4 % 4];
        // A full buffer of this host is no loss to anybody.
        let _ = socket.try_send(&datagram);
        if number % 50 == 0 {
            tokio::task::yield_now().await;
        }
    }
    turned_away(door).await?;
    let mut open = Vec::new();
    for number in 0..CONNECTIONS {
        if let Ok(Ok(stream)) = tokio::time::timeout(SOON, TcpStream::connect(door)).await {
            if number % 3 == 0 {
                let _ = stream.try_write(&[0x16, 0x03, 0x01, 0xff, 0xff, 0x01]);
            }
            open.push(stream);
        }
    }
    stage.pbx("west-pbx1")?.set(&lamp.device, "INUSE").await?;
    lamp.lit(&stage.all(), SOON).await?;
    stage.pbx("pbx1")?.set(&lamp.device, "RINGING").await?;
    stage.pbx("west-pbx1")?.set(&lamp.device, "NOT_INUSE").await?;
    lamp.shows(&stage.all(), 8, SOON).await?;
    let after = resident().await?;
    ensure!(after - before < MEMORY, "{} MiB for strangers", (after - before) / 1024.0 / 1024.0);
    let links = node.links().await?;
    ensure!(links.iter().all(|link| link.up), "strangers have taken a link down: {links:?}");
    let refused = node.metrics().await?.sum("asterism_node_link_refused_total", &[]);
    ensure!(refused > 0.0, "nobody is counted as refused");
    Ok(())
}

/// Who has another key never gets in, and is told why.
async fn turned_away(door: SocketAddr) -> Result<()> {
    let (session, mut events) = dialer::dial(door, dialer::strange_key()?)?;
    let first = tokio::time::timeout(SOON, events.recv()).await.context("nobody answers the stranger")?;
    session.stop(SOON).await;
    let told = matches!(&first, Some(Event::Down { why, .. }) if why.contains("does not know our key"));
    ensure!(told, "a stranger with a key of his own is told {first:?}");
    Ok(())
}

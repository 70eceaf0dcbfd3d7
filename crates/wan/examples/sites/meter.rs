//! What the relay counts, and where samples lie.

use crate::Failure;
use serde::Serialize;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// What went one way through a relay: of UDP datagrams without the headers of IP and UDP, of TCP pieces of the stream.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct Passed {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

impl Passed {
    pub(crate) fn since(self, before: Self) -> Self {
        Self { packets: self.packets - before.packets, bytes: self.bytes - before.bytes }
    }
}

/// What has passed a relay, out and back, as its metrics say.
pub(crate) fn passed(control: SocketAddr, relay: &str) -> Result<[Passed; 2], Failure> {
    let mut stream = TcpStream::connect(control)?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    let value = |metric, direction| -> Result<u64, Failure> {
        let name = format!("asterism_wan_{metric}_total{{relay=\"{relay}\",direction=\"{direction}\"}} ");
        let value = page.lines().find_map(|line| line.strip_prefix(name.as_str()));
        Ok(value.map_or(Ok(0), str::parse)?)
    };
    let way = |direction| -> Result<Passed, Failure> {
        Ok(Passed { packets: value("packets", direction)?, bytes: value("bytes", direction)? })
    };
    Ok([way("out")?, way("back")?])
}

/// Where samples lie, in milliseconds.
#[derive(Serialize)]
pub(crate) struct Spread {
    samples: usize,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl Spread {
    pub(crate) fn of(mut samples: Vec<Duration>) -> Self {
        samples.sort_unstable();
        let at = |share: f64| {
            let rank = (share * samples.len() as f64).ceil() as usize;
            samples.get(rank.max(1) - 1).map_or(f64::NAN, |sample| sample.as_secs_f64() * 1e3)
        };
        Self { samples: samples.len(), p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1.0) }
    }
}

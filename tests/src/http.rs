//! A small HTTP client that shows the lab's token, and what it reads of metrics.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TIMEOUT: Duration = Duration::from_secs(5);
const RESPONSE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Samples by their name with labels, as `/metrics` shows them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self(lines.filter_map(sample).collect())
    }

    /// The sum of all samples of a metric whose labels contain all of these texts (`reason="eid"`).
    pub fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let wanted = |key: &str| {
            let (metric, rest) = key.split_at(key.find('{').unwrap_or(key.len()));
            metric == name && labels.iter().all(|label| rest.contains(label))
        };
        self.0.iter().filter(|(key, _)| wanted(key)).map(|(_, value)| value).sum()
    }

    /// The names of all metrics.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|key| key.split('{').next().unwrap_or(key))
    }
}

/// The first value after the labels; what follows it is a timestamp or an exemplar.
fn sample(line: &str) -> Option<(String, f64)> {
    let labels_end = line.find('{').and_then(|_| line.find("} ")).map_or(0, |at| at + 1);
    let name_end = labels_end + line[labels_end..].find(' ')?;
    let value = line[name_end..].split_whitespace().next()?.parse().ok()?;
    Some((line[..name_end].to_owned(), value))
}

/// The client of a node or an exporter.
#[derive(Clone, Debug)]
pub struct Http {
    address: SocketAddr,
    token: String,
}

impl Http {
    pub(crate) fn new(address: SocketAddr, token: &str) -> Self {
        Self { address, token: token.to_owned() }
    }

    /// All counters and gauges.
    pub async fn metrics(&self) -> Result<Metrics> {
        let (status, body) = self.fetch("/metrics").await?;
        ensure!(status == 200, "{} answers /metrics with {status}", self.address);
        Ok(Metrics::parse(&body))
    }

    /// GETs a path: status and body.
    pub async fn fetch(&self, path: &str) -> Result<(u16, String)> {
        self.send("GET", path, "").await
    }

    /// Sends a request with this method and body: status and body of the answer.
    pub async fn send(&self, method: &str, path: &str, body: &str) -> Result<(u16, String)> {
        let context = || format!("{} does not answer {method} {path}", self.address);
        let exchange = self.exchange(method, path, body);
        tokio::time::timeout(TIMEOUT, exchange).await.with_context(context)?.with_context(context)
    }

    async fn exchange(&self, method: &str, path: &str, body: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(self.address).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            self.token,
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut response = Vec::new();
        stream.take(RESPONSE_BYTES_MAX).read_to_end(&mut response).await?;
        parse_response(&String::from_utf8_lossy(&response))
    }
}

fn parse_response(response: &str) -> Result<(u16, String)> {
    let (head, body) = response.split_once("\r\n\r\n").context("an HTTP response without end of headers")?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no HTTP status")?;
    ensure!(!head.to_ascii_lowercase().contains("transfer-encoding: chunked"), "a chunked HTTP response");
    Ok((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_summed_over_the_labels_not_named() {
        let text = "# HELP x\nevents_total{kind=\"device_state\",path=\"cpg\"} 5\n\
                    events_total{kind=\"mwi\",path=\"a} b\"} 2 # {trace=\"1\"} 3\nevents_total_other 9\nplain 1.5 1700000000\n# EOF\n";
        let metrics = Metrics::parse(text);
        assert_eq!(metrics.sum("events_total", &["kind=\"device_state\""]), 5.0);
        assert_eq!(metrics.sum("plain", &[]), 1.5);
        assert_eq!(metrics.sum("missing", &[]), 0.0);
        assert!(metrics.names().any(|name| name == "events_total_other"));
    }

    #[test]
    fn a_response_is_split_into_status_and_body() {
        let parsed = parse_response("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        assert_eq!(parsed, (404, "{}".to_owned()));
        assert!(parse_response("").is_err());
        assert!(parse_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0").is_err());
    }
}

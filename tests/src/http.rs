//! A small HTTP client that shows the lab's token.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const TIMEOUT: Duration = Duration::from_secs(5);
const RESPONSE_BYTES_MAX: u64 = 64 * 1024 * 1024;

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

    /// GETs a path: status and body.
    pub async fn fetch(&self, path: &str) -> Result<(u16, String)> {
        let context = || format!("{} does not answer {path}", self.address);
        tokio::time::timeout(TIMEOUT, self.exchange(path)).await.with_context(context)?.with_context(context)
    }

    async fn exchange(&self, path: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(self.address).await?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            self.address, self.token
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
    fn a_response_is_split_into_status_and_body() {
        let parsed = parse_response("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        assert_eq!(parsed, (404, "{}".to_owned()));
        assert!(parse_response("").is_err());
        assert!(parse_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0").is_err());
    }
}

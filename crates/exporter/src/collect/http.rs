//! One small HTTP request, within bounds: no body, one answer, and the connection is closed.

use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(2);
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("no answer within {} s", TIMEOUT.as_secs())]
    Late,
    #[error("the answer is no HTTP, or longer than {ANSWER_BYTES_MAX} bytes")]
    Malformed,
}

/// Status and body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Asks `host:port` for a path.
pub(crate) async fn get(authority: &str, path: &str, token: Option<&str>) -> Result<Reply, Failure> {
    timeout(TIMEOUT, ask(authority, path, token)).await.map_err(|_| Failure::Late)?
}

async fn ask(authority: &str, path: &str, token: Option<&str>) -> Result<Reply, Failure> {
    let mut stream = TcpStream::connect(authority).await?;
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    // HTTP/1.0: the answer comes in one piece and ends with the connection.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\n{authorization}\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut answer).await?;
    parse(&answer).ok_or(Failure::Malformed)
}

fn parse(answer: &[u8]) -> Option<Reply> {
    if answer.len() as u64 > ANSWER_BYTES_MAX {
        return None;
    }
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = str::from_utf8(&answer[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let is_http = words.next()?.starts_with("HTTP/1.");
    let status = words.next()?.parse().ok().filter(|status| is_http && (100..600).contains(status))?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let body = &answer[end + 4..];
    let is_whole = length.is_none_or(|(_, length)| length.trim().parse() == Ok(body.len()));
    is_whole.then(|| Reply { status, body: body.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_its_status_and_its_body() {
        let answer = b"HTTP/1.0 503 Service Unavailable\r\nContent-Length: 2\r\nx: y\r\n\r\n{}";
        assert_eq!(parse(answer), Some(Reply { status: 503, body: b"{}".to_vec() }));
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\n\r\n").map(|reply| reply.body.len()), Some(0));
    }

    #[test]
    fn what_is_no_whole_answer_is_refused() {
        for junk in [
            &b""[..],
            b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n{}",
            b"HTTP/1.0 2 OK\r\n\r\n",
            b"SSH-2.0-x\r\n\r\n",
            b"HTTP/1.0 200 OK",
            b"HTTP/1.0 \xff\r\n\r\n",
        ] {
            assert_eq!(parse(junk), None);
        }
        assert_eq!(parse(&vec![b' '; 2 * 1024 * 1024]), None);
    }
}

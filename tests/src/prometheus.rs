//! The lab's Prometheus: what it answers to a query, and which alerts fire.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PORT: u16 = 9090;
const TIMEOUT: Duration = Duration::from_secs(5);

/// The HTTP client of Prometheus.
#[derive(Clone, Debug)]
pub struct Prometheus {
    address: SocketAddr,
}

/// One series of an answer.
#[derive(Clone, Debug, Deserialize)]
pub struct Sample {
    /// Its labels.
    pub metric: std::collections::BTreeMap<String, String>,
    /// The time and the value, as text.
    pub value: (f64, String),
}

impl Prometheus {
    pub(crate) fn new(address: Ipv4Addr) -> Self {
        Self { address: (address, PORT).into() }
    }

    /// What an expression gives now.
    pub async fn query(&self, expr: &str) -> Result<Vec<Sample>> {
        let mut json = self
            .fetch("/api/v1/query", &format!("query={}", encode(expr)))
            .await
            .with_context(|| expr.to_owned())?;
        match json["data"]["resultType"].as_str() {
            Some("vector") => Ok(serde_json::from_value(json["data"]["result"].take())?),
            other => anyhow::bail!("{expr}: the result is {other:?}"),
        }
    }

    /// The labels of the alerts of that name which fire.
    pub async fn firing(&self, alert: &str) -> Result<Vec<Sample>> {
        self.query(&format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}")).await
    }

    /// How many exemplars it has of an expression's series, of the last five minutes.
    pub async fn exemplars(&self, expr: &str) -> Result<usize> {
        let end = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let form = format!("query={}&start={}&end={end}", encode(expr), end - 300);
        let json = self.fetch("/api/v1/query_exemplars", &form).await.with_context(|| expr.to_owned())?;
        let of_series = json["data"].as_array().into_iter().flatten();
        Ok(of_series.map(|series| series["exemplars"].as_array().map_or(0, Vec::len)).sum())
    }

    async fn fetch(&self, path: &str, form: &str) -> Result<Value> {
        let answer =
            tokio::time::timeout(TIMEOUT, self.exchange(path, form)).await.context("no answer in time")??;
        let (head, body) =
            answer.split_once("\r\n\r\n").context("an HTTP response without end of headers")?;
        let json: Value = serde_json::from_str(body).with_context(|| head.to_owned())?;
        ensure!(json["status"] == "success", "{}", json["error"]);
        Ok(json)
    }

    /// HTTP/1.0, so that no answer comes in chunks.
    async fn exchange(&self, path: &str, form: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.address).await?;
        let request = format!(
            "POST {path} HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        Ok(response)
    }
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

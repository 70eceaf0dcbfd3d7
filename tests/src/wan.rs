//! What is between the sites: a relay whose conditions can be set.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::http::Http;

/// The control of the wan.
#[derive(Clone, Debug)]
pub struct Wan(Http);

impl Wan {
    pub(crate) fn new(http: Http) -> Self {
        Self(http)
    }

    /// How it is.
    pub async fn conditions(&self) -> Result<Value> {
        self.said(self.0.fetch("/v1/conditions").await?)
    }

    /// Sets some of its conditions, named as in [`Self::conditions`]. Returns them all.
    pub async fn set(&self, conditions: &Value) -> Result<Value> {
        self.said(self.0.send("PUT", "/v1/conditions", &conditions.to_string()).await?)
    }

    /// Lets nothing through.
    pub async fn cut(&self) -> Result<Value> {
        self.said(self.0.send("POST", "/v1/cut", "").await?)
    }

    /// Lets everything through again.
    pub async fn heal(&self) -> Result<Value> {
        self.said(self.0.send("POST", "/v1/heal", "").await?)
    }

    /// The nodes behind it seem to be at other ports from now on, as behind a NAT that has forgotten them.
    pub async fn rebind(&self) -> Result<()> {
        let (status, body) = self.0.send("POST", "/v1/rebind", "").await?;
        ensure!(status == 204, "the wan answers {status}: {body}");
        Ok(())
    }

    fn said(&self, (status, body): (u16, String)) -> Result<Value> {
        ensure!(status == 200, "{}", body.trim());
        Ok(serde_json::from_str(&body)?)
    }
}

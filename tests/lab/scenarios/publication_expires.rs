//! A server answers, but what it publishes does not arrive any more, renewals neither: it counts as gone when its publication has expired.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::Machine;

use crate::stage::{REPAIRED, SOON, Stage};

const SERVER: &str = "east-pbx3";
/// The life of the lab's publications, the time that a node adds because Asterisk renews too late, and some more.
const EXPIRED: Duration = Duration::from_secs(60 + 64 + 20);
/// Asterisk does not repeat a PUBLISH that was lost; its node asks for everything every 20 s.
const RENEWED: Duration = Duration::from_secs(30);

pub(super) async fn run(stage: Stage) -> Result<()> {
    let (own, theirs) = (stage.new_lamp().await?, stage.new_lamp().await?);
    let (pbx2, pbx3) = (stage.pbx("pbx2")?, stage.pbx("pbx3")?);
    pbx3.set(&own.device, "INUSE").await?;
    own.lit(&stage.all(), SOON).await?;
    let expired = stage.node(1)?.metrics().await?.sum("asterism_node_publications_expired_total", &[]);

    stage.faults().swallow_publishes(&Machine::named(SERVER).context("no such machine")?).await?;
    own.out(&stage.others("pbx3"), EXPIRED).await?;
    let now = stage.node(1)?.metrics().await?.sum("asterism_node_publications_expired_total", &[]);
    ensure!(now > expired, "its lamp went out although its publication has not expired");
    pbx2.set(&theirs.device, "INUSE").await?;
    theirs.lit(&stage.all(), SOON).await?;
    stage.faults().reunite().await?;

    own.lit(&stage.all(), RENEWED).await?;
    theirs.lit(&stage.all(), REPAIRED).await
}

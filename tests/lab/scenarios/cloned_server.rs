//! A server comes up with another's EID, as copies of a virtual machine do.

use std::time::SystemTime;

use anyhow::Result;

use crate::stage::{REPAIRED, SOON, Stage, eventually};

pub(super) async fn run(mut stage: Stage) -> Result<()> {
    let (lamp, own) = (stage.new_lamp().await?, stage.new_lamp().await?);
    let eid = stage.pbx("pbx1")?.spec.eid;
    stage.pbx("pbx1")?.set(&lamp.device, "INUSE").await?;
    lamp.lit(&stage.all(), SOON).await?;
    let since = SystemTime::now();

    stage.clone_server("pbx2", eid).await?;
    let others = stage.others("pbx2");
    let calm = lamp.is_calm(&others);
    stage.pbx("pbx2")?.set(&lamp.device, "NOT_INUSE").await?;
    eventually("somebody warns that two servers have one EID", SOON, || async {
        Ok(stage.warnings(since).await?.iter().any(|line| line.contains(eid)))
    })
    .await?;
    calm.held()?;

    // A restarted container has its own identity.
    stage.kill("east-pbx2").await?;
    stage.start_server("pbx2").await?;
    stage.add_hints("pbx2", &[&lamp, &own]).await?;
    lamp.lit(&stage.all(), REPAIRED).await?;
    stage.pbx("pbx2")?.set(&own.device, "INUSE").await?;
    own.lit(&stage.all(), REPAIRED).await
}

//! A real call at one site lights the called phone's lamp at the other.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lab::{Journal, Lamp, Mark, Package, Pbx, Phone, Phones, Report, Sighting, Site};

use super::at;
use crate::stage::{SOON, Stage};

const CALL: Duration = Duration::from_secs(20);

pub(super) async fn run(stage: Stage) -> Result<()> {
    let mut watcher = stage.watcher().await?;
    let west = at(&stage, Site::West);
    for pbx in &west {
        watcher.watch(pbx.spec.name, pbx.address, "1001", Package::Dialog).await?;
    }
    let (seen, mark) = (watcher.sightings().clone(), watcher.sightings().mark());
    let server = stage.pbx("pbx1")?.address;
    let call = Phones::call(&stage.lab, Phone { number: "1002", server }, Phone { number: "1001", server });
    told(&seen, mark, &west, Lamp::Lit, CALL).await?;
    let mark = seen.mark();
    call.end().await?;
    told(&seen, mark, &west, Lamp::Out, SOON).await?;
    watcher.close().await;
    Ok(())
}

/// Waits until the phone at each of these servers is told of this lamp.
async fn told(seen: &Journal<Sighting>, mark: Mark, at: &[&Pbx], lamp: Lamp, within: Duration) -> Result<()> {
    let deadline = Instant::now() + within;
    for pbx in at {
        let fits = |sighting: &Sighting| {
            (sighting.server == pbx.spec.name && sighting.report == Report::Lamp(lamp)).then_some(())
        };
        let told = seen.first(mark, deadline, fits).await;
        ensure!(told.is_some(), "the phone at {} sees no lamp {lamp:?}", pbx.spec.name);
    }
    Ok(())
}

//! A real call lights the called phone's lamp at every server, as the phones there see it, and goes out again.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use lab::{Lamp, Package, Phone, Phones, Report};

use crate::stage::{SOON, Stage};

const CALL: Duration = Duration::from_secs(20);

pub(super) async fn run(stage: Stage) -> Result<()> {
    let mut watcher = stage.watcher().await?;
    for pbx in stage.all() {
        watcher.watch(pbx.spec.name, pbx.address, "1001", Package::Dialog).await?;
    }
    let (seen, mark) = (watcher.sightings().clone(), watcher.sightings().mark());
    let server = stage.pbx("pbx1")?.address;
    let call = Phones::call(&stage.lab, Phone { number: "1002", server }, Phone { number: "1001", server });
    let lit = |sighting: &lab::Sighting| (sighting.report == Report::Lamp(Lamp::Lit)).then_some(());
    let is_lit = seen.first(mark, Instant::now() + CALL, lit).await.is_some();
    call.end().await?;
    ensure!(is_lit, "the call lights no lamp");
    for pbx in stage.all() {
        let server = pbx.spec.name;
        let lamps =
            || seen.since(mark, |sighting| (sighting.server == server).then(|| sighting.report.clone()));
        let deadline = Instant::now() + SOON;
        while told(&lamps()) != [Lamp::Ringing, Lamp::Lit, Lamp::Out] {
            ensure!(Instant::now() < deadline, "the phone at {server} saw {:?}", lamps());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    watcher.close().await;
    Ok(())
}

/// The lamps without repetitions, from the first that is not out: registering says "out" once more.
fn told(reports: &[Report]) -> Vec<Lamp> {
    let lamps = reports.iter().filter_map(|report| match report {
        Report::Lamp(lamp) => Some(*lamp),
        Report::Messages { .. } | Report::Ended(_) | Report::Unknown(_) => None,
    });
    let mut told: Vec<Lamp> = lamps.skip_while(|lamp| *lamp == Lamp::Out).collect();
    told.dedup();
    told
}

//! Real calls now and then, one at a time.

use std::time::Duration;

use anyhow::Result;
use lab::{Lab, Phone, Phones, SERVERS};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// What became of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    pub(super) made: u32,
    pub(super) failed: u32,
    /// Why the last one that failed did.
    pub(super) complaint: String,
}

/// 1002 calls 1001 so many times a minute, until told to stop; a call under way is ended properly.
pub(super) async fn make(
    lab: Lab,
    per_minute: f64,
    told: tokio::sync::watch::Sender<Calls>,
    mut stop: tokio::sync::watch::Receiver<bool>,
) -> Result<()> {
    if per_minute <= 0.0 {
        return Ok(());
    }
    let server = lab.address(SERVERS[0].host)?;
    let mut ticks = interval_at(Instant::now(), Duration::from_secs_f64(60.0 / per_minute));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = stop.changed() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let call = Phones::call(&lab, Phone { number: "1002", server }, Phone { number: "1001", server })
            .end()
            .await;
        told.send_modify(|calls| {
            calls.made += 1;
            if let Err(error) = call {
                calls.failed += 1;
                calls.complaint = format!("{error:#}");
            }
        });
    }
}

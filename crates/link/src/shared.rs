//! What all tasks of a session have in common.

use crate::config::LinkId;
use crate::event::Told;
use crate::gate::Gate;
use crate::key::Fingerprint;
use crate::slot::Slot;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) own_key: Fingerprint,
    pub(crate) keepalive: Duration,
    pub(crate) hold: Duration,
    pub(crate) slots: Vec<Arc<Slot>>,
    /// Who has which key.
    pub(crate) owners: HashMap<Fingerprint, LinkId>,
    pub(crate) gate: Gate,
    pub(crate) events: mpsc::Sender<Told>,
    /// Whether all is to end.
    pub(crate) stop: watch::Receiver<bool>,
}

impl Shared {
    /// Waits until the session is to end. It also ends when whoever holds it forgets it.
    pub(crate) async fn stopped(&self) {
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }

    /// Tells the session's user, and waits until there is room; after the end only if there is.
    pub(crate) async fn tell(&self, told: Told) {
        tokio::select! {
            biased;
            permit = self.events.reserve() => {
                if let Ok(permit) = permit {
                    permit.send(told);
                }
            }
            () = self.stopped() => {}
        }
    }

    /// Where the peer with this key has its place.
    pub(crate) fn slot(&self, key: Fingerprint) -> Option<&Arc<Slot>> {
        self.owners.get(&key).map(|link| &self.slots[link.0])
    }
}

//! What every place shows of every device, now.

use crate::place::{At, Look, Place, ServerId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Devices that are known; an Asterisk with more is not followed in full.
pub(crate) const DEVICES_MAX: usize = 50_000;
/// Longer than any name that Asterisk makes.
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// Why a state was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// The device's name is too long.
    Name,
    /// There are too many devices.
    Full,
}

/// A table of devices and places.
#[derive(Default)]
pub(crate) struct Views {
    rows: BTreeMap<Arc<str>, BTreeMap<Place, Look>>,
}

impl Views {
    /// Enters what a place shows of a device; gives the device's shared name and what was shown before.
    pub(crate) fn set(
        &mut self,
        device: &str,
        place: Place,
        look: Look,
    ) -> Result<(Arc<str>, Option<Look>), Refused> {
        if device.len() > NAME_BYTES_MAX {
            return Err(Refused::Name);
        }
        if let Some((name, _)) = self.rows.get_key_value(device) {
            let name = name.clone();
            let before = self.rows.entry(name.clone()).or_default().insert(place, look);
            return Ok((name, before));
        }
        if self.rows.len() >= DEVICES_MAX {
            return Err(Refused::Full);
        }
        let name: Arc<str> = device.into();
        self.rows.insert(name.clone(), BTreeMap::from([(place, look)]));
        Ok((name, None))
    }

    /// Forgets what these places show; gives the devices of which they showed something.
    pub(crate) fn forget(&mut self, gone: impl Fn(&str, Place) -> bool) -> Vec<Arc<str>> {
        let mut changed = Vec::new();
        self.rows.retain(|device, row| {
            let before = row.len();
            row.retain(|place, _| !gone(device, *place));
            if row.len() < before {
                changed.push(device.clone());
            }
            !row.is_empty()
        });
        changed
    }

    /// What a place shows of a device.
    pub(crate) fn at(&self, device: &str, place: Place) -> Option<Look> {
        self.rows.get(device)?.get(&place).copied()
    }

    /// What each place shows of a device.
    pub(crate) fn row(&self, device: &str) -> impl Iterator<Item = (Place, Look)> {
        self.rows.get(device).into_iter().flatten().map(|(place, look)| (*place, *look))
    }

    pub(crate) fn devices(&self) -> impl Iterator<Item = &Arc<str>> {
        self.rows.keys()
    }

    /// How many devices a server's AMI shows.
    pub(crate) fn devices_of(&self, server: ServerId) -> usize {
        let place = Place { server, at: At::Ami };
        self.rows.values().filter(|row| row.contains_key(&place)).count()
    }
}

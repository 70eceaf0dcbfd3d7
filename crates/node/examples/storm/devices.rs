//! The devices that a storm holds, under one EID: what each says follows from how many changes were said, so nothing is kept.

use presence::{Change, Device, DeviceState, Eid, Message};

/// What a device says after the other; before the first of them it says the last.
const STATES: [DeviceState; 4] =
    [DeviceState::Ringing, DeviceState::InUse, DeviceState::OnHold, DeviceState::NotInUse];

pub(crate) struct Devices {
    eid: Eid,
    count: u64,
    said: u64,
}

impl Devices {
    pub(crate) fn new(eid: Eid, count: u64) -> Self {
        Self { eid, count, said: 0 }
    }

    pub(crate) fn eid(&self) -> Eid {
        self.eid
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// How many changes were said.
    pub(crate) fn said(&self) -> u64 {
        self.said
    }

    /// The next change: the devices take turns. Without devices there is none to speak of, and the first speaks.
    pub(crate) fn change(&mut self) -> Message {
        let index = self.said % self.count.max(1);
        self.said += 1;
        self.standing(index)
    }

    /// What a device says now.
    pub(crate) fn standing(&self, index: u64) -> Message {
        let changes = self.said.saturating_sub(index).div_ceil(self.count.max(1));
        let state = STATES[(changes as usize + STATES.len() - 1) % STATES.len()];
        let device = Device::new(&format!("PJSIP/{}", 100_000 + index)).expect("a printable name");
        let change = Change::DeviceState { device, state, cachable: true };
        Message::Change { eid: self.eid, change, stamp: None }
    }
}

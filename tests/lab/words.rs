//! Events of the group in bytes, as scenarios want them: those that servers send, and those that no server sends.

/// Event types.
pub(crate) const MWI: u16 = 0x02;
pub(crate) const DEVICE_STATE_CHANGE: u16 = 0x06;
pub(crate) const CLUSTER_DISCOVERY: u16 = 0x0d;
/// One that stock servers know by name and do not use.
const CUSTOM: u16 = 0x01;

/// Element types.
pub(crate) const MAILBOX: u16 = 0x03;
pub(crate) const DEVICE: u16 = 0x07;
pub(crate) const STATE: u16 = 0x08;
pub(crate) const CONTEXT: u16 = 0x09;
pub(crate) const EID: u16 = 0x21;
pub(crate) const CACHABLE: u16 = 0x3d;
pub(crate) const NODE_ID: u16 = 0x3e;
const NEWMSGS: u16 = 0x01;
const OLDMSGS: u16 = 0x02;
const LOCAL_ADDR: u16 = 0x2a;

/// An event, to be changed before it is said.
#[derive(Clone)]
pub(crate) struct Word {
    kind: u16,
    elements: Vec<Vec<u8>>,
}

impl Word {
    /// What the server of that EID says of a device; the state in numbers.
    pub(crate) fn state(eid: &str, device: &str, state: u32) -> Self {
        Self::state_with(eid, device, state, true)
    }

    /// A state that nobody is to remember.
    pub(crate) fn passing_state(eid: &str, device: &str, state: u32) -> Self {
        Self::state_with(eid, device, state, false)
    }

    fn state_with(eid: &str, device: &str, state: u32, cachable: bool) -> Self {
        let (state, cachable) = (number(STATE, state), number(CACHABLE, cachable.into()));
        Self {
            kind: DEVICE_STATE_CHANGE,
            elements: vec![text(DEVICE, device), state, cachable, raw_eid(eid)],
        }
    }

    /// What the server of that EID says of a mailbox in the context `default`.
    pub(crate) fn messages(eid: &str, mailbox: &str, new: u32, old: u32) -> Self {
        let (mailbox, context) = (text(MAILBOX, mailbox), text(CONTEXT, "default"));
        let elements = vec![mailbox, context, number(NEWMSGS, new), number(OLDMSGS, old), raw_eid(eid)];
        Self { kind: MWI, elements }
    }

    /// The server of that EID is on that corosync node.
    pub(crate) fn discovery(eid: &str, nodeid: u32, address: &str) -> Self {
        let elements = vec![number(NODE_ID, nodeid), text(LOCAL_ADDR, address), raw_eid(eid)];
        Self { kind: CLUSTER_DISCOVERY, elements }
    }

    /// An event that only nodes are to understand.
    pub(crate) fn custom(eid: &str) -> Self {
        Self { kind: CUSTOM, elements: vec![raw_eid(eid)] }
    }

    /// The same elements as an event that only nodes are to understand.
    pub(crate) fn into_custom(self) -> Self {
        Self { kind: CUSTOM, ..self }
    }

    /// With more elements in that place; 0 is before all others.
    pub(crate) fn with(mut self, place: usize, elements: &[Vec<u8>]) -> Self {
        let place = place.min(self.elements.len());
        self.elements.splice(place..place, elements.iter().cloned());
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        event(self.kind, &self.elements)
    }
}

pub(crate) fn event(kind: u16, elements: &[Vec<u8>]) -> Vec<u8> {
    let elements = elements.concat();
    [&kind.to_be_bytes(), &length(4 + elements.len())[..], &elements].concat()
}

pub(crate) fn element(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes(), &length(payload.len())[..], payload].concat()
}

pub(crate) fn number(kind: u16, value: u32) -> Vec<u8> {
    element(kind, &value.to_be_bytes())
}

/// With a hash of zero, which nobody looks at.
pub(crate) fn text(kind: u16, text: &str) -> Vec<u8> {
    element(kind, &[&[0; 4], text.as_bytes(), &[0]].concat())
}

fn raw_eid(text: &str) -> Vec<u8> {
    let byte = |digits| u8::from_str_radix(digits, 16).expect("EIDs of scenarios are right");
    element(EID, &text.split(':').map(byte).collect::<Vec<_>>())
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).expect("scenarios know the limit").to_be_bytes()
}

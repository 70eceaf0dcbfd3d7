//! JSON bodies of Asterisk's PUBLISH: text to values and back.
//!
//! Everything that could upset an Asterisk further on is refused here: a name beyond bounds, a state that is
//! none of the nine, an EID that is none.

use presence::{Change, Device, DeviceState, Eid, Mailbox, MessageCounts};
use serde::Serialize;
use serde_json::Value;

/// The event package: which kind of state a publication carries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Package {
    DeviceState,
    Mwi,
}

impl Package {
    pub(crate) const ALL: [Self; 2] = [Self::DeviceState, Self::Mwi];
    /// Both, as the header `Allow-Events` lists them.
    pub(crate) const NAMES: &str = "asterisk-devicestate, asterisk-mwi";

    /// The exact, case-sensitive name in the header `Event`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::DeviceState => "asterisk-devicestate",
            Self::Mwi => "asterisk-mwi",
        }
    }

    pub(crate) fn of(change: &Change) -> Self {
        match change {
            Change::DeviceState { .. } => Self::DeviceState,
            Change::Mwi { .. } => Self::Mwi,
        }
    }

    /// Asterisk reads no parameters, but a standard sender may add some.
    pub(crate) fn from_header(event: &str) -> Option<Self> {
        let name = event.split(';').next().unwrap_or_default().trim_end();
        Self::ALL.into_iter().find(|package| package.name() == name)
    }
}

/// What a body says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Body {
    /// One state of the server with this EID.
    State { eid: Eid, change: Change },
    /// Send me all you have, says the server with this EID.
    Refresh { eid: Eid },
}

/// What is wrong with a body; the text is the reason phrase of the 400.
pub(crate) type Fault = &'static str;

/// Reads a body; extra fields and the order of fields do not matter.
pub(crate) fn parse(package: Package, body: &[u8]) -> Result<Body, Fault> {
    let json: Value = serde_json::from_slice(body).map_err(|_| "Body is not JSON")?;
    if !json.is_object() {
        return Err("Body is not a JSON object");
    }
    let eid = text(&json, "eid").ok_or("Field eid is missing")?;
    let eid = eid.parse().map_err(|_| "Field eid is not an EID")?;
    let kind = text(&json, "type").ok_or("Field type is missing")?;
    match (kind, package) {
        ("refresh", _) => Ok(Body::Refresh { eid }),
        ("devicestate", Package::DeviceState) => Ok(Body::State { eid, change: device_state(&json)? }),
        ("mailboxstate", Package::Mwi) => Ok(Body::State { eid, change: mwi(&json)? }),
        ("devicestate" | "mailboxstate", _) => Err("Field type does not fit the event package"),
        _ => Err("Field type is unknown"),
    }
}

fn device_state(json: &Value) -> Result<Change, Fault> {
    let device = text(json, "device").ok_or("Field device is missing")?;
    let device = Device::new(device).map_err(|_| "Field device is not a device name")?;
    let state = text(json, "state").ok_or("Field state is missing")?;
    let state: DeviceState = state.parse().map_err(|_| "Field state is not a device state")?;
    // Asterisk reads the integer 1 and nothing else as true.
    let cachable = json.get("cachable").and_then(Value::as_u64) == Some(1);
    Ok(Change::DeviceState { device, state, cachable })
}

fn mwi(json: &Value) -> Result<Change, Fault> {
    let mailbox = text(json, "uniqueid").ok_or("Field uniqueid is missing")?;
    let mailbox = Mailbox::new(mailbox).map_err(|_| "Field uniqueid is not a mailbox")?;
    let new = count(json, "new").ok_or("Field new is not a message count")?;
    let old = count(json, "old").ok_or("Field old is not a message count")?;
    Ok(Change::Mwi { mailbox, counts: MessageCounts { new, old } })
}

fn text<'a>(json: &'a Value, field: &str) -> Option<&'a str> {
    json.get(field).and_then(Value::as_str)
}

/// Asterisk counts messages in an `int`.
fn count(json: &Value, field: &str) -> Option<u32> {
    let count = json.get(field).and_then(Value::as_u64)?;
    i32::try_from(count).ok().map(i32::unsigned_abs)
}

/// A body with its fields in the order in which Asterisk writes them.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Outgoing<'a> {
    DeviceState { device: &'a str, state: &'a str, cachable: u8, eid: String },
    MailboxState { uniqueid: &'a str, old: u32, new: u32, eid: String },
    Refresh { eid: String },
}

/// The body that states `change` under the EID of its server.
pub(crate) fn state(eid: Eid, change: &Change) -> String {
    let eid = eid.to_string();
    json(&match change {
        Change::DeviceState { device, state, cachable } => Outgoing::DeviceState {
            device: device.as_str(),
            state: state.as_str(),
            cachable: u8::from(*cachable),
            eid,
        },
        Change::Mwi { mailbox, counts } => {
            Outgoing::MailboxState { uniqueid: mailbox.as_str(), old: counts.old, new: counts.new, eid }
        }
    })
}

/// The body that asks for every state, under our own EID.
pub(crate) fn refresh(eid: Eid) -> String {
    json(&Outgoing::Refresh { eid: eid.to_string() })
}

fn json(body: &Outgoing<'_>) -> String {
    // Strings and numbers only, written to memory: nothing that could fail.
    serde_json::to_string(body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EID: Eid = Eid([0, 0x11, 0x22, 0x33, 0x44, 0x55]);

    fn lamp(state: DeviceState, cachable: bool) -> Change {
        Change::DeviceState { device: Device::new("PJSIP/alice").unwrap(), state, cachable }
    }

    fn fault(package: Package, body: &str) -> Fault {
        parse(package, body.as_bytes()).unwrap_err()
    }

    #[test]
    fn bodies_are_written_as_asterisk_writes_them() {
        assert_eq!(
            state(EID, &lamp(DeviceState::InUse, true)),
            r#"{"type":"devicestate","device":"PJSIP/alice","state":"INUSE","cachable":1,"eid":"00:11:22:33:44:55"}"#
        );
        let counts = MessageCounts { new: 3, old: 1 };
        assert_eq!(
            state(EID, &Change::Mwi { mailbox: Mailbox::new("100@default").unwrap(), counts }),
            r#"{"type":"mailboxstate","uniqueid":"100@default","old":1,"new":3,"eid":"00:11:22:33:44:55"}"#
        );
        assert_eq!(refresh(EID), r#"{"type":"refresh","eid":"00:11:22:33:44:55"}"#);
        assert_eq!(parse(Package::Mwi, refresh(EID).as_bytes()), Ok(Body::Refresh { eid: EID }));
    }

    #[test]
    fn only_the_integer_one_is_cachable() {
        for cachable in ["true", r#""1""#, "0", "1.0", "2", "null"] {
            let body = state(EID, &lamp(DeviceState::Busy, true)).replace(":1,", &format!(":{cachable},"));
            let expected = Body::State { eid: EID, change: lamp(DeviceState::Busy, false) };
            assert_eq!(parse(Package::DeviceState, body.as_bytes()), Ok(expected), "{cachable}");
        }
    }

    #[test]
    fn a_fault_names_the_field() {
        let good = state(EID, &lamp(DeviceState::InUse, true));
        let device_state = |from: &str, to: &str| fault(Package::DeviceState, &good.replace(from, to));
        assert_eq!(device_state("}", ""), "Body is not JSON");
        assert_eq!(fault(Package::DeviceState, "[1]"), "Body is not a JSON object");
        assert_eq!(fault(Package::DeviceState, &"[".repeat(100_000)), "Body is not JSON");
        assert_eq!(device_state("00:11:22", "00:11:zz"), "Field eid is not an EID");
        assert_eq!(device_state(r#""eid""#, r#""id""#), "Field eid is missing");
        assert_eq!(device_state(r#""type""#, r#""kind""#), "Field type is missing");
        assert_eq!(device_state("devicestate", "presencestate"), "Field type is unknown");
        assert_eq!(device_state("INUSE", "IN USE"), "Field state is not a device state");
        assert_eq!(device_state(r#""INUSE""#, "2"), "Field state is missing");
        assert_eq!(device_state("PJSIP/alice", &"x".repeat(256)), "Field device is not a device name");
        assert_eq!(device_state("PJSIP/alice", r"a\r\nb"), "Field device is not a device name");
        assert_eq!(fault(Package::Mwi, &good), "Field type does not fit the event package");
        let counts = MessageCounts { new: 3, old: 1 };
        let good = state(EID, &Change::Mwi { mailbox: Mailbox::new("100").unwrap(), counts });
        assert_eq!(fault(Package::Mwi, &good.replace("w\":3", "w\":-3")), "Field new is not a message count");
        assert_eq!(
            fault(Package::Mwi, &good.replace("d\":1,", "d\":4294967296,")),
            "Field old is not a message count"
        );
        assert_eq!(fault(Package::Mwi, &good.replace("100", "")), "Field uniqueid is not a mailbox");
    }

    #[test]
    fn an_event_header_names_a_package_exactly() {
        assert_eq!(Package::from_header("asterisk-mwi"), Some(Package::Mwi));
        assert_eq!(Package::from_header("asterisk-devicestate ;id=1"), Some(Package::DeviceState));
        assert_eq!(Package::from_header("Asterisk-MWI"), None);
        assert_eq!(Package::from_header("presence"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(Package::DeviceState, &bytes);
        }

        #[test]
        fn every_change_of_every_server_survives_the_way_through_json(eid: [u8; 6], change in change()) {
            let package = Package::of(&change);
            let parsed = parse(package, state(Eid(eid), &change).as_bytes());
            prop_assert_eq!(parsed, Ok(Body::State { eid: Eid(eid), change }));
        }
    }

    /// Any change: names with all that JSON escapes, and counts up to the last.
    fn change() -> impl Strategy<Value = Change> {
        let name = || "[^\\p{Cc}]{1,63}".prop_filter("a name", |name| name.len() <= presence::NAME_BYTES_MAX);
        let state = prop::sample::select(&DeviceState::ALL[..]);
        let device_state = (name(), state, any::<bool>()).prop_map(|(name, state, cachable)| {
            Change::DeviceState { device: Device::new(&name).unwrap(), state, cachable }
        });
        let mailbox = (name(), name()).prop_filter_map("a mailbox", |(mailbox, context)| {
            Mailbox::from_parts(&mailbox, &context).ok().filter(|mailbox| !mailbox.parts().0.is_empty())
        });
        let count = || 0..=i32::MAX.unsigned_abs();
        let mwi = (mailbox, count(), count())
            .prop_map(|(mailbox, new, old)| Change::Mwi { mailbox, counts: MessageCounts { new, old } });
        prop_oneof![device_state, mwi]
    }
}

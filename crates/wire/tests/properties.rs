//! What holds for all messages and for all bytes.
#![allow(clippy::unwrap_used, reason = "tests")]

use presence::{Change, Device, DeviceState, Eid, Mailbox, Message, MessageCounts, Stamp, Summary};
use proptest::collection::vec;
use proptest::prelude::*;
use wire::event::{decode, encode};

proptest! {
    #[test]
    fn every_message_survives_the_wire(message in message()) {
        prop_assert_eq!(decode(&encode(&message)), Ok(message));
    }

    #[test]
    fn bytes_behind_a_message_change_nothing(message in message(), behind in vec(any::<u8>(), 0..64)) {
        let mut bytes = encode(&message);
        bytes.extend(behind);
        prop_assert_eq!(decode(&bytes), Ok(message));
    }

    #[test]
    fn no_bytes_panic(bytes in vec(any::<u8>(), 0..256)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn no_damage_panics_and_what_is_still_taken_can_be_said_again(
        message in message(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = encode(&message);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(taken) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&taken)), Ok(taken));
        }
    }

    #[test]
    fn a_message_cut_short_is_refused(message in message(), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&message);
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
    }
}

fn message() -> impl Strategy<Value = Message> {
    let change =
        (eid(), change(), stamp()).prop_map(|(eid, change, stamp)| Message::Change { eid, change, stamp });
    let withdrawal = (eid(), change_of_state(), stamp())
        .prop_map(|(eid, change, stamp)| Message::Withdrawal { eid, change, stamp });
    let aggregate =
        (eid(), device(), state()).prop_map(|(eid, device, state)| Message::Aggregate { eid, device, state });
    let ping = eid().prop_map(|eid| Message::Ping { eid });
    let discovery = (eid(), any::<u32>(), "[0-9a-f:.]{1,45}", any::<Option<u64>>()).prop_map(
        |(eid, nodeid, address, node)| Message::Discovery { eid, nodeid, address: address.into(), node },
    );
    let summary = (eid(), any::<u64>()).prop_map(|(eid, sequence)| Summary { eid, sequence });
    let digest = (eid(), any::<u64>(), vec(summary, 0..9), vec((eid(), any::<u64>()), 0..9)).prop_map(
        |(eid, incarnation, summaries, answered)| Message::Digest { eid, incarnation, summaries, answered },
    );
    let request = (eid(), any::<u64>(), vec(eid(), 0..9))
        .prop_map(|(eid, number, wanted)| Message::Request { eid, number, wanted });
    let remembered = |change| match change {
        Change::DeviceState { device, state, .. } => Change::DeviceState { device, state, cachable: true },
        mwi @ Change::Mwi { .. } => mwi,
    };
    let state = (self::change().prop_map(remembered), any::<u64>());
    let states = (eid(), vec(state, 0..9), any::<[u64; 2]>()).prop_map(|(eid, states, numbers)| {
        let [incarnation, sequence] = numbers;
        Message::States { eid, states, stamp: Stamp { incarnation, sequence, time: 0 } }
    });
    prop_oneof![change, withdrawal, aggregate, ping, discovery, digest, request, states]
}

fn change() -> impl Strategy<Value = Change> {
    let mwi = (mailbox(), counts()).prop_map(|(mailbox, counts)| Change::Mwi { mailbox, counts });
    prop_oneof![change_of_state(), mwi]
}

fn change_of_state() -> impl Strategy<Value = Change> {
    (device(), state(), any::<bool>()).prop_map(|(device, state, cachable)| Change::DeviceState {
        device,
        state,
        cachable,
    })
}

fn stamp() -> impl Strategy<Value = Option<Stamp>> {
    prop::option::of(any::<[u64; 3]>()).prop_map(|numbers| {
        numbers.map(|[incarnation, sequence, time]| Stamp { incarnation, sequence, time })
    })
}

fn eid() -> impl Strategy<Value = Eid> {
    any::<[u8; 6]>().prop_map(Eid)
}

/// Any name that the core takes, of which some are of more than one byte a character.
fn device() -> impl Strategy<Value = Device> {
    prop_oneof!["[A-Za-z]{1,8}/[0-9a-z@&-]{1,20}", "\\PC{1,60}"].prop_map(|name| Device::new(&name).unwrap())
}

fn mailbox() -> impl Strategy<Value = Mailbox> {
    ("[0-9a-z.][0-9a-z@.]{0,20}", "[a-z@]{1,20}")
        .prop_map(|(name, context)| Mailbox::from_parts(&name, &context).unwrap())
}

fn counts() -> impl Strategy<Value = MessageCounts> {
    (0..=i32::MAX as u32, 0..=i32::MAX as u32).prop_map(|(new, old)| MessageCounts { new, old })
}

fn state() -> impl Strategy<Value = DeviceState> {
    prop::sample::select(&DeviceState::ALL[..])
}

//! What must not matter in an event: the order of its elements, and elements that this version does not know.
#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::collection::vec;
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use wire::event::{decode, encode};

/// Types that no event has, neither of stock servers nor of nodes.
const UNKNOWN: std::ops::Range<u16> = 0x40..0x100;

proptest! {
    #[test]
    fn elements_may_come_in_any_order_and_among_unknown_ones(
        event in prop::sample::select(captured()),
        unknown in vec((UNKNOWN, vec(any::<u8>(), 0..20)), 0..4),
        order in any::<u64>(),
    ) {
        let (kind, mut elements) = split(&event);
        elements.extend(unknown);
        shuffle(&mut elements, order);
        let shuffled = join(kind, &elements);
        prop_assert_eq!(decode(&shuffled), decode(&event));
    }

    #[test]
    fn of_two_elements_of_one_type_the_first_counts(
        event in prop::sample::select(captured()), which in any::<prop::sample::Index>(), other in vec(any::<u8>(), 0..20),
    ) {
        let (kind, mut elements) = split(&event);
        let (element, _) = elements[which.index(elements.len())].clone();
        elements.push((element, other));
        prop_assert_eq!(decode(&join(kind, &elements)), decode(&event));
    }

    #[test]
    fn what_is_said_again_is_said_in_the_same_bytes_each_time(
        event in prop::sample::select(captured()), damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let mut bytes = event;
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(message) = decode(&bytes) {
            let once = encode(&message);
            prop_assert_eq!(encode(&decode(&once).unwrap()), once);
        }
    }
}

type Element = (u16, Vec<u8>);

/// Every captured event.
fn captured() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captured");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let events: Vec<_> = files.map(|file| fs::read(file).unwrap()).collect();
    assert!(events.len() >= 10 && events.iter().all(|event| decode(event).is_ok()));
    events
}

/// The type of an event and its elements.
fn split(event: &[u8]) -> (u16, Vec<Element>) {
    let word = |at: usize| u16::from_be_bytes([event[at], event[at + 1]]);
    let (mut at, mut elements) = (4, Vec::new());
    while at < event.len() {
        let end = at + 4 + usize::from(word(at + 2));
        elements.push((word(at), event[at + 4..end].to_vec()));
        at = end;
    }
    (word(0), elements)
}

fn join(kind: u16, elements: &[Element]) -> Vec<u8> {
    let header = |kind: u16, length: usize| {
        [kind.to_be_bytes(), u16::try_from(length).unwrap().to_be_bytes()].concat()
    };
    let body: Vec<u8> = elements
        .iter()
        .flat_map(|(kind, payload)| [header(*kind, payload.len()), payload.clone()].concat())
        .collect();
    [header(kind, 4 + body.len()), body].concat()
}

/// One of all orders, by a number.
fn shuffle(elements: &mut [Element], mut order: u64) {
    for last in (1..elements.len()).rev() {
        let choices = u64::try_from(last + 1).unwrap();
        elements.swap(last, usize::try_from(order % choices).unwrap());
        order /= choices;
    }
}

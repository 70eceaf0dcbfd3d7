//! The document from made-up figures.

use super::*;
use crate::evidence::figures::histogram;

fn run() -> Run {
    let mut book = Book::default();
    let page = book.page(1, Rate::PerSecond(10));
    for value in 1..=200 {
        page.device.latency.record(value * 10).unwrap();
        page.lamp.latency.record(value * 100).unwrap();
    }
    page.lamp.lost = 3;
    book.page(1, Rate::Burst).device.latency.record(2_000_000).unwrap();
    let machine = vec![("kernel", "6.1".to_owned())];
    Run { machine, book, took: Duration::from_secs(61), minutes: 1.0 }
}

#[test]
fn the_document_has_every_rate_and_the_figures_where_they_belong() {
    let text = run().document();
    for rate in RATES {
        assert!(text.contains(&format!("latency/{}.svg", rate.tag())));
    }
    assert!(text.contains("| stock → stock | 200 | 10.0 | 18.0 | 19.8 | – | 20.0 | 3 | 0 |"), "{text}");
    assert!(text.contains("| kernel | 6.1 |"));
    let burst = text.lines().rfind(|line| line.starts_with("| stock → stock | 1 |")).unwrap();
    assert!(burst.ends_with("| 2500 |") || burst.ends_with("| 2499 |"), "{burst}");
}

#[test]
fn a_table_is_markdown() {
    let rows = [vec!["a".to_owned(), "1".to_owned(), "2".to_owned()]];
    assert_eq!(table(&["x", "y", "z"], &rows), "| x | y | z |\n|---|---:|---:|\n| a | 1 | 2 |\n");
}

#[test]
fn a_log_holds_what_was_recorded() {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    let log = run().log(1).unwrap();
    let mut found = histogram();
    for entry in IntervalLogIterator::new(&log) {
        let Ok(LogEntry::Interval(line)) = entry else { continue };
        if line.tag().is_some_and(|tag| tag.as_str() == "10-lamp") {
            let bytes = base64_decoded(line.encoded_histogram());
            found = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        }
    }
    assert_eq!((found.len(), maximum(&found).map(f64::round)), (200, Some(20.0)));
}

/// As RFC 4648 says.
fn base64_decoded(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0u32, 0);
    for letter in text.bytes().filter_map(|byte| LETTERS.iter().position(|letter| *letter == byte)) {
        bits = bits << 6 | u32::try_from(letter).unwrap();
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    bytes
}

#[test]
fn figures_have_three_digits() {
    let texts = [None, Some(0.456), Some(12.345), Some(1234.5)].map(shown);
    assert_eq!(texts, ["–", "0.46", "12.3", "1234"]);
}

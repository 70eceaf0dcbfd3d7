//! The maps and the quorum of this machine's corosync: `COROSYNC_RS_LIVE=1 cargo test -p corosync-rs --test maps`.
//!
//! Without the variable the tests pass without doing anything, since most machines have no corosync. They write keys
//! below `corosync_rs.` with `corosync-cmapctl`, and delete them.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::thread;

use corosync_rs::{Cmap, Map, Quorum, Value};

#[test]
fn each_type_is_read_as_it_was_written() {
    let Some(map) = live(Map::Config) else { return };
    let written = [
        ("i8", "-1", Value::I8(-1)),
        ("u8", "255", Value::U8(255)),
        ("i16", "-2", Value::I16(-2)),
        ("u16", "65535", Value::U16(65535)),
        ("i32", "-3", Value::I32(-3)),
        ("u32", "4294967295", Value::U32(u32::MAX)),
        ("i64", "-4", Value::I64(-4)),
        ("u64", "1234605616436508552", Value::U64(0x1122_3344_5566_7788)),
        ("flt", "0.5", Value::F32(0.5)),
        ("dbl", "2.5", Value::F64(2.5)),
        ("str", "caf\u{e9}", Value::String("caf\u{e9}".into())),
    ];
    for (kind, text, value) in &written {
        let key = Key::set(&format!("types.{kind}"), kind, text);
        assert_eq!(map.get(&key.0), Ok(Some(value.clone())), "{kind}");
        assert_eq!(map.iterate(&key.0), Ok(vec![(key.0.clone(), value.clone())]), "{kind}");
    }
    let key = Key::set("types.bin", "bin", "\u{1}\u{2}\u{3}");
    assert_eq!(map.get(&key.0), Ok(Some(Value::Binary(vec![1, 2, 3]))));
}

#[test]
fn a_value_is_read_whole_however_long_it_is() {
    let Some(map) = live(Map::Config) else { return };
    for length in [1, 15, 16, 255, 1_022, 1_023, 1_024, 1_025, 16_000] {
        let text = "x".repeat(length);
        let key = Key::set(&format!("long.{length}"), "str", &text);
        assert_eq!(map.get(&key.0).unwrap().unwrap().as_str(), Some(text.as_str()), "{length}");
        assert_eq!(map.iterate(&key.0).unwrap()[0].1.as_str(), Some(text.as_str()), "{length}");
    }
}

#[test]
fn a_prefix_gives_its_keys_and_no_others() {
    let Some(map) = live(Map::Config) else { return };
    let keys = ["prefix.a", "prefix.b", "prefiy.c"].map(|key| Key::set(key, "u32", "7"));
    let found = map.iterate("corosync_rs.prefix.").unwrap();
    let expected: Vec<_> = keys[..2].iter().map(|key| (key.0.clone(), Value::U32(7))).collect();
    assert_eq!(found, expected);
    let all = map.iterate("").unwrap();
    assert!(all.len() > 50 && keys.iter().all(|key| all.iter().any(|(found, _)| *found == key.0)));
}

#[test]
fn what_is_no_key_is_none_and_what_is_no_prefix_is_empty() {
    for map in [Map::Config, Map::Stats] {
        let Some(map) = live(map) else { return };
        for name in ["no.such.key", "x", "with space", "with\0nul", &"k".repeat(255), &"k".repeat(70_000)] {
            assert_eq!(map.get(name), Ok(None), "{name:?}");
            assert_eq!(map.iterate(name), Ok(vec![]), "{name:?}");
        }
        assert_eq!(map.get(""), Ok(None));
    }
}

#[test]
fn the_token_is_counted_and_measured() {
    let Some(map) = live(Map::Stats) else { return };
    let all = map.iterate("stats.srp.").unwrap();
    assert!(all.iter().all(|(key, _)| key.starts_with("stats.srp.")));
    assert!(all.iter().any(|(key, value)| key == "stats.srp.orf_token_rx" && value.as_u64().is_some()));
    assert!(matches!(map.get("stats.srp.mtt_rx_token"), Ok(Some(Value::U32(_)))));
    assert_eq!(live(Map::Config).unwrap().get("stats.srp.mtt_rx_token"), Ok(None), "the maps are apart");
}

#[test]
fn our_own_connections_are_in_the_statistics_and_their_number_does_not_grow() {
    let Some(map) = live(Map::Stats) else { return };
    let active = || map.get("stats.ipcs.global.active").unwrap().unwrap().as_u64().unwrap();
    let before = active();
    for _ in 0..50 {
        assert!(!map.iterate("stats.ipcs.").unwrap().is_empty());
        drop((live(Map::Config), Quorum::initialize().unwrap()));
    }
    // Other tests have connections too.
    assert!(active() < before + 25, "{before} and now {}", active());
}

#[test]
fn each_thread_has_its_own_connections_and_reads_the_same() {
    if live(Map::Stats).is_none() {
        return;
    }
    let threads: Vec<_> = (0..8_u32)
        .map(|thread| {
            let key = Key::set(&format!("thread.{thread}"), "u32", &thread.to_string());
            thread::spawn(move || {
                for _ in 0..25 {
                    let map = live(Map::Config).unwrap();
                    assert_eq!(map.get(&key.0), Ok(Some(Value::U32(thread))));
                    assert!(Quorum::initialize().unwrap().is_quorate().is_ok());
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A key that is there until it is dropped.
struct Key(String);

impl Key {
    fn set(name: &str, kind: &str, value: &str) -> Self {
        let key = format!("corosync_rs.{name}");
        let mut cmapctl = if kind == "bin" {
            let mut cmapctl = cmapctl(&["-s", &key, kind, "-"]);
            cmapctl.stdin.take().unwrap().write_all(value.as_bytes()).unwrap();
            cmapctl
        } else {
            cmapctl(&["-s", "--", &key, kind, value])
        };
        assert!(cmapctl.wait().unwrap().success());
        Self(key)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        let _ = cmapctl(&["-d", &self.0]).wait();
    }
}

fn cmapctl(arguments: &[&str]) -> Child {
    Command::new("corosync-cmapctl").args(arguments).stdin(Stdio::piped()).spawn().unwrap()
}

fn live(map: Map) -> Option<Cmap> {
    std::env::var_os("COROSYNC_RS_LIVE")?;
    Some(Cmap::initialize(map).unwrap())
}

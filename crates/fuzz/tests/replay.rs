//! Every input that was worth keeping, given to its target again: what fuzzing found once stays found.

use fuzz::TARGETS;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

#[test]
fn what_fuzzing_found_still_holds() {
    let mut broken = Vec::new();
    for (name, run) in TARGETS {
        let inputs = files(&here().join("corpus").join(name));
        assert!(!inputs.is_empty(), "{name} has inputs");
        broken.extend(inputs.into_iter().filter(|input| !holds(*run, input)));
    }
    assert!(broken.is_empty(), "these inputs break their targets: {broken:#?}");
}

#[test]
fn captured_events_hold() {
    let captured = files(&here().join("../wire/tests/captured"));
    assert!(captured.len() >= 10, "they are where this test looks for them");
    assert!(captured.iter().all(|input| holds(fuzz::cpg_event::run, input)));
}

#[test]
fn every_target_has_its_program_and_its_folder() {
    let names: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(stems(&here().join("libfuzzer/fuzz_targets")), names);
    assert_eq!(stems(&here().join("corpus")), names);
    let manifest = fs::read_to_string(here().join("libfuzzer/Cargo.toml")).expect("a manifest");
    for name in names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is a program");
    }
}

/// False when the target panics; it has said why by then.
fn holds(run: fn(&[u8]), input: &Path) -> bool {
    let bytes = fs::read(input).expect("an input can be read");
    catch_unwind(|| run(&bytes)).is_ok()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files
}

fn stems(folder: &Path) -> Vec<String> {
    let stem = |path: &PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    files(folder).iter().filter_map(stem).filter(|stem| !stem.starts_with('.')).collect()
}

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

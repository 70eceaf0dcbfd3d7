//! The project's rules that no compiler knows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our crates each may depend on.
const ARROWS: [(&str, &[&str]); 12] = [
    ("presence", &[]),
    ("wire", &["presence"]),
    ("corosync", &[]),
    ("link", &["presence", "wire"]),
    ("asterisk", &["presence"]),
    ("daemon", &[]),
    ("node", &["presence", "wire", "corosync-rs", "asterisk", "daemon", "link"]),
    ("exporter", &["presence", "asterisk", "corosync-rs", "daemon"]),
    ("sim", &["presence", "wire"]),
    ("fuzz", &["presence", "wire", "asterisk", "daemon", "node", "exporter"]),
    ("wan", &["presence", "link"]),
    ("tests", &["presence", "link"]),
];

const LINES_MAX: usize = 500;

#[test]
fn every_module_says_what_it_is() {
    for (path, text) in sources() {
        assert!(
            text.starts_with("//!"),
            "{}: must begin with a //! line that says what it is",
            path.display()
        );
    }
}

#[test]
fn every_file_fits_in_a_head() {
    for (path, text) in sources() {
        let production = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default().lines().count();
        assert!(production <= LINES_MAX, "{}: {production} lines; split it by noun", path.display());
    }
}

#[test]
fn crates_depend_only_downwards() {
    let ours = [
        "presence",
        "wire",
        "corosync-rs",
        "asterisk",
        "daemon",
        "link",
        "node",
        "exporter",
        "sim",
        "fuzz",
        "wan",
        "lab",
    ];
    for (name, allowed) in ARROWS {
        let folder = if name == "tests" { root().join(name) } else { root().join("crates").join(name) };
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("each crate has a manifest");
        let dependencies = manifest.split("dependencies]").skip(1).flat_map(str::lines);
        let names = dependencies.filter_map(|line| line.split(['.', ' ', '=']).next());
        for dependency in names.filter(|dependency| ours.contains(dependency)) {
            assert!(allowed.contains(&dependency), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn only_corosync_is_unsafe() {
    let corosync = root().join("crates/corosync");
    for (path, text) in sources().into_iter().filter(|(path, _)| !path.starts_with(&corosync)) {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let unsafe_words = ["unsafe ", "allow(unsafe_code"].map(|word| word.to_owned());
        for line in code {
            assert!(
                !unsafe_words.iter().any(|word| line.contains(word)) || line.contains("unsafe_words"),
                "{}: {line}",
                path.display()
            );
        }
    }
}

#[test]
fn every_scenario_is_documented_with_the_verdict_on_stock_servers() {
    let list = fs::read_to_string(root().join("tests/lab/scenarios/mod.rs")).expect("the list of scenarios");
    let listed: BTreeMap<&str, &str> = list
        .split("scenario(\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"'))
        .map(|(name, rest)| match rest {
            _ if rest.contains(".also_stock()") => (name, "passes"),
            _ if rest.contains(".stock_fails(") => (name, "fails"),
            _ => (name, "–"),
        })
        .collect();
    let page = fs::read_to_string(root().join("docs/FAULTS.md")).expect("the page of faults");
    let documented: BTreeMap<&str, &str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .filter_map(|(name, rest)| Some((name, rest.split('|').nth(2)?.trim().split(':').next()?)))
        .collect();
    assert!(listed.len() > 20, "the list is where this test looks for it");
    assert_eq!(documented, listed);
}

/// Every Rust file of the project with its text.
fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    collect(&root().join("crates"), &mut files);
    collect(&root().join("tests"), &mut files);
    assert!(files.len() > 20, "the tree is where this test looks for it");
    files
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("the tree can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("sources are text");
            files.push((path, text));
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the project's folder")
}

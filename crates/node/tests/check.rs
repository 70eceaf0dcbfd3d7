//! The command line of `asterism-node`, as an operator meets it.

use std::path::Path;
use std::process::{Command, Output};

#[test]
fn a_right_file_is_said_to_be_right() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("node.example.toml");
    let output = node(&["check".as_ref(), &example]);
    let expected =
        format!("{}: ok: 1 server, group \"asterisk\", site \"east\", 1 link\n", example.display());
    assert_eq!(said(&output), (Some(0), expected, String::new()));
}

#[test]
fn a_wrong_file_is_refused_by_check_and_at_start() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong.toml");
    std::fs::write(&file, "eid = \"02:00:00:00:01:21\"\n[cluster]\naddres = \"192.0.2.21\"\n").unwrap();
    let name = file.display();
    let expected = format!(
        "{name}:2: [cluster]: address is missing; write address = \"192.0.2.21\"\n\
         {name}:3: [cluster]: unknown field \"addres\"; did you mean \"address\"? (known: group, address)\n"
    );
    for arguments in [["check".as_ref(), file.as_path()], ["--config".as_ref(), file.as_path()]] {
        assert_eq!(said(&node(&arguments)), (Some(1), String::new(), expected.clone()));
    }
}

#[test]
fn a_missing_file_is_named() {
    let output = node(&["check".as_ref(), "nowhere.toml".as_ref()]);
    let expected = "nowhere.toml: there is no such file; copy node.example.toml there and change it\n";
    assert_eq!(said(&output), (Some(1), String::new(), expected.to_owned()));
}

/// Runs the node without the variables that would override a file.
fn node(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_asterism-node"))
        .args(arguments)
        .env_clear()
        .output()
        .expect("the node starts")
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

//! The command line of `asterism-exporter`, as an operator meets it.

use std::path::Path;
use std::process::{Command, Output};

#[test]
fn a_right_file_is_said_to_be_right() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("exporter.example.toml");
    let output = exporter(&["check".as_ref(), &example]);
    let expected = format!(
        "{}: ok: site \"east\", 2 servers, 2 lamps, 1 node, a canary each 1000 ms\n",
        example.display()
    );
    assert_eq!(said(&output), (Some(0), expected, String::new()));
}

#[test]
fn a_wrong_file_is_refused_by_check_and_at_start() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong.toml");
    std::fs::write(
        &file,
        "site = \"east\"\n[[server]]\nname = \"a b\"\nami = \"192.0.2.11:5038\"\nuser = \"u\"\n",
    )
    .unwrap();
    let name = file.display();
    let expected = format!(
        "{name}:3: [[server]] \"a b\": name \"a b\" is no name; write 1 to 63 of the characters A-Z a-z 0-9 . _ -\n"
    );
    for arguments in [["check".as_ref(), file.as_path()], ["--config".as_ref(), file.as_path()]] {
        assert_eq!(said(&exporter(&arguments)), (Some(1), String::new(), expected.clone()));
    }
}

#[test]
fn a_missing_file_is_named() {
    let output = exporter(&["check".as_ref(), "nowhere.toml".as_ref()]);
    let expected = "nowhere.toml: there is no such file; copy exporter.example.toml there and change it\n";
    assert_eq!(said(&output), (Some(1), String::new(), expected.to_owned()));
}

/// Runs the exporter with secrets in the environment, and nothing else there.
fn exporter(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_asterism-exporter"))
        .args(arguments)
        .env_clear()
        .envs([("ASTERISM_AMI_SECRET", "a"), ("ASTERISM_SIP_SECRET", "b")])
        .output()
        .expect("the exporter starts")
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

//! What is said of files that are wrong before their fields are looked at, word for word.

use super::*;
use crate::logging::{Format, Log};
use std::fs::Permissions;
use tracing::Level;

const PROGRAM: Program<String> = Program {
    name: "asterism-test",
    version: "1.2.3",
    about: "Tests.",
    example: "test.example.toml",
    crates: &[],
    read,
    log: |_| Log { level: Level::INFO, format: Format::Text },
    extras: &[],
};

#[test]
fn broken_toml_is_told_by_line_and_never_shows_a_secret() {
    let text = "name = foo\n[http]\ntoken = \"s3cret\n[log\nlevel = info\nlevel = \"info\"\n";
    assert_eq!(
        problems(text),
        [
            r#"test.toml:1: name: not TOML: invalid boolean, expected `false`; write field = "value", [table] or # comment"#,
            r#"test.toml:3: token: not TOML: invalid basic string, expected `"`; write field = "value", [table] or # comment"#,
            r#"test.toml:4: not TOML: unclosed table, expected `]`; write field = "value", [table] or # comment"#,
        ]
    );
}

#[test]
fn debug_shows_no_secret() {
    assert_eq!(format!("{:?}", Secret::new("s3cret".to_owned())), "Secret(redacted)");
    let text = "token = \"s3cret\"";
    let document = source::document("test.toml", text).unwrap();
    let mut source = Source::new(text, &document, &|_| None);
    let root = source.root(&["token"]);
    assert!(!format!("{source:?} {root:?}").contains("s3cret"));
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_fix() {
    let file = std::env::temp_dir().join(format!("asterism-daemon-bytes-{}.toml", std::process::id()));
    let name = file.display();
    std::fs::write(&file, b"name = \"a\"\n# \xff\n").unwrap();
    let told = load(&PROGRAM, &file).unwrap_err().to_string();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(told, format!("{name}:2: not UTF-8; save the file as UTF-8 text"));
    assert_eq!(
        load(&PROGRAM, &file).unwrap_err().to_string(),
        format!("{name}: there is no such file; copy test.example.toml there and change it")
    );
    let told = load(&PROGRAM, Path::new("/")).unwrap_err().to_string();
    assert!(told.ends_with("; name a file that asterism-test's user may read"), "{told}");
}

#[test]
fn a_secret_that_others_can_read_is_a_warning() {
    let file = std::env::temp_dir().join(format!("asterism-daemon-mode-{}.toml", std::process::id()));
    let name = file.display();
    let warnings = |text: &str, mode| {
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        load(&PROGRAM, &file).unwrap().warnings
    };
    let secret = "name = \"a\"\ntoken = \"t0ken\"\n";
    let open = warnings(secret, 0o644);
    let rest = [warnings(secret, 0o600), warnings("name = \"a\"\n", 0o644)];
    std::fs::remove_file(&file).unwrap();
    assert_eq!(
        open,
        [format!("{name}: holds a secret that other users can read (mode 0644); run chmod 600 {name}")]
    );
    assert_eq!(rest, [Vec::<String>::new(), Vec::new()]);
}

/// A configuration that is a name and may have a token.
fn read(source: &mut Source<'_>) -> Option<String> {
    let root = source.root(&["name", "token"]);
    let name = root.required(source, &Field::new("name", "a", None));
    let name = source.read(name, values::name);
    let token = root.secret_text(source, &Field::new("token", "...", None));
    source.read_secret(token);
    Some(name?.value)
}

fn problems(text: &str) -> Vec<String> {
    let problems = parse("test.toml", text, &|_| None, read).unwrap_err();
    problems.to_string().lines().map(str::to_owned).collect()
}

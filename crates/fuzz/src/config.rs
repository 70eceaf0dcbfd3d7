//! What must hold of the text of any program's configuration.

use crate::script::SEPARATOR;
use daemon::config::{Parsed, Source, parse};
use std::collections::BTreeMap;
use std::fmt::{Debug, Display};
use std::net::SocketAddr;
use toml::Value;

const FILE: &str = "any.toml";
/// Part of every secret of an input that is looked for in what is said.
const HUSH: &str = "hush-4711";
/// Fields that hold secrets.
const SECRETS: [&str; 4] = ["password", "token", "secret", "sip_secret"];

/// # Panics
/// When a problem has no place, a secret is shown, or a configuration is not what its text says.
pub(crate) fn check<C: Debug + Display>(data: &[u8], read: fn(&mut Source<'_>) -> Option<C>) {
    let Ok(data) = str::from_utf8(data) else { return };
    let mut records = data.split(char::from(SEPARATOR));
    let text = records.next().unwrap_or_default();
    let variables: BTreeMap<&str, &str> = records.filter_map(|record| record.split_once('=')).collect();
    let environment = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    let is_hushed = is_secret(text) && !data[text.len()..].contains(HUSH);
    match parse(FILE, text, &environment, read) {
        Ok(parsed) => {
            is_sound(&parsed, is_hushed);
            let again =
                parse(FILE, &format!("{text}\n# a comment"), &environment, read).map(|again| show(&again));
            assert_eq!(again.ok(), Some(show(&parsed)), "a comment changes nothing");
        }
        Err(problems) => {
            let said = problems.to_string();
            assert!(!said.is_empty(), "a refusal has reasons");
            assert!(!is_hushed || !said.contains(HUSH), "a secret is shown: {said}");
            for line in said.split('\n') {
                has_place(line, text, &variables);
                assert!(!line.chars().any(char::is_control), "{line:?} is not one line");
            }
        }
    }
}

fn show<C: Debug + Display>(parsed: &Parsed<C>) -> String {
    format!("{parsed:?} {}", parsed.config)
}

fn is_sound<C: Debug + Display>(parsed: &Parsed<C>, is_hushed: bool) {
    let shown = show(parsed);
    assert!(!is_hushed || !shown.contains(HUSH), "a secret is shown: {shown}");
    assert!(!is_hushed || parsed.secret_in_file, "the operator is not told of the secret in the file");
    assert!(!parsed.config.to_string().chars().any(char::is_control), "{shown} is not one line");
    let http = shown.split_once("Http { listen: ").expect("a program listens").1;
    let (listen, rest) = http.split_once(", ").expect("and has a token or none");
    let listen: SocketAddr = listen.parse().expect("an address");
    assert!(listen.ip().is_loopback() || rest.starts_with("token: Some("), "open to others without a token");
}

/// A problem is in a line of the file, in the file as a whole, or in a variable that is set.
fn has_place(problem: &str, text: &str, variables: &BTreeMap<&str, &str>) {
    let in_variable = problem.strip_prefix("environment: ").and_then(|rest| rest.split_once(' '));
    let in_file = problem.strip_prefix(FILE).and_then(|rest| rest.split_once(": "));
    match (in_file, in_variable) {
        (Some(("", _)), _) => {}
        (Some((line, _)), _) => {
            let line = line.strip_prefix(':').and_then(|line| line.parse::<usize>().ok()).expect("a line");
            assert!((1..=text.split('\n').count()).contains(&line), "there is no line {line}");
        }
        (None, Some((name, _))) => assert!(variables.contains_key(name), "{name} is not set"),
        (None, None) => panic!("a problem without place: {problem:?}"),
    }
}

/// Whether [`HUSH`] stands in this text, and in secrets only: what TOML makes of it says so or, where it is none, each
/// line for itself.
fn is_secret(text: &str) -> bool {
    let all = text.matches(HUSH).count();
    let secret = match text.parse::<toml::Table>() {
        Ok(table) => secrets(&Value::Table(table)),
        Err(_) => text.lines().filter(|line| is_secret_line(line)).count(),
    };
    all > 0 && all == secret
}

/// How often it stands in secrets.
fn secrets(value: &Value) -> usize {
    match value {
        Value::Table(table) => table.iter().map(|(key, value)| entry(key, value)).sum(),
        Value::Array(values) => values.iter().map(secrets).sum(),
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => 0,
    }
}

fn entry(key: &str, value: &Value) -> usize {
    let secret = value.as_str().filter(|_| SECRETS.contains(&key));
    secret.map_or_else(|| secrets(value), |text| text.matches(HUSH).count())
}

/// A field of a secret, with the secret once in its value.
fn is_secret_line(line: &str) -> bool {
    let secret = line.split_once('=').filter(|(key, _)| SECRETS.contains(&key.trim()));
    secret.is_some_and(|(_, value)| value.matches(HUSH).count() == 1)
}

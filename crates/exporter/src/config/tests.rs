//! What a configuration may say, and what is said of a wrong one.

use super::*;

#[test]
fn the_example_is_right_and_shows_the_defaults() {
    let text = include_str!("../../exporter.example.toml");
    let secrets = [("ASTERISM_AMI_SECRET", "a"), ("ASTERISM_SIP_SECRET", "b")];
    let config = read(text, &secrets).unwrap();
    assert_eq!(config.to_string(), "site \"east\", 2 servers, 2 lamps, 1 node, a canary each 1000 ms");
    assert_eq!((config.servers[0].node, config.servers[1].node), (None, Some(0)));
    // What is left out in comments is what it would be otherwise.
    let uncommented = text.replace("\n#listen", "\nlisten").replace("\n#level", "\nlevel");
    let uncommented = uncommented.replace("\n#format", "\nformat").replace("\n#enabled", "\nenabled");
    let uncommented = uncommented.replace("\n#rate_per_s", "\nrate_per_s");
    assert_eq!(read(&uncommented, &secrets).unwrap(), config);
}

#[test]
fn every_problem_is_named_with_its_line_and_the_fix() {
    let text = "site = \"e st\"\n[http]\nlisten = \"0.0.0.0:9720\"\n[[server]]\nname = \"a\"\nami = \"192.0.2.11\"\n\
                user = \"lab\"\nlamps = []\nnode = \"n\"\n[[server]]\nname = \"a\"\nami = \"192.0.2.12:5038\"\n\
                user = \"l b\"\nsecret = \"\"\nsip = \"0.0.0.0:1\"\n[[node]]\nname = \"m\"\nurl = \"https://x\"\n\
                [canary]\nrate_per_s = 99.0\n";
    let expected = [
        "x.toml:1: site = \"e st\" is no name; write 1 to 63 of the characters A-Z a-z 0-9 . _ -",
        "x.toml:3: [http] listen = \"0.0.0.0:9720\" is open to other hosts, but there is no token; write token = \
         \"...\" into [http] or set ASTERISM_HTTP_TOKEN, or listen on 127.0.0.1",
        "x.toml:5: [[server]] has lamps but no sip; write sip = \"192.0.2.11:5060\" or remove the lamps",
        "x.toml:5: [[server]] needs 1 to 100 lamps, or none at all",
        "x.toml:6: [[server]] ami = \"192.0.2.11\" is no IP:port of a server; write for example \"192.0.2.11:5038\"",
        "x.toml:7: [[server]] user has no secret; write secret = \"...\" or set ASTERISM_AMI_SECRET",
        "x.toml:9: [[server]] node = \"n\" is the name of no [[node]]",
        "x.toml:11: [[server]] name = \"a\" is taken already (line 5); write another",
        "x.toml:13: [[server]] user = \"l b\" is none; write ASCII without blanks and without any of \" \\ : @ ; < > ? & /",
        "x.toml:14: [[server]] secret is empty or has characters that a header cannot carry; write ASCII without blanks",
        "x.toml:15: [[server]] sip is there without lamps; write lamps = [\"1001\"] or remove it",
        "x.toml:18: [[node]] url = \"https://x\" is no address of a node; write http://host:port, for example \
         \"http://192.0.2.21:9710\"",
        "x.toml:20: [canary] rate_per_s = 99 is no rate; write 0.01 to 10, or enabled = false",
    ];
    assert_eq!(problems(text, &[]), expected);
}

#[test]
fn an_empty_file_says_what_is_needed() {
    let expected = [
        "x.toml: site is missing; write the name of the place, for example site = \"east\"",
        "x.toml: there is no [[server]], so there is nothing to watch; write at least one",
    ];
    assert_eq!(problems("", &[]), expected);
}

#[test]
fn what_is_no_toml_or_unknown_is_named_without_its_line() {
    let unknown = problems("site = \"a\"\n[http]\ntokn = \"hush\"\n", &[]);
    assert_eq!(unknown, ["x.toml:3: unknown field `tokn`, expected `listen` or `token`"]);
    let broken = problems("site = \"a\"\n[http]\ntoken = \"hush\n", &[]);
    assert!(broken[0].starts_with("x.toml:3: ") && !broken[0].contains("hush"), "{broken:?}");
    let missing = problems("site = \"a\"\n[[server]]\nname = \"a\"\n", &[]);
    assert_eq!(missing, ["x.toml:2: missing field `ami`"]);
}

#[test]
fn a_secret_is_never_shown() {
    let text =
        "site = \"a\"\n[[server]]\nname = \"a\"\nami = \"192.0.2.1:1\"\nuser = \"u\"\nsecret = \"hush\"\n";
    let config = read(text, &[]).unwrap();
    assert!(!format!("{config:?}").contains("hush"));
    let wrong = problems(&text.replace("hush", "hush hush"), &[]);
    assert_eq!(wrong.len(), 1);
    assert!(!wrong[0].contains("hush"));
}

#[test]
fn a_variable_that_is_wrong_is_named() {
    let text = "site = \"a\"\n[[server]]\nname = \"a\"\nami = \"192.0.2.1:1\"\nuser = \"u\"\n";
    let wrong = problems(text, &[("ASTERISM_AMI_SECRET", "a b"), ("ASTERISM_LOG", "loud")]);
    assert!(wrong.iter().any(|problem| problem.starts_with("x.toml: environment: ASTERISM_LOG=\"loud\"")));
    assert!(
        wrong
            .iter()
            .any(|problem| problem.starts_with("x.toml: environment: ASTERISM_AMI_SECRET is empty or"))
    );
    assert!(read(text, &[("ASTERISM_AMI_SECRET", "a"), ("ASTERISM_LOG", "")]).is_ok());
}

fn problems(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    read(text, environment).unwrap_err().0
}

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, Problems> {
    let find =
        |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    parse("x.toml", text, &find).map(|(config, _)| config)
}

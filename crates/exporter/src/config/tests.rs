//! What a configuration may say, and what is said of a wrong one.

use super::*;
use daemon::config::Problems;

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
        r#"x.toml:1: site "e st" is no name; write 1 to 63 of the characters A-Z a-z 0-9 . _ -"#,
        "x.toml:3: [http]: listen \"0.0.0.0:9720\" is open to other hosts, but there is no token; write token = \"...\" \
         into [http] or set ASTERISM_HTTP_TOKEN, or listen on 127.0.0.1",
        r#"x.toml:6: [[server]] "a": ami "192.0.2.11" is no IP:port of a server; write for example "192.0.2.11:5038""#,
        r#"x.toml:7: [[server]] "a": user has no secret; write secret = "..." or set ASTERISM_AMI_SECRET"#,
        "x.toml:8: [[server]] \"a\": lamps are 0; write 1 to 100, or remove the field",
        r#"x.toml:8: [[server]] "a": lamps are there without sip; write sip = "192.0.2.11:5060" or remove them"#,
        r#"x.toml:9: [[server]] "a": node "n" is the name of no [[node]]; write one, or remove it"#,
        r#"x.toml:11: [[server]] "a": name "a" is taken already (line 5); each needs its own name"#,
        r#"x.toml:13: [[server]] "a": user "l b" is none; write ASCII without blanks and without any of " \ : @ ; < > ? & /"#,
        "x.toml:14: [[server]] \"a\": secret is empty or has characters that a header cannot carry; write ASCII without \
         blanks",
        r#"x.toml:15: [[server]] "a": sip "0.0.0.0:1" is no IP:port of a server; write for example "192.0.2.11:5060""#,
        r#"x.toml:15: [[server]] "a": sip is there without lamps; write lamps = ["1001"] or remove it"#,
        r#"x.toml:18: [[node]] "m": url "https://x" is no address of a node; write http://host:port, for example "http://192.0.2.21:9710""#,
        "x.toml:20: [canary]: rate_per_s 99 is no rate; write 0.01 to 10",
    ];
    assert_eq!(problems(text, &[]), expected);
}

#[test]
fn servers_and_nodes_are_at_the_exporters_site_unless_they_say_otherwise() {
    let node = |site: &str| format!("[[node]]\nname = 'n'\nurl = 'http://a:1'\n{site}\n");
    let text = "site = 'lab'\n[[server]]\nname = 'a'\nsite = 'west'\nami = '192.0.2.11:5038'\nuser = 'u'\nnode = 'n'\n";
    let secrets = [("ASTERISM_AMI_SECRET", "a")];
    let config = read(&[text, &node("site = 'west'")].concat(), &secrets).unwrap();
    assert_eq!((config.servers[0].site.as_str(), config.nodes[0].site.as_str()), ("west", "west"));
    let elsewhere = [text, &node("")].concat();
    let expected = r#"x.toml:7: [[server]] "a": node "n" is at site "lab", and the server at "west"; write the same site into both tables"#;
    assert_eq!(problems(&elsewhere, &secrets), [expected]);
}

#[test]
fn an_empty_file_says_what_is_needed() {
    let expected = [
        "x.toml: there is no [[server]], so there is nothing to watch; write at least one",
        "x.toml:1: site is missing; write site = \"east\"",
    ];
    assert_eq!(problems("", &[]), expected);
}

#[test]
fn what_is_of_the_wrong_type_or_unknown_is_shown_the_right_one() {
    let text = "site = 1\nserver = 'a'\n[corosync]\nenabled = 'yes'\n[canary]\nrate_per_s = '2'\nrate = 2\n[[node]]\n\
                name = 'n'\nurl = 'http://a:1'\ntokn = 'hush'\n";
    let expected = [
        "x.toml:1: site is of type integer; write it in quotes: site = \"east\"",
        "x.toml:2: server is of type string; write [[server]] with two brackets, once for each",
        "x.toml:4: [corosync]: enabled is of type string; write it without quotes: enabled = true",
        "x.toml:6: [canary]: rate_per_s is of type string; write it without quotes: rate_per_s = 1.0",
        "x.toml:7: [canary]: unknown field \"rate\"; remove it (known: enabled, rate_per_s)",
        "x.toml:11: [[node]] \"n\": unknown field \"tokn\"; did you mean \"token\"? (known: name, site, url, token)",
    ];
    assert_eq!(problems(text, &[]), expected);
    let text = "site = 'a'\n[[server]]\nname = 'a'\nlamps = ['1', '1', 'a b', 2]\n[[server]]\nlamps = ['1', '1', 'a b']\n\
                sip_secret = 'hush'\n";
    let expected = [
        "x.toml:2: [[server]] \"a\": ami is missing; write ami = \"192.0.2.11:5038\"",
        "x.toml:2: [[server]] \"a\": user is missing; write user = \"exporter\"",
        "x.toml:4: [[server]] \"a\": lamps are there without sip; write sip = \"192.0.2.11:5060\" or remove them",
        "x.toml:4: [[server]] \"a\": lamps is no list of texts; write lamps = [\"1001\"]",
        "x.toml:5: [[server]] number 2: ami is missing; write ami = \"192.0.2.11:5038\"",
        "x.toml:5: [[server]] number 2: name is missing; write name = \"pbx1\"",
        "x.toml:5: [[server]] number 2: user is missing; write user = \"exporter\"",
        r#"x.toml:6: [[server]] number 2: lamps "1" is taken already (line 6); each needs its own lamp"#,
        r#"x.toml:6: [[server]] number 2: lamps "a b" is none; write ASCII without blanks and without any of " \ : @ ; < > ? & /"#,
        "x.toml:6: [[server]] number 2: lamps are there without sip; write sip = \"192.0.2.11:5060\" or remove them",
        r#"x.toml:7: [[server]] number 2: sip_secret has no sip_user; write sip_user = "watcher" or remove it"#,
    ];
    assert_eq!(problems(text, &[]), expected);
}

#[test]
fn an_exporter_watches_so_many_servers_and_no_more() {
    let server = |index: usize| {
        format!("[[server]]\nname = 's{index}'\nami = '192.0.2.1:{index}'\nuser = 'u'\nsecret = 's'\n")
    };
    let text = |count| format!("site = 'a'\n{}", (1..=count).map(server).collect::<String>());
    assert_eq!(read(&text(64), &[]).unwrap().servers.len(), 64);
    assert_eq!(
        problems(&text(65), &[]),
        [
            "x.toml:323: [[server]] \"s65\": name is that of one server too many; an exporter watches 64, so take another \
             one for the rest"
        ]
    );
}

#[test]
fn a_variable_that_is_wrong_is_named() {
    let text = "site = \"a\"\n[[server]]\nname = \"a\"\nami = \"192.0.2.1:1\"\nuser = \"u\"\n";
    let wrong = problems(text, &[("ASTERISM_AMI_SECRET", "a b"), ("ASTERISM_LOG", "loud")]);
    let expected = [
        "environment: ASTERISM_AMI_SECRET is empty or has characters that a header cannot carry; write ASCII without \
         blanks",
        "environment: ASTERISM_LOG \"loud\" is no level; write error, warn, info, debug or trace",
    ];
    assert_eq!(wrong, expected);
    assert!(read(text, &[("ASTERISM_AMI_SECRET", "a"), ("ASTERISM_LOG", "")]).is_ok());
}

fn problems(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    read(text, environment).unwrap_err().to_string().lines().map(str::to_owned).collect()
}

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, Problems> {
    let find =
        |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    daemon::config::parse("x.toml", text, &find, super::read).map(|parsed| parsed.config)
}

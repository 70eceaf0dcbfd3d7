//! What `check` says about good and bad files, word for word.

use super::*;
use daemon::config::{Parsed, Problems};
use daemon::logging::Format;
use std::time::Duration;
use tracing::Level;

const EXAMPLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/node.example.toml"));
const NODE1: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../compose/node1.toml"));
const NODE2: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../compose/node2.toml"));

/// A file without a problem, to append to.
const GOOD: &str = r#"eid = "02:00:00:00:01:21"
[cluster]
address = "192.0.2.21"
[[server]]
name = "pbx3"
address = "192.0.2.13"
"#;

#[test]
fn the_example_is_right_and_means_what_it_says() {
    let config = good(EXAMPLE, &[]);
    assert_eq!(config.to_string(), r#"1 server, group "asterisk", site "east", 1 link"#);
    assert_eq!(config.sip.listen, "0.0.0.0:5060".parse().unwrap());
    assert_eq!(config.sip.address, "192.0.2.21:5060".parse().unwrap());
    assert_eq!(config.http, Http { listen: "127.0.0.1:9710".parse().unwrap(), token: None });
    assert_eq!(config.log, Log { level: Level::INFO, format: Format::Text });
}

#[test]
fn what_the_example_shows_commented_out_is_the_default_or_right_as_well() {
    let uncommented: Vec<_> = EXAMPLE
        .lines()
        .map(|line| {
            line.strip_prefix('#').filter(|rest| rest.starts_with(char::is_alphabetic)).unwrap_or(line)
        })
        .collect();
    let config = good(&uncommented.join("\n"), &[]);
    let plain = good(EXAMPLE, &[]);
    assert!(config.servers[0].credentials.is_some() && config.http.token.is_some());
    assert_eq!((config.cluster, config.sip, config.log), (plain.cluster, plain.sip, plain.log));
    assert_eq!(config.ephemeral, plain.ephemeral);
    assert_eq!(config.http.listen, plain.http.listen);
}

#[test]
fn the_example_shows_every_field_and_names_every_variable() {
    let tables = [
        ("[cluster]", schema::CLUSTER),
        ("[sip]", schema::SIP),
        ("[devices]", schema::DEVICES),
        ("[http]", Http::FIELDS),
        ("[log]", Log::FIELDS),
        ("[[server]]", schema::SERVER),
        ("[site]", schema::SITE),
        ("[[channel]]", schema::CHANNEL),
        ("[[link]]", schema::LINK),
    ];
    for (table, fields) in tables {
        let (_, rest) = EXAMPLE.split_once(&format!("\n{table}\n")).unwrap();
        let shown = rest.split("\n[").next().unwrap();
        for field in fields {
            let is_shown = |line: &str| line.trim_start_matches('#').starts_with(&format!("{field} = "));
            assert!(shown.lines().any(is_shown), "{table} {field}");
        }
    }
    let variables = [
        schema::EID,
        schema::SIP_LISTEN,
        schema::HTTP_LISTEN,
        schema::SITE_KEY,
        schema::SITE_LISTEN,
        Http::TOKEN,
        Log::LEVEL,
        Log::FORMAT,
    ];
    for name in variables.iter().filter_map(|field| field.variable).chain([schema::PUBLISH_SECRET]) {
        assert!(EXAMPLE.contains(name), "{name}");
    }
}

#[test]
fn the_configurations_of_the_lab_are_right() {
    let environment = [("ASTERISM_HTTP_TOKEN", "t0ken"), ("ASTERISM_PUBLISH_SECRET", "s3cret")];
    let node1 = good(NODE1, &environment);
    assert_eq!(node1.http.token, Some(Secret::new("t0ken".to_owned())));
    assert_eq!(node1.servers[0].credentials, None);
    let node2 = good(NODE2, &environment);
    let credentials = node2.servers[0].credentials.as_ref().unwrap();
    assert_eq!((credentials.user.as_str(), credentials.password.expose()), ("presence", "s3cret"));
    assert_eq!(
        problems(NODE2, &[]),
        [
            "node.toml:12: [http]: listen \"0.0.0.0:9710\" is open to other hosts, but there is no token; write token = \
             \"...\" into [http] or set ASTERISM_HTTP_TOKEN, or listen on 127.0.0.1",
            "node.toml:18: [[server]] \"east-pbx4\": user has no password; write password = \"...\" or set \
             ASTERISM_PUBLISH_SECRET",
        ]
    );
}

#[test]
fn the_environment_overrides_the_file_but_not_a_servers_own_password() {
    let text = format!("{GOOD}user = \"presence\"\npassword = \"own\"\n[log]\nlevel = \"nonsense\"\n");
    let environment = [
        ("ASTERISM_EID", "2:0:0:0:1:22"),
        ("ASTERISM_SIP_LISTEN", "192.0.2.9:5070"),
        ("ASTERISM_HTTP_LISTEN", "[::1]:80"),
        ("ASTERISM_LOG", "debug"),
        ("ASTERISM_LOG_FORMAT", "json"),
        ("ASTERISM_PUBLISH_SECRET", "shared"),
        ("ASTERISM_HTTP_TOKEN", ""),
    ];
    let config = good(&text, &environment);
    assert_eq!(config.eid, Eid([2, 0, 0, 0, 1, 0x22]));
    assert_eq!(config.sip.address, "192.0.2.9:5070".parse().unwrap());
    assert_eq!(config.http, Http { listen: "[::1]:80".parse().unwrap(), token: None });
    assert_eq!(config.log, Log { level: Level::DEBUG, format: Format::Json });
    assert_eq!(config.servers[0].credentials.as_ref().unwrap().password.expose(), "own");
}

#[test]
fn which_devices_are_ephemeral_can_be_said() {
    let ephemeral = |text: &str| {
        let config = good(&format!("{GOOD}\n[devices]\nephemeral = {text}\n"), &[]);
        config.ephemeral.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(ephemeral(r#"["Park:*"]"#), ["Park:*"]);
    assert!(ephemeral("[]").is_empty());
    assert_eq!(good(GOOD, &[]).ephemeral.len(), presence::EPHEMERAL.len());
    assert_eq!(
        problems(&format!("{GOOD}\n[devices]\nephemeral = [\"\"]\n"), &[]).len(),
        1,
        "a pattern that matches nothing"
    );
}

#[test]
fn a_node_without_a_cluster_serves_its_servers_alone() {
    let text = "eid = '2:0:0:0:0:1'\nsip.listen = '192.0.2.21:5060'\nserver = [{ name = 'a', address = '192.0.2.1' }]";
    let config = good(text, &[]);
    assert_eq!(config.to_string(), "1 server, no group");
    assert_eq!(&*config.core(Duration::ZERO).address, "192.0.2.21");
    assert_eq!(config.servers[0].address, "192.0.2.1:5060".parse().unwrap());
}

/// A site with one link, to append to [`GOOD`].
const LINKED: &str = r#"[site]
name = "east"
key = "link.key"
[[link]]
name = "west"
keys = ["SHA256:JEj35IEopdl2xFPDjGyXUW2Y2yAkMpfPG6YaWfACHOA"]
dial = "west.example.net:4521"
eids = ["02:00:00:00:02:01"]
"#;

#[test]
fn a_link_lets_through_what_its_channels_say() {
    let channels = "send = [\"boxes\"]\ntake = [\"phones\", \"boxes\"]\n[[channel]]\nname = \"phones\"\ndevices = [\"PJSIP/*\"]\n\
                    [[channel]]\nname = \"boxes\"\nmailboxes = [\"*@default\"]\n";
    let config = good(&format!("{GOOD}{LINKED}{channels}"), &[]);
    let core = config.core(Duration::ZERO);
    assert_eq!((&*core.site, core.hold), ("east", Duration::from_secs(15)));
    let counts = |filter: &Filter| filter.channels.as_ref().map(Vec::len);
    assert_eq!((counts(&core.peers[0].tell), counts(&core.peers[0].take)), (Some(1), Some(2)));
    assert_eq!(core.peers[0].take.eids, Some([Eid([2, 0, 0, 0, 2, 1])].into()));
    let plain = good(&format!("{GOOD}{LINKED}"), &[]).core(Duration::ZERO);
    assert_eq!((counts(&plain.peers[0].tell), counts(&plain.peers[0].take)), (None, None));
}

#[test]
fn a_server_is_told_and_may_say_what_its_channels_say() {
    let server = "eid = '2:0:0:0:0:1'\nsip.listen = '192.0.2.21:5060'\n[[server]]\nname = 'vm'\naddress = '192.0.2.1'\nsend = []\n\
                  take = ['mwi']\n";
    let channel = "[[channel]]\nname = 'mwi'\nmailboxes = ['*']\n";
    let core = good(&[server, channel].concat(), &[]).core(Duration::ZERO);
    let counts = |filter: &Filter| filter.channels.as_ref().map(Vec::len);
    assert_eq!((counts(&core.servers[0].tell), counts(&core.servers[0].take)), (Some(0), Some(1)));
    let told = &problems(server, &[])[..];
    assert!(
        told[0].starts_with("node.toml:7: [[server]] \"vm\": take \"mwi\" is no [[channel]]"),
        "{told:?}"
    );
}

#[test]
fn a_node_may_only_stand_between_two_others() {
    let text = "eid = '2:0:0:0:0:1'\nsip.listen = '192.0.2.21:5060'\n";
    let second = LINKED.split_once("[[link]]").unwrap().1;
    let second = second.replace("west", "north").replace("JEj35", "JEj36");
    let config = good(&format!("{text}{LINKED}[[link]]{second}"), &[]);
    assert_eq!(config.to_string(), r#"0 servers, no group, site "east", 2 links"#);
}

#[test]
fn what_is_wrong_with_links_is_named() {
    for (change, expected) in [
        (("name = \"east\"", ""), "[site]: name is missing; write name = \"east\""),
        (
            ("key = \"link.key\"", "key = \"k\"\nkeepalive = 6"),
            "[site]: hold is less than 3 times keepalive (6 s): one lost question would be the end of a link; write hold = 18 or more",
        ),
        (
            ("key = \"link.key\"", "key = \"k\"\nkeepalive = 0"),
            "[site]: keepalive 0 is out of range; write 0.1 to 60 seconds",
        ),
        (
            ("JEj35", "JEj"),
            "[[link]] \"west\": keys \"SHA256:JEjIEopdl2xFPDjGyXUW2Y2yAkMpfPG6YaWfACHOA\" is no fingerprint; write what `asterism-node key show FILE` says at the peer, SHA256: and 43 characters",
        ),
        (
            ("keys = [\"SHA256:JEj35IEopdl2xFPDjGyXUW2Y2yAkMpfPG6YaWfACHOA\"]", ""),
            "[[link]] \"west\": keys needs one key, or two while one takes the other's place; write what `asterism-node key show FILE` says at the peer",
        ),
        (
            ("west.example.net:4521", "0.0.0.0:4521"),
            "[[link]] \"west\": dial \"0.0.0.0:4521\" is where this node listens itself; write the peer's",
        ),
        (
            ("west.example.net:4521", "west.example.net"),
            "[[link]] \"west\": dial \"west.example.net\" is no host:port; write for example \"west.example.net:4521\"",
        ),
        (
            ("dial = \"west.example.net:4521\"", "transport = \"tcp\""),
            "[[link]] \"west\": transport is tcp, but there is neither dial here nor listen_tcp in [site]; write one of them",
        ),
        (
            ("eids = [", "send = [\"phones\"]\neids = ["),
            "[[link]] \"west\": send \"phones\" is no [[channel]]; write one of that name, or one of those that there are ()",
        ),
    ] {
        let text = format!("{GOOD}{}", LINKED.replacen(change.0, change.1, 1));
        let said = problems(&text, &[]);
        assert!(said.len() == 1 && said[0].ends_with(expected), "{change:?}: {said:#?}");
    }
}

#[test]
fn a_peer_stands_once_and_one_that_may_say_anything_is_warned_of() {
    let second = LINKED.split_once("[[link]]").unwrap().1.replace("\"west\"", "\"again\"");
    let said = problems(&format!("{GOOD}{LINKED}[[link]]{second}"), &[]);
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(said.iter().all(|problem| problem.contains("a peer stands once")), "{said:#?}");
    let open = LINKED.replace("eids = [\"02:00:00:00:02:01\"]\n", "");
    let text = format!("{GOOD}{open}");
    let parsed = daemon::config::parse("node.toml", &text, &|_| None, super::read).unwrap();
    assert_eq!(parsed.warnings.len(), 1);
    assert!(parsed.warnings[0].contains("may speak for any server"), "{:?}", parsed.warnings);
}

#[test]
fn links_and_a_site_belong_together() {
    let (site, link) = LINKED.split_once("[[link]]").unwrap();
    let only_link = problems(&format!("{GOOD}[[link]]{link}"), &[]);
    assert!(only_link.len() == 1 && only_link[0].contains("needs a [site]"), "{only_link:?}");
    let only_site = problems(&format!("{GOOD}{site}"), &[]);
    assert!(only_site.len() == 1 && only_site[0].contains("listens for nobody"), "{only_site:?}");
}

#[test]
fn a_server_too_many_is_named_with_its_line() {
    let servers = |count: usize| -> String {
        let server = |number| {
            format!(
                "[[server]]\nname = \"s{number}\"\naddress = \"10.0.{}.{}\"\n",
                number / 250,
                number % 250
            )
        };
        (0..count).map(server).collect()
    };
    let head = "eid = \"02:00:00:00:01:21\"\nsip.listen = \"192.0.2.21:5060\"\n";
    assert_eq!(
        good(&format!("{head}{}", servers(presence::EIDS_MAX)), &[]).servers.len(),
        presence::EIDS_MAX
    );
    let [problem] = &problems(&format!("{head}{}", servers(presence::EIDS_MAX + 1)), &[])[..] else {
        panic!("one problem")
    };
    assert!(problem.contains("line 3076") || problem.contains(":3076"), "{problem}");
    assert!(
        problem
            .ends_with("is server 1025 of this node, which serves 1024 at most; let another node serve it"),
        "{problem}"
    );
}

#[test]
fn every_problem_of_a_file_is_told_in_the_order_of_its_lines() {
    let text = r#"eid = "02:00:00"
[cluster]
group = ""
address = "0.0.0.0"
[sip]
listne = "0.0.0.0:5060"
address = "nowhere"
[http]
listen = 9710
[log]
level = "loud"
format = "xml"
[[server]]
name = "pbx 3"
address = "192.0.2.13:x"
eid = "00:00:00:00:00:00"
colour = "red"
[[server]]
address = "0.0.0.0"
user = "a:b"
password = "top secret"
[[server]]
name = "pbx4"
password = "x"
[logs]
"#;
    assert_eq!(
        problems(text, &[]),
        [
            r#"node.toml:1: eid "02:00:00" is no EID; write six hexadecimal bytes, for example "02:00:00:00:01:21""#,
            r#"node.toml:3: [cluster]: group "" is no group name; write 1 to 127 bytes of text, "asterisk" to meet stock Asterisk"#,
            r#"node.toml:4: [cluster]: address "0.0.0.0" is nobody's address; write the one by which operators know this node"#,
            r#"node.toml:6: [sip]: unknown field "listne"; did you mean "listen"? (known: listen, address)"#,
            r#"node.toml:7: [sip]: address "nowhere" is no IP:port; write for example "192.0.2.13:5060""#,
            r#"node.toml:9: [http]: listen is of type integer; write it in quotes: listen = "127.0.0.1:9710""#,
            r#"node.toml:11: [log]: level "loud" is no level; write error, warn, info, debug or trace"#,
            r#"node.toml:12: [log]: format "xml" is no format; write text or json"#,
            r#"node.toml:14: [[server]] "pbx 3": name "pbx 3" is no name; write 1 to 63 of the characters A-Z a-z 0-9 . _ -"#,
            r#"node.toml:15: [[server]] "pbx 3": address "192.0.2.13:x" is no IP:port; write for example "192.0.2.13:5060""#,
            r#"node.toml:16: [[server]] "pbx 3": eid "00:00:00:00:00:00" means "none" to Asterisk; write another EID"#,
            r#"node.toml:17: [[server]] "pbx 3": unknown field "colour"; remove it (known: name, address, eid, user, password, send, take)"#,
            r#"node.toml:18: [[server]] number 2: name is missing; write name = "pbx3""#,
            r#"node.toml:19: [[server]] number 2: address "0.0.0.0" is no place to send to; write the IP:port of one host, for example "192.0.2.13:5060""#,
            r#"node.toml:20: [[server]] number 2: user "a:b" is no user name; write ASCII without blanks, quotes and colons, as in "presence""#,
            r#"node.toml:21: [[server]] number 2: password is empty or has characters that a header cannot carry; write ASCII without blanks"#,
            r#"node.toml:22: [[server]] "pbx4": address is missing; write address = "192.0.2.13:5060""#,
            r#"node.toml:24: [[server]] "pbx4": password has no user; write user = "presence" or remove the password"#,
            r#"node.toml:25: unknown field "logs"; did you mean "log"? (known: eid, cluster, sip, devices, http, log, server, site, channel, link)"#,
        ]
    );
}

#[test]
fn contradictions_name_both_sides() {
    let text = r#"eid = "02:00:00:00:01:21"
[cluster]
address = "192.0.2.21"
[[server]]
name = "a"
address = "192.0.2.13"
eid = "02:00:00:00:01:21"
[[server]]
name = "a"
address = "192.0.2.13:5060"
eid = "2:0:0:0:1:21"
[[server]]
name = "self"
address = "192.0.2.21"
[[server]]
name = "six"
address = "[2001:db8::1]:5060"
"#;
    assert_eq!(
        problems(text, &[]),
        [
            r#"node.toml:7: [[server]] "a": eid "02:00:00:00:01:21" is taken already (line 1); each needs its own EID, the entityid of its asterisk.conf"#,
            r#"node.toml:9: [[server]] "a": name "a" is taken already (line 5); each needs its own name"#,
            r#"node.toml:10: [[server]] "a": address "192.0.2.13:5060" is taken already (line 6); each needs its own address"#,
            r#"node.toml:11: [[server]] "a": eid "02:00:00:00:01:21" is taken already (line 1); each needs its own EID, the entityid of its asterisk.conf"#,
            r#"node.toml:14: [[server]] "self": address "192.0.2.21:5060" is the node's own SIP address; write the server's"#,
            r#"node.toml:17: [[server]] "six": address "[2001:db8::1]:5060" is IPv6, but [sip] listen "0.0.0.0:5060" is IPv4; write both in one family"#,
        ]
    );
}

#[test]
fn a_bad_variable_is_named_instead_of_a_line() {
    let environment =
        [("ASTERISM_EID", "x"), ("ASTERISM_HTTP_TOKEN", "a b"), ("ASTERISM_HTTP_LISTEN", "0.0.0.0:9710")];
    assert_eq!(
        problems(GOOD, &environment),
        [
            r#"environment: ASTERISM_EID "x" is no EID; write six hexadecimal bytes, for example "02:00:00:00:01:21""#,
            "environment: ASTERISM_HTTP_TOKEN is empty or has characters that a header cannot carry; write ASCII without blanks",
        ]
    );
    assert_eq!(
        problems(GOOD, &[("ASTERISM_SIP_LISTEN", "0.0.0.0:0")]),
        [
            r#"environment: ASTERISM_SIP_LISTEN "0.0.0.0:0" has no fixed port, so that no server could find it; write port 5060 or another"#
        ]
    );
    let text = format!("{GOOD}eid = \"02:00:00:00:01:03\"\n");
    assert_eq!(
        problems(&text, &[("ASTERISM_EID", "02:00:00:00:01:03")]),
        [
            r#"node.toml:7: [[server]] "pbx3": eid "02:00:00:00:01:03" is taken already (ASTERISM_EID); each needs its own EID, the entityid of its asterisk.conf"#
        ]
    );
}

#[test]
fn an_empty_file_is_told_what_to_begin_with() {
    assert_eq!(
        problems("", &[]),
        [
            r#"node.toml:1: [sip]: address is missing: listen is 0.0.0.0:5060, which names no host, and there is no [cluster] address to take instead; write address = "192.0.2.21:5060""#,
            r#"node.toml:1: eid is missing; write eid = "02:00:00:00:01:21" or set ASTERISM_EID"#,
        ]
    );
    assert_eq!(
        problems("eid = '2:0:0:0:0:1'\nsip.address = '192.0.2.1'", &[]),
        [
            "node.toml:1: [cluster] and [[server]] are missing, so there is nothing to do; write at least one of them, or two [[link]] to stand between"
        ]
    );
}

#[test]
fn a_table_of_the_wrong_shape_is_shown_the_right_one() {
    let text = "eid = '2:0:0:0:0:1'\ncluster = 'asterisk'\nsip.address = '192.0.2.1'\n[server]\nname = 'a'";
    assert_eq!(
        problems(text, &[]),
        [
            "node.toml:2: cluster is of type string; write it as a table: [cluster]",
            "node.toml:4: server is of type table; write [[server]] with two brackets, once for each",
        ]
    );
}

fn good(text: &str, environment: &[(&str, &str)]) -> Config {
    match read(text, environment) {
        Ok(parsed) => parsed.config,
        Err(problems) => panic!("{problems}"),
    }
}

fn problems(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    read(text, environment).unwrap_err().to_string().lines().map(str::to_owned).collect()
}

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Parsed<Config>, Problems> {
    let find =
        |name: &str| environment.iter().find(|(variable, _)| *variable == name).map(|(_, v)| (*v).to_owned());
    daemon::config::parse("node.toml", text, &find, super::read)
}

//! The whole exporter against servers of our own making: some well, one that refuses, one that floods, one that is away.
#![allow(clippy::unwrap_used, reason = "a test may panic, its helpers too")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[test]
fn one_broken_source_hides_no_other() {
    let site = Site::default();
    let (a, b) = (site.server(Manner::Well), site.server(Manner::Well));
    let refusing = site.server(Manner::Refusing);
    let away = free_address();
    let http = free_address();
    let servers: String = [("a", a), ("b", b), ("refusing", refusing), ("away", away)]
        .map(|(name, ami)| {
            format!("[[server]]\nname = \"{name}\"\nami = \"{ami}\"\nuser = \"u\"\nsecret = \"s\"\n")
        })
        .concat();
    let node = format!("[[node]]\nname = \"gone\"\nurl = \"http://{away}\"\n");
    let config =
        format!("site = \"test\"\n[http]\nlisten = \"{http}\"\n{servers}{node}[canary]\nrate_per_s = 10.0\n");
    let _exporter = Exporter::start("broken.toml", &config);
    let metrics = wait_for(http, "/metrics", |metrics| {
        metrics.contains(
            "propagation_seconds_count{site=\"test\",origin=\"a\",target=\"b\",at=\"ami\",kind=\"canary\",path=\"stock\"}",
        )
    });
    for (collector, target, ok) in [
        ("asterisk", "a", 1),
        ("asterisk", "b", 1),
        ("asterisk", "refusing", 0),
        ("asterisk", "away", 0),
        ("node", "gone", 0),
    ] {
        let line = format!(
            "asterism_exporter_scrape_success{{collector=\"{collector}\",target=\"{target}\"}} {ok}\n"
        );
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    let accept = "Accept: application/openmetrics-text; version=1.0.0";
    let openmetrics = request(http, &format!("GET /metrics HTTP/1.0\r\n{accept}\r\n\r\n"));
    assert!(
        openmetrics.contains("content-type: application/openmetrics-text")
            && openmetrics.ends_with("# EOF\n")
    );
    assert!(metrics.contains("content-type: text/plain; version=0.0.4") && !metrics.contains("# EOF"));
    let ready = wait_for(http, "/readyz", |ready| {
        ready.starts_with("HTTP/1.1 200") || ready.starts_with("HTTP/1.0 200")
    });
    // What a probe is told, and what the page shows.
    for told in [ready, get(http, "/v1/sources")] {
        for (target, error) in [
            ("refusing", "the server does not let us in: no"),
            ("away", "Connection refused"),
            ("gone", "/readyz: Connection refused"),
        ] {
            let source = told.split('{').find(|object| object.contains(&format!("\"target\":\"{target}\"")));
            let named = format!("\"error\":\"{error}");
            assert!(source.is_some_and(|source| source.contains(&named)), "{named}: {told}");
        }
    }
    let differing = get(http, "/v1/disagreements");
    assert!(differing.contains("\"count\":0"), "{differing}");
}

#[test]
fn a_server_that_floods_with_junk_is_counted_and_hides_no_other() {
    let site = Site::default();
    let (a, junk) = (site.server(Manner::Well), site.server(Manner::Flooding));
    let http = free_address();
    let servers = [("a", a), ("junk", junk)]
        .map(|(name, ami)| {
            format!("[[server]]\nname = \"{name}\"\nami = \"{ami}\"\nuser = \"u\"\nsecret = \"s\"\n")
        })
        .concat();
    let config = format!("site = \"test\"\n[http]\nlisten = \"{http}\"\ntoken = \"t\"\n{servers}");
    let exporter = Exporter::start("flood.toml", &config);
    wait_for(http, "/metrics", |metrics| {
        let malformed = metrics.lines().find_map(|line| {
            line.strip_prefix("asterism_exporter_events_dropped_total{server=\"junk\",reason=\"malformed\"} ")
        });
        malformed.is_some_and(|count| count.parse::<u64>().unwrap() > 10_000)
            && metrics.contains("asterism_server_up{server=\"a\"} 1\n")
            && metrics.contains("kind=\"canary\",path=\"local\"")
    });
    // What a probe is told, and what the page shows.
    for path in ["/readyz", "/v1/sources"] {
        let told = wait_for(http, path, |told| told.contains("\"error\":\"it floods: "));
        for reason in ["malformed", "flood"] {
            assert!(told.contains(&format!("\"reason\":\"{reason}\",\"server\":\"junk\"")), "{told}");
        }
    }
    assert!(exporter.memory_kib() < 200_000, "{} KiB", exporter.memory_kib());
    let refused = request(http, "GET /metrics HTTP/1.0\r\n\r\n");
    assert!(refused.contains(" 401 "), "{refused}");
    assert!(
        request(http, "GET / HTTP/1.0\r\n\r\n").contains("<title>Asterism</title>"),
        "the bare page needs no token"
    );
}

#[test]
fn a_clock_that_is_set_is_counted_and_named() {
    let site = Site::default();
    let a = site.server(Manner::Well);
    let node = node_whose_clock_is_set();
    let http = free_address();
    let config = format!(
        "site = \"test\"\n[http]\nlisten = \"{http}\"\n[[server]]\nname = \"a\"\nami = \"{a}\"\nuser = \"u\"\n\
         secret = \"s\"\n[[node]]\nname = \"n\"\nurl = \"http://{node}\"\n"
    );
    let _exporter = Exporter::start("clock.toml", &config);
    let jumps = "asterism_exporter_clock_jumps_total";
    let metrics =
        wait_for(http, "/metrics", |metrics| metrics.contains(&format!("{jumps}{{clock=\"n\"}} 1\n")));
    assert!(metrics.contains(&format!("{jumps}{{clock=\"exporter\"}} 0\n")), "{metrics}");
    assert!(metrics.contains("asterism_node_clock_ahead_seconds{node=\"n\"} 3"), "{metrics}");
    // What the page shows, and what a probe is told.
    for path in ["/v1/sources", "/readyz"] {
        let told = get(http, path);
        assert!(told.contains("\"clock\":\"n\",\"jumps\":1,\"last_by_s\":3"), "{told}");
    }
}

/// How a server behaves.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Well,
    Refusing,
    Flooding,
}

/// Servers that tell each other everything at once.
#[derive(Default, Clone)]
struct Site {
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl Site {
    fn server(&self, manner: Manner) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let site = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let site = site.clone();
                std::thread::spawn(move || site.serve(stream, manner));
            }
        });
        address
    }

    fn serve(&self, mut stream: TcpStream, manner: Manner) -> Option<()> {
        stream.write_all(b"Asterisk Call Manager/11.0.0\r\n").ok()?;
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
        loop {
            let fields: Vec<String> =
                lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let value = |key: &str| fields.iter().find_map(|field| field.strip_prefix(&format!("{key}: ")));
            let (action, id) = (value("Action")?, value("ActionID")?);
            let success = |rest: &str| format!("Response: Success\r\nActionID: {id}\r\n{rest}\r\n");
            let answer = match action {
                "Login" if manner == Manner::Refusing => {
                    format!("Response: Error\r\nActionID: {id}\r\nMessage: no\r\n\r\n")
                }
                "Challenge" => success("Challenge: 1\r\n"),
                "DeviceStateList" => {
                    self.connections.lock().unwrap().push(stream.try_clone().ok()?);
                    success("EventList: start\r\n")
                        + &format!("Event: DeviceStateListComplete\r\nActionID: {id}\r\n\r\n")
                }
                "Setvar" => {
                    let device = value("Variable")?.strip_prefix("DEVICE_STATE(")?.strip_suffix(')')?;
                    self.tell(&format!(
                        "Event: DeviceStateChange\r\nDevice: {device}\r\nState: {}\r\n\r\n",
                        value("Value")?
                    ));
                    success("")
                }
                _ => success(""),
            };
            stream.write_all(answer.as_bytes()).ok()?;
            if action == "DeviceStateList" && manner == Manner::Flooding {
                let junk = b"Event: DeviceStateChange\r\nDevice: x\r\nState: \xff\r\n\r\n".repeat(1_000);
                loop {
                    stream.write_all(&junk).ok()?;
                }
            }
        }
    }

    fn tell(&self, event: &str) {
        for mut connection in self.connections.lock().unwrap().iter() {
            drop(connection.write_all(event.as_bytes()));
        }
    }
}

/// A node that answers its second question and all later ones by a clock that is an hour ahead.
fn node_whose_clock_is_set() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut asked = 0;
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let question = lines.next().unwrap_or_default();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let body = if question.contains("/readyz") {
                asked += 1;
                let ahead = Duration::from_secs(if asked > 1 { 3_600 } else { 0 });
                let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + ahead;
                format!("{{\"ready\":true,\"synced\":true,\"unix_us\":{}}}", unix.as_micros())
            } else {
                "{\"members\":[]}".to_owned()
            };
            let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            drop(stream.write_all((head + &body).as_bytes()));
        }
    });
    address
}

/// A running exporter, ended with the test.
struct Exporter(Child);

impl Exporter {
    fn start(file: &str, config: &str) -> Self {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_asterism-exporter"));
        Self(command.arg("--config").arg(&file).env_clear().spawn().expect("the exporter starts"))
    }

    fn memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn wait_for(http: SocketAddr, path: &str, found: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = get(http, path);
        if found(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{path} came to {answer}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn get(http: SocketAddr, path: &str) -> String {
    request(http, &format!("GET {path} HTTP/1.0\r\nAuthorization: Bearer t\r\n\r\n"))
}

/// Nothing while nobody listens.
fn request(http: SocketAddr, request: &str) -> String {
    let mut answer = String::new();
    if let Ok(mut stream) = TcpStream::connect(http) {
        drop(stream.write_all(request.as_bytes()));
        drop(stream.read_to_string(&mut answer));
    }
    answer
}

/// An address where nobody listens at this moment.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

//! Relays on loopback, from outside: sockets at both ends, and HTTP.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::timeout;
use wan::{Conditions, Config, Running, StartError, start};

/// Whatever is waited for is there by then, or is missing.
const DEADLINE: Duration = Duration::from_secs(10);
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(DEADLINE, what).await.expect("in time")
}

async fn relay(protocol: &str, target: impl ToString, conditions: Conditions) -> Running {
    let relay = format!("east={protocol}:127.0.0.1:0->{}", target.to_string());
    let config = Config { relays: vec![relay.parse().unwrap()], control: ANY, conditions, seed: 7 };
    start(config).await.unwrap()
}

/// A relay of UDP with a socket at each end.
struct Udp {
    running: Running,
    client: UdpSocket,
    target: UdpSocket,
}

impl Udp {
    async fn new(conditions: Conditions) -> Self {
        let target = UdpSocket::bind(ANY).await.unwrap();
        let running = relay("udp", target.local_addr().unwrap(), conditions).await;
        let client = UdpSocket::bind(ANY).await.unwrap();
        client.connect(running.relays[0]).await.unwrap();
        Self { running, client, target }
    }

    async fn send(&self, number: u32) {
        self.client.send(&number.to_be_bytes()).await.unwrap();
    }

    /// What comes next at the target, and from where.
    async fn arrives(&self) -> (u32, SocketAddr) {
        let mut bytes = [0; 4];
        let (length, from) = soon(self.target.recv_from(&mut bytes)).await.unwrap();
        assert_eq!(length, 4);
        (u32::from_be_bytes(bytes), from)
    }

    /// Sends until something arrives at the target, and takes all of that.
    async fn until_it_arrives(&self) -> SocketAddr {
        let probe = async {
            loop {
                self.send(u32::MAX).await;
                if let Ok(arrived) = timeout(Duration::from_millis(20), self.arrives()).await {
                    return arrived.1;
                }
            }
        };
        soon(probe).await
    }
}

async fn ask(running: &Running, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(running.control).await.unwrap();
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: wan\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The value of a line of `/metrics`.
async fn metric(running: &Running, line: &str) -> f64 {
    let (_, page) = ask(running, "GET", "/metrics", "").await;
    let found = page.lines().find_map(|it| it.strip_prefix(line)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {line} in {page}")).parse().unwrap()
}

async fn until_metric(running: &Running, line: &str, least: f64) {
    soon(async { while metric(running, line).await < least {} }).await;
}

#[tokio::test]
async fn datagrams_go_both_ways_late_and_in_order() {
    let conditions = Conditions { delay_ms: 40.0, jitter_ms: 5.0, ..Conditions::default() };
    let udp = Udp::new(conditions).await;
    let start = Instant::now();
    for number in 0..50 {
        udp.send(number).await;
    }
    let mut from = ANY;
    for number in 0..50 {
        let (arrived, sender) = udp.arrives().await;
        assert_eq!(arrived, number);
        assert!(start.elapsed() >= Duration::from_millis(35));
        from = sender;
    }
    assert_ne!(from, udp.client.local_addr().unwrap(), "the relay has a socket of its own for it");
    let start = Instant::now();
    udp.target.send_to(b"back", from).await.unwrap();
    let mut bytes = [0; 9];
    assert_eq!(soon(udp.client.recv(&mut bytes)).await.unwrap(), 4);
    assert!(start.elapsed() >= Duration::from_millis(35));
    assert_eq!(
        metric(&udp.running, "asterism_wan_packets_total{relay=\"east\",direction=\"out\"}").await,
        50.0
    );
    assert_eq!(
        metric(&udp.running, "asterism_wan_bytes_total{relay=\"east\",direction=\"back\"}").await,
        4.0
    );
    assert_eq!(metric(&udp.running, "asterism_wan_open{relay=\"east\"}").await, 1.0);
}

/// How late the relay is beyond what it was told to be; shown, for it is the machine's word and not a promise.
#[tokio::test]
async fn the_relay_tells_its_own_error() {
    let udp = Udp::new(Conditions { delay_ms: 10.0, ..Conditions::default() }).await;
    let mut late = Vec::new();
    for number in 0..100 {
        let start = Instant::now();
        udp.send(number).await;
        assert_eq!(udp.arrives().await.0, number);
        late.push(start.elapsed().checked_sub(Duration::from_millis(10)).expect("never early"));
    }
    late.sort_unstable();
    println!("late at the target: median {:?}, p99 {:?}, most {:?}", late[50], late[98], late[99]);
    let labels = "{relay=\"east\",direction=\"out\"}";
    let sum = metric(&udp.running, &format!("asterism_wan_late_seconds_sum{labels}")).await;
    let count = metric(&udp.running, &format!("asterism_wan_late_seconds_count{labels}")).await;
    println!("late as the relay tells it: mean {:?}", Duration::from_secs_f64(sum / count));
    assert_eq!(count, 100.0);
}

#[tokio::test]
async fn clients_are_told_apart() {
    let udp = Udp::new(Conditions::default()).await;
    let other = UdpSocket::bind(ANY).await.unwrap();
    other.connect(udp.running.relays[0]).await.unwrap();
    udp.send(1).await;
    let (_, first) = udp.arrives().await;
    other.send(&2_u32.to_be_bytes()).await.unwrap();
    let (_, second) = udp.arrives().await;
    assert_ne!(first, second);
    udp.target.send_to(b"second", second).await.unwrap();
    let mut bytes = [0; 9];
    assert_eq!(soon(other.recv(&mut bytes)).await.unwrap(), 6);
}

#[tokio::test]
async fn a_cut_lets_nothing_pass_until_it_is_healed() {
    let udp = Udp::new(Conditions::default()).await;
    udp.send(1).await;
    assert_eq!(udp.arrives().await.0, 1);
    let (status, body) = ask(&udp.running, "POST", "/v1/cut", "").await;
    assert!(status == 200 && body.contains("\"cut\":true"), "{body}");
    udp.send(2).await;
    let drops = "asterism_wan_drops_total{relay=\"east\",direction=\"out\",reason=\"cut\"}";
    until_metric(&udp.running, drops, 1.0).await;
    let (_, body) = ask(&udp.running, "POST", "/v1/heal", "").await;
    assert!(body.contains("\"cut\":false"), "{body}");
    udp.send(3).await;
    assert_eq!(udp.arrives().await.0, 3, "what was sent meanwhile is lost");
}

#[tokio::test]
async fn what_is_under_way_when_the_way_is_cut_is_lost() {
    let udp = Udp::new(Conditions { delay_ms: 10_000.0, ..Conditions::default() }).await;
    for number in 0..5 {
        udp.send(number).await;
    }
    let drops = "asterism_wan_drops_total{relay=\"east\",direction=\"out\",reason=\"cut\"}";
    ask(&udp.running, "PUT", "/v1/conditions", "{\"cut\":true,\"delay_ms\":0}").await;
    until_metric(&udp.running, drops, 5.0).await;
    ask(&udp.running, "POST", "/v1/heal", "").await;
    udp.send(7).await;
    assert_eq!(udp.arrives().await.0, 7);
}

#[tokio::test]
async fn after_a_rebind_the_target_sees_another_port() {
    let udp = Udp::new(Conditions::default()).await;
    udp.send(1).await;
    let (_, before) = udp.arrives().await;
    assert_eq!(ask(&udp.running, "POST", "/v1/rebind", "").await.0, 204);
    let rebound = async {
        loop {
            let from = udp.until_it_arrives().await;
            if from != before {
                return from;
            }
        }
    };
    let after = soon(rebound).await;
    udp.target.send_to(b"back", after).await.unwrap();
    assert_eq!(soon(udp.client.recv(&mut [0; 9])).await.unwrap(), 4, "the way back has moved, too");
}

#[tokio::test]
async fn a_target_that_comes_later_or_has_a_name_is_found() {
    let port = UdpSocket::bind(ANY).await.unwrap().local_addr().unwrap().port();
    let running = relay("udp", format!("localhost:{port}"), Conditions::default()).await;
    let client = UdpSocket::bind(ANY).await.unwrap();
    client.connect(running.relays[0]).await.unwrap();
    client.send(b"nobody is there yet").await.unwrap();
    let targets = [
        UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap(),
        // Where the name means that first.
        UdpSocket::bind(("::1", port)).await.unwrap_or(UdpSocket::bind(ANY).await.unwrap()),
    ];
    let found = async {
        loop {
            // While nobody was there the kernel may refuse.
            let _ = client.send(b"hello").await;
            let arrived = async {
                let (mut a, mut b) = ([0; 32], [0; 32]);
                tokio::select! {
                    arrived = targets[0].recv(&mut a) => arrived,
                    arrived = targets[1].recv(&mut b) => arrived,
                }
            };
            if timeout(Duration::from_millis(20), arrived).await.is_ok() {
                return;
            }
        }
    };
    soon(found).await;
}

#[tokio::test]
async fn a_slow_line_takes_its_time() {
    let udp = Udp::new(Conditions { bandwidth_kbit: 1_000.0, ..Conditions::default() }).await;
    let start = Instant::now();
    // Less than a socket takes at once.
    for _ in 0..40 {
        udp.client.send(&[0; 1_000]).await.unwrap();
    }
    for _ in 0..40 {
        soon(udp.target.recv(&mut [0; 2_000])).await.unwrap();
    }
    // All but the burst of 3,000 bytes at 125 bytes a millisecond.
    assert!(start.elapsed() >= Duration::from_millis(296), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_stream_is_late_whole_and_ends_where_it_ended() {
    let target = TcpListener::bind(ANY).await.unwrap();
    let conditions =
        Conditions { delay_ms: 20.0, jitter_ms: 10.0, reorder_percent: 50.0, ..Conditions::default() };
    let running = relay("tcp", target.local_addr().unwrap(), conditions).await;
    let start = Instant::now();
    let mut client = TcpStream::connect(running.relays[0]).await.unwrap();
    let (mut served, _) = soon(target.accept()).await.unwrap();
    let bytes: Vec<u8> = (0..300_000_u32).map(|number| number.to_be_bytes()[3]).collect();
    let sent = bytes.clone();
    let sender = tokio::spawn(async move {
        client.write_all(&sent).await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    });
    let mut arrived = Vec::new();
    soon(served.read_to_end(&mut arrived)).await.unwrap();
    assert!(arrived == bytes, "all of it, in order");
    assert!(start.elapsed() >= Duration::from_millis(10));
    served.write_all(b"thanks").await.unwrap();
    served.shutdown().await.unwrap();
    assert_eq!(soon(sender).await.unwrap(), "thanks", "the other way is open until it is ended, too");
}

#[tokio::test]
async fn a_cut_stream_stalls_and_goes_on() {
    let target = TcpListener::bind(ANY).await.unwrap();
    let running = relay("tcp", target.local_addr().unwrap(), Conditions::default()).await;
    let mut client = TcpStream::connect(running.relays[0]).await.unwrap();
    let (mut served, _) = soon(target.accept()).await.unwrap();
    let mut bytes = [0; 6];
    client.write_all(b"before").await.unwrap();
    soon(served.read_exact(&mut bytes)).await.unwrap();
    ask(&running, "POST", "/v1/cut", "").await;
    client.write_all(b"during").await.unwrap();
    let late = TcpStream::connect(running.relays[0]).await.unwrap();
    assert!(timeout(Duration::from_millis(100), served.read(&mut bytes)).await.is_err(), "nothing passes");
    assert!(timeout(Duration::from_millis(100), target.accept()).await.is_err(), "nobody is let in");
    ask(&running, "POST", "/v1/heal", "").await;
    soon(served.read_exact(&mut bytes)).await.unwrap();
    assert_eq!(&bytes, b"during");
    soon(target.accept()).await.unwrap();
    drop(late);
}

#[tokio::test]
async fn a_target_that_refuses_is_counted_and_hangs_up() {
    let nobody = TcpListener::bind(ANY).await.unwrap().local_addr().unwrap();
    let running = relay("tcp", nobody, Conditions::default()).await;
    let mut client = TcpStream::connect(running.relays[0]).await.unwrap();
    assert_eq!(soon(client.read(&mut [0; 9])).await.unwrap_or(0), 0);
    let drops = "asterism_wan_drops_total{relay=\"east\",direction=\"out\",reason=\"target\"}";
    until_metric(&running, drops, 1.0).await;
}

#[tokio::test]
async fn conditions_are_shown_changed_and_refused_in_words() {
    let udp = Udp::new(Conditions { delay_ms: 40.0, ..Conditions::default() }).await;
    let running = &udp.running;
    assert_eq!(ask(running, "GET", "/healthz", "").await, (200, "ok\n".to_owned()));
    let (_, shown) = ask(running, "GET", "/v1/conditions", "").await;
    assert!(shown.starts_with("{\"delay_ms\":40.0,"), "{shown}");
    let (status, changed) = ask(running, "PUT", "/v1/conditions", "{\"loss_percent\":5}").await;
    assert_eq!((status, changed), (200, shown.replace("\"loss_percent\":0.0", "\"loss_percent\":5.0")));
    for (body, said) in [
        ("{\"delay_ms\":-1}", "delay_ms: -1 is not a number from 0 to 10000\n"),
        ("{\"delay_ms\":1,\"cut\":\"yes\"}", "cut: \"yes\" is neither true nor false\n"),
        ("{\"delay\":1}", "there is no field \"delay\"; there are delay_ms, "),
        ("delay", "the body is not JSON: "),
    ] {
        let (status, answer) = ask(running, "PUT", "/v1/conditions", body).await;
        assert!(status == 400 && answer.starts_with(said), "{answer}");
    }
    let (_, still) = ask(running, "GET", "/v1/conditions", "").await;
    assert!(still.starts_with("{\"delay_ms\":40.0,"), "what was refused changes nothing: {still}");
    let (_, page) = ask(running, "GET", "/metrics", "").await;
    assert!(page.ends_with("# EOF\n"), "{page}");
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let taken = TcpListener::bind(ANY).await.unwrap().local_addr().unwrap();
    let holder = TcpListener::bind(taken).await.unwrap();
    let config = |relays: &[&str], conditions| Config {
        relays: relays.iter().map(|relay| relay.parse().unwrap()).collect(),
        control: ANY,
        conditions,
        seed: 7,
    };
    let straight = Conditions::default();
    let relay = format!("east=tcp:{taken}->127.0.0.1:1");
    let error = start(config(&[&relay], straight)).await.err().unwrap().to_string();
    assert!(error.starts_with(&format!("{relay}: cannot listen there: ")), "{error}");
    let twice = ["east=udp:127.0.0.1:0->127.0.0.1:1", "east=tcp:127.0.0.1:0->127.0.0.1:1"];
    assert!(matches!(start(config(&twice, straight)).await.err(), Some(StartError::Twice(_))));
    let wrong = Conditions { loss_percent: 101.0, ..straight };
    let error = start(config(&[], wrong)).await.err().unwrap().to_string();
    assert_eq!(error, "loss_percent: 101 is not a number from 0 to 100");
    drop(holder);
}

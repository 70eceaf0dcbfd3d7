//! An exporter with a wrong password, a server that nobody knows, one that floods with junk, and a node whose clock jumps:
//! each is named on the page and in /readyz, what is dropped is counted, and the server that is well is watched all the same.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use lab::{Lab, SERVERS, docker};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::browser::{Look, Page, look};
use crate::stage::Stage;

const PAGE: &str = "http://127.0.0.1:9720/";
const LOOK: Look = Look { name: "page-bad-input", window: "1280x900", scheme: "light" };
/// Ten seconds of flood are enough, however slow this machine is.
const NAMED: Duration = Duration::from_secs(90);
/// This machine, as the lab's network knows it.
const GATEWAY: u8 = 1;
const NOBODY: u8 = 250;
/// What each is named with.
const NAMES: [(&str, &[&str]); 4] = [
    ("well", &["● up"]),
    ("wrong-password", &["▲ not heard", "does not let us in: Authentication failed"]),
    ("nobody", &["▲ not heard"]),
    ("flooding", &["▲ not heard", "it floods", "dropped: no valid event"]),
];

pub(super) async fn run(stage: Stage) -> Result<()> {
    let lab = &stage.lab;
    let server = TcpListener::bind((lab.address(GATEWAY)?, 0)).await?;
    let node = TcpListener::bind((lab.address(GATEWAY)?, 0)).await?;
    let exporter = start(lab, server.local_addr()?, node.local_addr()?).await?;
    let judged = tokio::select! {
        judged = judge(lab, &exporter) => judged,
        () = flood_all(server) => Ok(()),
        () = jump(node) => Ok(()),
    };
    docker(&["rm", "--force", "--volumes", &exporter]).await?;
    judged
}

async fn judge(lab: &Lab, exporter: &str) -> Result<()> {
    let deadline = tokio::time::Instant::now() + NAMED;
    loop {
        let page = look(lab, exporter, PAGE, LOOK).await?;
        let named = all_are_named(&page);
        if named.is_ok() {
            break;
        }
        ensure!(tokio::time::Instant::now() < deadline, "{named:?}");
    }
    let ready =
        look(lab, exporter, &format!("{PAGE}readyz"), Look { name: "readyz-bad-input", ..LOOK }).await?;
    for word in [
        "Authentication failed",
        "\"clock\":\"jumping\",\"jumps\":1",
        "it floods",
        "\"reason\":\"malformed\",\"server\":\"flooding\"",
        "\"ready\":true",
    ] {
        ensure!(ready.html.contains(word), "{word:?} is not in {}", ready.html);
    }
    // Nobody answered there, whatever the kernel calls it.
    let nobody = ready.html.split('{').find(|object| object.contains("\"target\":\"nobody\""));
    ensure!(nobody.is_some_and(|source| !source.contains("\"error\":null")), "{}", ready.html);
    Ok(())
}

fn all_are_named(page: &Page) -> Result<()> {
    let servers = page.table("servers");
    for (server, words) in NAMES {
        let row =
            servers.iter().find(|row| row[0] == server).with_context(|| format!("{server}: {servers:?}"))?;
        let text = row.join(" ");
        for word in words {
            ensure!(text.contains(word), "{word:?} is not in {text:?}");
        }
    }
    let nodes = page.table("nodes");
    let row = nodes.iter().find(|row| row[0] == "jumping").with_context(|| format!("{nodes:?}"))?;
    for word in ["● ready", "its clock is 3600 s ahead", "its clock was set by +3600 s"] {
        ensure!(row.join(" ").contains(word), "{word:?} is not in {row:?}");
    }
    Ok(())
}

/// Runs an exporter of its own on the lab's network; it listens to itself only.
async fn start(lab: &Lab, flooding: SocketAddr, jumping: SocketAddr) -> Result<String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&lab.project);
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("bad-input.toml");
    std::fs::write(&file, config(lab, flooding, jumping)?)?;
    let (label, network) = (format!("asterism.lab={}", lab.project), format!("{}_east", lab.project));
    let volume = format!("{}:/usr/local/share/exporter.toml:ro", file.display());
    let net = format!("LAB_NET={}", lab.net);
    let mut run = vec!["run", "--detach", "--label", &label, "--network", &network, "--volume", &volume];
    run.extend(["--env", &net, "--tmpfs", "/etc/asterism:uid=951,gid=951,mode=0700", "--read-only"]);
    run.extend(["--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--memory", "256m"]);
    run.extend(["--no-healthcheck", "asterism/exporter"]);
    docker(&run).await
}

/// The lab's password is wrong at one server only.
fn config(lab: &Lab, flooding: SocketAddr, jumping: SocketAddr) -> Result<String> {
    let server = |name: &str, ami: SocketAddr, secret: &str| {
        format!("[[server]]\nname = \"{name}\"\nami = \"{ami}\"\nuser = \"lab\"\nsecret = \"{secret}\"\n")
    };
    let ami = |host| Ok::<SocketAddr, anyhow::Error>((lab.address(host)?, 5038).into());
    let secret = lab.secrets.ami.as_str();
    let servers = [
        server("well", ami(SERVERS[0].host)?, secret),
        server("wrong-password", ami(SERVERS[1].host)?, "guessed"),
        server("nobody", ami(NOBODY)?, secret),
        server("flooding", flooding, secret),
    ];
    let node = format!("[[node]]\nname = \"jumping\"\nurl = \"http://{jumping}\"\n");
    Ok(format!("site = \"east\"\n{}{node}[canary]\nenabled = false\n", servers.concat()))
}

/// A node that answers its second question and all later ones by a clock that is an hour ahead.
async fn jump(listener: TcpListener) {
    let mut asked = 0;
    while let Ok((stream, _)) = listener.accept().await {
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        let question = lines.next_line().await.ok().flatten().unwrap_or_default();
        while lines.next_line().await.is_ok_and(|line| line.is_some_and(|line| !line.is_empty())) {}
        let body = if question.contains("/readyz") {
            asked += 1;
            let ahead = if asked > 1 { Duration::from_secs(3600) } else { Duration::ZERO };
            let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + ahead;
            format!("{{\"ready\":true,\"synced\":true,\"unix_us\":{}}}", unix.as_micros())
        } else {
            "{\"members\":[]}".to_owned()
        };
        let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        drop(writer.write_all((head + &body).as_bytes()).await);
    }
}

async fn flood_all(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(flood(stream));
    }
}

/// Lets anybody in and then tells junk without end.
async fn flood(stream: TcpStream) -> Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"Asterisk Call Manager/11.0.0\r\n").await?;
    let mut fields: Vec<String> = Vec::new();
    loop {
        let line = lines.next_line().await?.context("it hung up")?;
        if !line.is_empty() {
            fields.push(line);
            continue;
        }
        let value = |key: &str| {
            fields.iter().find_map(|field| field.strip_prefix(key)).unwrap_or_default().to_owned()
        };
        let (action, id) = (value("Action: "), value("ActionID: "));
        fields.clear();
        writer
            .write_all(format!("Response: Success\r\nActionID: {id}\r\nChallenge: 1\r\n\r\n").as_bytes())
            .await?;
        if action == "DeviceStateList" {
            let junk = b"Event: DeviceStateChange\r\nDevice: x\r\nState: \xff\r\n\r\n".repeat(1_000);
            loop {
                writer.write_all(&junk).await?;
            }
        }
    }
}

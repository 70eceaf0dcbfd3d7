//! Programs that stand for servers with many devices, and do nothing else: what a benchmark wants of an Asterisk, without its cost.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::compose::Lab;
use crate::faults::{GROUP, IMAGE};
use crate::topology::{Machine, NodeSpec, ServerSpec};

const SIP_PORT: u16 = 5060;

/// A raw member of the group on some machine that behaves as a stock server. Dropped, it leaves the group.
pub struct Storm(Program);

/// An unmodified server that has PUBLISHed many devices to its node. Dropped, it falls silent.
pub struct Filler {
    program: Program,
    /// How long the node took for them.
    pub seconds: f64,
}

/// What a storm has counted since it joined; `seconds` and `behind_ms_max` are of its last changes.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Told {
    /// Changes that it has handed over.
    pub changes: u64,
    /// All messages that it has handed over.
    pub sent: u64,
    /// How many of them came back.
    pub delivered: u64,
    /// How often corosync was too busy to take one.
    pub throttled: u64,
    /// How many corosync took and did not deliver.
    pub lost: u64,
    /// From the first change to the time of the last.
    pub seconds: f64,
    /// The longest that a change waited for its turn.
    pub behind_ms_max: f64,
    /// What each member has said.
    pub heard: Vec<Heard>,
}

/// What one member has said.
#[derive(Clone, Debug, Deserialize)]
pub struct Heard {
    /// Its machine.
    pub nodeid: u32,
    /// Its process, as it sees it itself.
    pub pid: u32,
    /// How many messages.
    pub messages: u64,
    /// Their bytes, without corosync's own headers.
    pub bytes: u64,
}

impl Told {
    /// Messages and bytes of all members on one machine; of all machines, where none is named.
    pub fn of(&self, nodeid: Option<u32>) -> (u64, u64) {
        let heard = self.heard.iter().filter(|heard| nodeid.is_none_or(|nodeid| heard.nodeid == nodeid));
        heard.fold((0, 0), |(messages, bytes), heard| (messages + heard.messages, bytes + heard.bytes))
    }
}

impl Lab {
    /// Lets a storm with so many devices join the group on a machine, in the name of the server with this EID.
    pub async fn storm(&self, machine: &Machine, eid: &str, devices: u32) -> Result<Storm> {
        let (address, devices) = (self.address(machine.host)?.to_string(), devices.to_string());
        let command = ["storm", GROUP, eid, &address, &devices];
        // With --init it is not process 1: that one may be in the group already, in a namespace of its own.
        let run = self.faults().helper_run(machine, &["--rm", "--init", "--interactive"], &command).await?;
        let mut storm = Storm(Program::start(machine.name, &run)?);
        storm.0.line().await?;
        Ok(storm)
    }

    /// Fills a node with devices of a server that has been stopped, as that server would.
    pub async fn fill(&self, node: &NodeSpec, server: &ServerSpec, devices: u32) -> Result<Filler> {
        let (ip, node_ip) = (self.address(server.host)?.to_string(), self.address(node.host)?);
        let (network, label) = (format!("{}_east", self.project), format!("asterism.lab={}", self.project));
        let (local, remote) = (format!("{ip}:{SIP_PORT}"), format!("{node_ip}:{SIP_PORT}"));
        let devices = devices.to_string();
        let run = ["run", "--rm", "--interactive", "--label", &label, "--network", &network, "--ip", &ip];
        let safe = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges:true"];
        let fill = [IMAGE, "fill", &local, &remote, server.eid, &devices];
        let run: Vec<String> = [&run[..], &safe, &fill].concat().into_iter().map(str::to_owned).collect();
        let mut program = Program::start(server.name, &run)?;
        let filled = program.line().await?;
        let seconds = filled.strip_prefix("filled ").and_then(|seconds| seconds.parse().ok());
        Ok(Filler { program, seconds: seconds.with_context(|| format!("fill says {filled:?}"))? })
    }
}

impl Storm {
    /// Says changes at a rate, and waits until all have come back, or will not.
    pub async fn say(&mut self, rate: f64, seconds: f64) -> Result<Told> {
        self.0.ask(&format!("say {rate} {seconds}")).await
    }

    /// What it has counted so far.
    pub async fn report(&mut self) -> Result<Told> {
        self.0.ask("report").await
    }

    /// Lets it leave, and waits until it is gone.
    pub async fn leave(self) -> Result<()> {
        self.0.end().await
    }
}

impl Filler {
    /// Lets the server fall silent, and waits until its address is free.
    pub async fn end(self) -> Result<()> {
        self.program.end().await
    }
}

/// A container that is spoken to by standard input; when that ends, it ends.
struct Program {
    name: String,
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start(name: &str, run: &[String]) -> Result<Self> {
        let mut docker = Command::new("docker");
        docker.args(run).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = docker.spawn().context("cannot run docker")?;
        let input = child.stdin.take().context("no way in")?;
        let output = BufReader::new(child.stdout.take().context("no way out")?).lines();
        Ok(Self { name: name.to_owned(), child, input, output })
    }

    async fn ask(&mut self, order: &str) -> Result<Told> {
        self.input.write_all(format!("{order}\n").as_bytes()).await?;
        let line = self.line().await?;
        serde_json::from_str(&line).with_context(|| format!("the storm on {} says {line:?}", self.name))
    }

    async fn line(&mut self) -> Result<String> {
        let line = self.output.next_line().await?;
        line.with_context(|| format!("what stands for {} has ended; is image {IMAGE} there?", self.name))
    }

    async fn end(self) -> Result<()> {
        let Self { name, mut child, input, .. } = self;
        drop(input);
        let status = child.wait().await?;
        ensure!(status.success(), "what stood for {name} ended with {status}");
        Ok(())
    }
}

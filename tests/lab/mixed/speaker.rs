//! A raw member of the group, on the machine that stands where the node is in other labs. What it says stock servers believe.

use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::{Lab, NODES};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::stage::Stage;
use crate::words::Word;

/// What the devices are called that show how far servers have heard.
pub(crate) const MARKER: &str = "Custom:heard-";
/// The server that is said to have them.
const EID: &str = "02:00:00:00:09:ff";
const IN_USE: u32 = 2;
/// corosync agrees within a second or two; floods are said meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// How a server of that EID on this machine introduces itself.
pub(crate) fn introduction(lab: &Lab, eid: &str) -> Result<Word> {
    let machine = &NODES[0];
    Ok(Word::discovery(eid, machine.nodeid, &lab.address(machine.host)?.to_string()))
}

/// One process in the group, from its joining to its leaving.
pub(crate) struct Speaker {
    process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Speaker {
    /// Joins the group; returns when it is a member.
    pub(crate) async fn join(lab: &Lab) -> Result<Self> {
        let machine = lab.docker().container(NODES[0].name).await?.id;
        let mut process = Command::new("docker")
            .args(["exec", "--interactive", &machine, "say", "asterisk", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot run docker")?;
        let (input, output) = process.stdin.take().zip(process.stdout.take()).context("no pipes")?;
        let mut output = BufReader::new(output).lines();
        wait_for("is one of", &mut output).await?;
        Ok(Self { process, input, output })
    }

    /// Says these in that order; returns when all are on their way.
    pub(crate) async fn say(&mut self, words: &[Word]) -> Result<()> {
        for word in words {
            let mut line: String = word.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            line.push('\n');
            self.input.write_all(line.as_bytes()).await?;
        }
        Ok(self.input.flush().await?)
    }

    /// Waits until every server has heard all that it said so far: the group has one order.
    pub(crate) async fn heard(&mut self, stage: &Stage) -> Result<()> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let marker = format!("{MARKER}{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.say(&[Word::state(EID, &marker, IN_USE)]).await?;
        for pbx in stage.all() {
            pbx.device_becomes(Instant::now() + PATIENCE, &marker, "INUSE").await?;
        }
        Ok(())
    }

    /// Waits until all that it said came back to it, and leaves.
    pub(crate) async fn leave(mut self) -> Result<()> {
        drop(self.input);
        wait_for("said", &mut self.output).await?;
        ensure!(self.process.wait().await?.success(), "the speaker failed");
        Ok(())
    }
}

/// Its next line has these words; why not it says on standard error.
async fn wait_for(words: &str, output: &mut Lines<BufReader<ChildStdout>>) -> Result<()> {
    let waited = || format!("the speaker does not say {words:?} in time");
    let line = timeout(PATIENCE, output.next_line()).await.with_context(waited)??;
    ensure!(
        line.as_ref().is_some_and(|line| line.contains(words)),
        "the speaker says {line:?}, not {words:?}"
    );
    Ok(())
}

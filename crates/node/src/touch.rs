//! Plain joins: a second, short-lived process of this machine joins the group and leaves it at once, on which every stock
//! member says all its states again. corosync tells members apart by machine and process, so it must be a process of its own.

use anyhow::{Context, bail};
use corosync_rs::{Cpg, GroupName, Incoming};
use std::process::{ExitCode, Stdio};
use std::time::{Duration, Instant};
use tokio::process::Command;

/// The argument that makes this program such a process; the group's name follows.
const ARGUMENT: &str = "--join-and-leave";

/// How long it may take. While a ring forms nobody may join.
const PATIENCE: Duration = Duration::from_secs(5);

/// Starts the process, and tells the log if it fails. Without a group there is nothing to join.
pub(crate) fn begin(group: Option<&str>) {
    let Some(group) = group.map(str::to_owned) else { return };
    tokio::spawn(async move {
        if let Err(error) = bring_about(&group).await {
            tracing::warn!(
                "cannot make stock servers say again what they may have lost of each other: {error:#}"
            );
        }
    });
}

async fn bring_about(group: &str) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("this program's file is unknown")?;
    let mut command = Command::new(program);
    command.args([ARGUMENT, group]).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(2 * PATIENCE, command.output());
    let output = output.await.context("the second process does not end")?.context("it does not start")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Joins and leaves, if that is what this process was started for.
pub(crate) fn asked_for() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next()? != ARGUMENT {
        return None;
    }
    match join_and_leave(&arguments.next().unwrap_or_default()) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(error) => {
            eprintln!("{error:#}");
            Some(ExitCode::FAILURE)
        }
    }
}

fn join_and_leave(group: &str) -> anyhow::Result<()> {
    let name = GroupName::new(group)?;
    let deadline = Instant::now() + PATIENCE;
    let cpg = again(deadline, Cpg::initialize)?;
    let me = cpg.local_member()?;
    again(deadline, || cpg.join(&name))?;
    while !is_in(&cpg.dispatch(64)?, me) {
        if Instant::now() >= deadline {
            bail!("joining group {group} takes longer than {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    again(deadline, || cpg.leave(&name))
}

fn is_in(incoming: &[Incoming], me: corosync_rs::Member) -> bool {
    incoming.iter().any(|incoming| match incoming {
        Incoming::Configuration { members, .. } => members.contains(&me),
        Incoming::Delivered { .. } => false,
    })
}

/// Tries again while corosync is too busy.
fn again<T>(deadline: Instant, attempt: impl Fn() -> Result<T, corosync_rs::Error>) -> anyhow::Result<T> {
    loop {
        match attempt() {
            Err(error) if error.is_try_again() && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            result => return Ok(result?),
        }
    }
}

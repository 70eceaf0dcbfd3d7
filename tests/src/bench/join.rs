//! A node that joins a group that knows many states: how long until it is ready, and what the group is told for it. One copy of
//! the states is the bytes of the messages that carry each of them once, as a listener in the group heard them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use lab::{Lab, Machine, NODES, Node, NodeSpec, SERVERS, ServerSpec, Storm, Told};

use super::figure::{Figures, max, median};
use super::{Stopped, WATCHING, knows, states_of};
use crate::clock::unix_time;
use crate::output::Screen;

const READY_SECONDS_MAX: f64 = 1.5;
const COPIES_MAX: f64 = 1.2;
const TIMEOUT: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(4);
/// So long nothing new, and all that belongs to a join has been said.
const CALM: Duration = Duration::from_secs(1);

/// The node that has the states, the server whose they are, and the node that joins.
const DONOR: &NodeSpec = &NODES[0];
const SERVED: &ServerSpec = &SERVERS[2];
const NEWCOMER: &NodeSpec = &NODES[1];
/// Whose place a stock donor takes, and whose place the listener.
const STOCK: &ServerSpec = &SERVERS[0];
const LISTENER: &ServerSpec = &SERVERS[1];

/// How many states, how often.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// States that the group knows.
    #[arg(long, default_value_t = 100_000)]
    states: u32,
    /// How often the node joins, for each donor.
    #[arg(long, default_value_t = 5)]
    times: u32,
    #[command(flatten)]
    pub(super) output: super::Keep,
}

/// What was seen of one join.
struct Join {
    seconds: f64,
    /// Bytes on the bus against those of one copy.
    copies: f64,
    messages: u64,
    /// States that the node knew when it said that it was ready.
    known: f64,
}

pub(super) async fn measure(lab: &Lab, screen: &Screen, options: &Options) -> Result<Figures> {
    let mut resting: Vec<_> = SERVERS.iter().map(|server| server.name).collect();
    resting.extend(WATCHING);
    let resting = Stopped::stop_running(lab.docker(), &resting).await?;
    let mut figures = Figures::default();
    let measured = async {
        from_node(lab, screen, options, &mut figures).await?;
        from_stock(lab, screen, options, &mut figures).await
    };
    let measured = measured.await;
    fresh_nodes(lab).await?;
    resting.start(lab).await?;
    measured.map(|()| figures)
}

/// The donor is a node whose own server holds the states.
async fn from_node(lab: &Lab, screen: &Screen, options: &Options, figures: &mut Figures) -> Result<()> {
    fresh_nodes(lab).await?;
    let mut listener = listen(lab).await?;
    let before = listener.report().await?;
    screen.line(&format!("filling {} with {} states by PUBLISH", DONOR.name, options.states));
    let filler = lab.fill(DONOR, SERVED, options.states).await?;
    for node in &NODES {
        knows(&lab.node(node)?, SERVED.eid, options.states, TIMEOUT).await?;
    }
    screen.line(&format!("filled in {:.1} s", filler.seconds));
    let copy = said(&before, &calm(&mut listener).await?, DONOR.nodeid);
    let joins = joins(lab, screen, options, &mut listener, SERVED.eid, DONOR.nodeid, copy).await?;
    tell(figures, "from a node", copy, &joins, f64::from(options.states));
    filler.end().await?;
    listener.leave().await
}

/// The donor is a stock server. What it said before the node came is a copy as well: it says all whenever somebody joins.
async fn from_stock(lab: &Lab, screen: &Screen, options: &Options, figures: &mut Figures) -> Result<()> {
    fresh_nodes(lab).await?;
    let mut listener = listen(lab).await?;
    let before = listener.report().await?;
    screen.line(&format!("a stock server with {} states", options.states));
    let machine = Machine::named(STOCK.name).context("no such machine")?;
    let nodeid = machine.nodeid.context("it is in no ring")?;
    let storm = lab.storm(&machine, STOCK.eid, options.states).await?;
    for node in &NODES {
        knows(&lab.node(node)?, STOCK.eid, options.states, TIMEOUT).await?;
    }
    let copy = said(&before, &calm(&mut listener).await?, nodeid);
    let joins = joins(lab, screen, options, &mut listener, STOCK.eid, nodeid, copy).await?;
    tell(figures, "from a stock server", copy, &joins, f64::from(options.states));
    storm.leave().await?;
    listener.leave().await
}

async fn joins(
    lab: &Lab,
    screen: &Screen,
    options: &Options,
    listener: &mut Storm,
    eid: &str,
    donor: u32,
    copy: (u64, u64),
) -> Result<Vec<Join>> {
    let states = u64::from(options.states);
    ensure!(copy.0 >= states, "the listener heard {} messages for {states} states", copy.0);
    let mut joins = Vec::new();
    for _ in 0..options.times {
        let join = join(lab, listener, eid, donor, copy.1).await?;
        screen.line(&format!(
            "ready after {:.3} s with {} states, {} messages, {:.3} copies",
            join.seconds, join.known, join.messages, join.copies
        ));
        joins.push(join);
    }
    Ok(joins)
}

async fn join(lab: &Lab, listener: &mut Storm, eid: &str, donor: u32, copy: u64) -> Result<Join> {
    let (docker, node) = (lab.docker(), lab.node(NEWCOMER)?);
    docker.kill(&[NEWCOMER.name]).await?;
    gone(&lab.node(DONOR)?, NEWCOMER.nodeid).await?;
    let before = calm(listener).await?;
    docker.start(&[NEWCOMER.name]).await?;
    let ready = ready(&node).await?;
    let known = states_of(&node, eid).await?;
    let started = unix_time(&docker.container(NEWCOMER.name).await?.started_at);
    let seconds = ready.saturating_sub(started.context("docker does not say when it started")?).as_secs_f64();
    let after = calm(listener).await?;
    let (messages, bytes) = said(&before, &after, donor);
    let all = all_bytes(&before, &after);
    ensure!(bytes <= all, "the donor said more than all together");
    Ok(Join { seconds, copies: all as f64 / copy as f64, messages, known })
}

fn tell(figures: &mut Figures, donor: &str, copy: (u64, u64), joins: &[Join], states: f64) {
    let seconds: Vec<f64> = joins.iter().map(|join| join.seconds).collect();
    let copies: Vec<f64> = joins.iter().map(|join| join.copies).collect();
    let lacking = joins.iter().map(|join| (states - join.known).abs()).fold(0.0, f64::max);
    let what = |what: &str| format!("join at {states} states {donor}: {what}");
    figures.at_most(what("start of the process to ready, median"), "s", READY_SECONDS_MAX, median(&seconds));
    figures.at_most(what("the same, slowest"), "s", READY_SECONDS_MAX, max(&seconds));
    figures.at_most(what("copies on the bus, most"), "", COPIES_MAX, max(&copies));
    figures.at_most(what("states lacking when ready, most"), "", 0.0, lacking);
    figures.seen(what("one copy, as heard"), "B", copy.1 as f64);
}

/// When the node said that it was ready, since 1970.
async fn ready(node: &Node) -> Result<Duration> {
    node.becomes_ready(TIMEOUT, LOOK_EVERY).await?;
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?)
}

/// Waits until a machine is out of the group, as a node sees it.
async fn gone(node: &Node, nodeid: u32) -> Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    while node.members().await?.members.iter().any(|member| member.nodeid == nodeid) {
        ensure!(Instant::now() < deadline, "machine {nodeid} does not leave the group");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// A member that only hears, and does not keep others waiting for its introduction.
async fn listen(lab: &Lab) -> Result<Storm> {
    let machine = Machine::named(LISTENER.name).context("no such machine")?;
    lab.storm(&machine, LISTENER.eid, 0).await
}

/// What the listener has heard once nobody speaks.
async fn calm(listener: &mut Storm) -> Result<Told> {
    let deadline = Instant::now() + TIMEOUT;
    let mut told = listener.report().await?;
    loop {
        tokio::time::sleep(CALM).await;
        let next = listener.report().await?;
        if next.of(None) == told.of(None) {
            return Ok(next);
        }
        ensure!(Instant::now() < deadline, "the group does not come to rest");
        told = next;
    }
}

/// Messages and bytes of one machine in between.
fn said(before: &Told, after: &Told, nodeid: u32) -> (u64, u64) {
    let ((messages_before, bytes_before), (messages, bytes)) =
        (before.of(Some(nodeid)), after.of(Some(nodeid)));
    (messages - messages_before, bytes - bytes_before)
}

/// Bytes of all machines in between.
fn all_bytes(before: &Told, after: &Told) -> u64 {
    after.of(None).1 - before.of(None).1
}

/// Nodes that owe nothing to anybody.
async fn fresh_nodes(lab: &Lab) -> Result<()> {
    lab.faults().restart(&NODES.each_ref().map(|node| node.name)).await
}

//! `asterism-lab show`: what `just up` ends with. A lamp crosses, and out again.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab::{Lab, Pbx};

use crate::output::{Screen, Tone, header, milliseconds, number, text, toned};
use crate::status::Status;

const DEVICE: &str = "Custom:lamp";
const HINT: &str = "lamp";
const TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) async fn run(lab: &Lab, screen: &Screen) -> Result<bool> {
    show_lab(lab, screen).await?;
    let pbxes = lab.pbxes().await?;
    let origin = pbxes.first().context("no server")?;
    // Out first, in case somebody left it on.
    origin.set(DEVICE, "NOT_INUSE").await?;
    origin.hint_becomes(Instant::now() + TIMEOUT, HINT, 0).await?;
    let lit = cross(&pbxes, "INUSE", 1).await?;
    let out = cross(&pbxes, "NOT_INUSE", 0).await?;

    screen.heading(&format!(
        "one lamp: {DEVICE} set at {}, milliseconds until it shows elsewhere",
        origin.spec.name
    ));
    let mut rows = vec![header(&["server", "lit: device", "hint", "out: device", "hint"])];
    let mut complete = true;
    for (pbx, (lit, out)) in pbxes.iter().zip(lit.iter().zip(&out)).skip(1) {
        let seen = [lit.device, lit.hint, out.device, out.hint];
        complete &= seen.iter().all(Option::is_some);
        let mut row = vec![text(pbx.spec.name)];
        row.extend(seen.map(|after| match after {
            Some(after) => number(milliseconds(after)),
            None => toned(Tone::Bad, "not seen"),
        }));
        rows.push(row);
    }
    screen.table(&rows);
    Ok(complete)
}

async fn show_lab(lab: &Lab, screen: &Screen) -> Result<()> {
    let status = Status::read(lab).await?;
    screen.heading(if status.all_healthy() {
        "the lab is up"
    } else {
        "the lab is up, but not all of it is well"
    });
    let mut rows = Vec::new();
    for server in &lab.servers {
        let way = match server.kind {
            lab::Kind::Stock => "stock res_corosync".to_owned(),
            lab::Kind::Published => {
                let node = lab
                    .nodes
                    .iter()
                    .find(|node| node.serves == server.name)
                    .map_or("a node", |node| node.name);
                format!("SIP PUBLISH with {node}")
            }
        };
        let phones = format!("phones {}", server.phones.join(", "));
        rows.push(vec![
            text(server.name),
            text(lab.place(server.site, server.host)?.to_string()),
            text(way),
            text(phones),
        ]);
    }
    for node in &lab.nodes {
        let ready = matches!(lab.node(node)?.ready().await, Ok(true));
        let state = if ready { toned(Tone::Good, "ready") } else { toned(Tone::Bad, "not ready") };
        rows.push(vec![text(node.name), text(lab.place(node.site, node.host)?.to_string()), state]);
    }
    screen.table(&rows);
    status.show_group(screen);
    Ok(())
}

/// How long after the origin's own event a server showed the change.
struct Crossing {
    device: Option<Duration>,
    hint: Option<Duration>,
}

/// Sets the device at the first server and waits until all others show it.
async fn cross(pbxes: &[Pbx], state: &str, status: i32) -> Result<Vec<Crossing>> {
    let origin = pbxes.first().context("no server")?;
    let marks: Vec<_> = pbxes.iter().map(Pbx::mark).collect();
    let deadline = Instant::now() + TIMEOUT;
    origin.set(DEVICE, state).await?;
    let start = origin.saw_device(marks[0], deadline, DEVICE, state).await?;
    let mut crossings = Vec::new();
    for (pbx, mark) in pbxes.iter().zip(marks) {
        let device = pbx.saw_device(mark, deadline, DEVICE, state).await.ok();
        let hint = pbx.saw_hint(mark, deadline, HINT, status).await.ok();
        let after = |at: Instant| at.saturating_duration_since(start);
        crossings.push(Crossing { device: device.map(after), hint: hint.map(after) });
    }
    Ok(crossings)
}

//! `asterism-lab call`: a real call between two SIP phones, and the lamps of the called one at all servers.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab::{Lab, Lamp, Mark, Package, Phone, Phones, Report, SERVERS, Watcher};

use crate::output::{Cell, Screen, Tone, header, milliseconds, number, text, toned};

const CALLER: &str = "1002";
const CALLEE: &str = "1001";
const STEP_TIMEOUT: Duration = Duration::from_secs(15);
/// A lamp that the first server has shown is late elsewhere after this.
const LAMP_TIMEOUT: Duration = Duration::from_secs(3);

pub(crate) async fn run(lab: &Lab, screen: &Screen) -> Result<bool> {
    let home = SERVERS.first().context("no server")?;
    let address = lab.address(home.host)?;
    let mut watcher = Watcher::open(address, "watcher", &lab.secrets.sip).await?;
    for server in &SERVERS {
        watcher.watch(server.name, lab.address(server.host)?, CALLEE, Package::Dialog).await?;
    }
    screen.line(&format!(
        "{CALLER} calls {CALLEE}, both at {}: two seconds of ringing, two of talk",
        home.name
    ));
    let mark = watcher.sightings().mark();
    let phones = Phones::call(
        lab,
        Phone { number: CALLER, server: address },
        Phone { number: CALLEE, server: address },
    );
    let timeline = Timeline::watch(&watcher, mark).await;
    // The phones end by themselves, with or without lamps.
    let call = phones.end().await;
    watcher.close().await;
    timeline.show(screen);
    call?;
    Ok(timeline.complete())
}

/// When each server's phone saw each lamp.
struct Timeline {
    steps: Vec<Step>,
}

struct Step {
    name: &'static str,
    /// By server, in the order of [`SERVERS`].
    seen: Vec<Option<Instant>>,
}

impl Timeline {
    async fn watch(watcher: &Watcher, mark: Mark) -> Self {
        let mut steps = Vec::new();
        let mut after = None;
        for (name, lamp) in [("ringing", Lamp::Ringing), ("in use", Lamp::Lit), ("idle", Lamp::Out)] {
            let home = SERVERS[0].name;
            let first = seen(watcher, mark, after, home, lamp, Instant::now() + STEP_TIMEOUT).await;
            let deadline = Instant::now() + LAMP_TIMEOUT;
            let mut step = Step { name, seen: vec![first] };
            for server in &SERVERS[1..] {
                step.seen.push(seen(watcher, mark, after, server.name, lamp, deadline).await);
            }
            after = first.or(after);
            steps.push(step);
        }
        Self { steps }
    }

    fn complete(&self) -> bool {
        self.steps.iter().all(|step| step.seen.iter().all(Option::is_some))
    }

    fn show(&self, screen: &Screen) {
        screen.heading(&format!("lamp of {CALLEE} as NOTIFY tells the phones"));
        let start = self.steps.first().and_then(|step| step.seen.first().copied().flatten());
        let home = SERVERS[0].name;
        let first = format!("ms at {home}");
        let mut names = vec!["lamp", first.as_str()];
        let others: Vec<String> =
            SERVERS[1..].iter().map(|server| format!("+ms at {}", server.name)).collect();
        names.extend(others.iter().map(String::as_str));
        let mut rows = vec![header(&names)];
        for step in &self.steps {
            let mut row = vec![text(step.name)];
            let here = step.seen.first().copied().flatten();
            row.push(since(start, here));
            row.extend(step.seen.iter().skip(1).map(|there| since(here, *there)));
            rows.push(row);
        }
        screen.table(&rows);
    }
}

fn since(start: Option<Instant>, seen: Option<Instant>) -> Cell {
    match (start, seen) {
        (Some(start), Some(seen)) if seen < start => {
            number(format!("-{}", milliseconds(start.saturating_duration_since(seen))))
        }
        (Some(start), Some(seen)) => number(milliseconds(seen.saturating_duration_since(start))),
        _ => toned(Tone::Bad, "not seen"),
    }
}

/// When a server showed the lamp; not before `after`, when the step before began.
async fn seen(
    watcher: &Watcher,
    mark: Mark,
    after: Option<Instant>,
    server: &str,
    lamp: Lamp,
    deadline: Instant,
) -> Option<Instant> {
    let pick = |sighting: &lab::Sighting| {
        let fits = sighting.server == server && sighting.report == Report::Lamp(lamp);
        (fits && after.is_none_or(|after| sighting.at > after)).then_some(sighting.at)
    };
    watcher.sightings().first(mark, deadline, pick).await
}

//! `sim --scale`: what copying all states to all sites costs, size by size, as rows of a table.
//!
//! Each size is measured by a process of its own, so that its memory is its own.

use crate::console::Console;
use sim::{Graph, Scale, Size, Traffic};
use std::fs;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// Sites, servers of each and devices of each, in the order in which they are measured. The last ones are as many as 8 GiB hold when one process
/// has the nodes of all sites.
const SIZES: [(Graph, usize, usize, usize); 9] = [
    (Graph::Star, 2, 20, 1_000),
    (Graph::Star, 5, 20, 1_000),
    (Graph::Star, 10, 20, 1_000),
    (Graph::Star, 20, 20, 1_000),
    (Graph::Chain, 20, 20, 1_000),
    (Graph::Random, 20, 20, 1_000),
    (Graph::Star, 35, 20, 1_000),
    (Graph::Star, 50, 20, 400),
    (Graph::Chain, 50, 20, 800),
];

const HEADER: &str = "\
| sites × servers × devices | states | to copy | on links, MB | beside states, MB | bytes a copy | all agree after, s | processor, s | RSS, MiB | one change, bytes a site | one of 1,000 at once | a link blinks, KB |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|";

/// Changes of which each waits until the one before it is known everywhere.
const SINGLE: usize = 100;
const AT_ONCE: usize = 1_000;

/// Measures what is asked for: `GRAPH SITES SERVERS DEVICES`, or all sizes.
pub(crate) fn run(console: &Console, words: &[String]) -> ExitCode {
    if words.is_empty() {
        return run_all(console);
    }
    match read(words) {
        Ok(size) => measure(console, size),
        Err(problem) => {
            console.error(&problem);
            ExitCode::from(2)
        }
    }
}

fn run_all(console: &Console) -> ExitCode {
    console.line(HEADER);
    for (graph, sites, servers, devices) in SIZES {
        let size = Size { graph, sites, servers, devices };
        let words = [graph.name().to_owned(), sites.to_string(), servers.to_string(), devices.to_string()];
        let program = std::env::current_exe();
        let status = program.and_then(|program| Command::new(program).arg("--scale").args(words).status());
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => {
                console.error(&format!("{size}: {status}"));
                return ExitCode::FAILURE;
            }
            Err(error) => {
                console.error(&error.to_string());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn read(words: &[String]) -> Result<Size, String> {
    let [graph, numbers @ ..] = words else { return Err("--scale wants a graph".into()) };
    let known = Graph::ALL.into_iter().find(|known| known.name() == graph);
    let graph = known.ok_or(format!("--scale {graph}: there is no such graph"))?;
    let number = |text: &String| text.parse().ok().filter(|number| *number > 0);
    let numbers: Vec<usize> = numbers.iter().filter_map(number).collect();
    match numbers[..] {
        [sites, servers, devices] if sites > 1 && words.len() == 4 => Ok(Size { graph, sites, servers, devices }),
        _ => Err("--scale GRAPH wants the numbers of sites (at least 2), of servers of each, and of devices of each".into()),
    }
}

/// One row. All sites have to agree after each step.
fn measure(console: &Console, size: Size) -> ExitCode {
    let mut scale = Scale::new(size);
    let before = processor();
    let copied = scale.link();
    let took = processor().zip(before).map(|(after, before)| after.saturating_sub(before));
    let memory = peak_memory();
    let mut problem = scale.disagreement();
    let mut single = Traffic::default();
    for _ in 0..SINGLE {
        single.bytes += scale.change(1).bytes;
    }
    let at_once = scale.change(AT_ONCE);
    problem = problem.or_else(|| scale.disagreement());
    let blink = scale.blink();
    problem = problem.or_else(|| scale.disagreement());
    if let Some(problem) = problem {
        console.error(&format!("{size}: {problem}"));
        return ExitCode::FAILURE;
    }
    let others = (size.sites - 1) as f64;
    let cells = [
        size.to_string(),
        grouped(size.states()),
        grouped(size.copies()),
        format!("{:.1}", copied.bytes as f64 / 1e6),
        format!("{:.1}", (copied.bytes - copied.state_bytes) as f64 / 1e6),
        format!("{:.1}", copied.bytes as f64 / size.copies() as f64),
        format!("{:.2}", copied.time.as_secs_f64()),
        took.map_or("–".into(), |took| format!("{:.1}", took.as_secs_f64())),
        memory.map_or("–".into(), |kib| grouped(kib / 1024)),
        format!("{:.1}", single.bytes as f64 / SINGLE as f64 / others),
        format!("{:.1}", at_once.bytes as f64 / AT_ONCE as f64 / others),
        format!("{:.1}", blink.bytes as f64 / 1e3),
    ];
    console.line(&format!("| {} |", cells.join(" | ")));
    ExitCode::SUCCESS
}

fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let parts: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    parts.join(",")
}

/// The time for which a processor has worked for this thread, where the system says so.
fn processor() -> Option<Duration> {
    let text = fs::read_to_string("/proc/self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// The most memory that this process has had at once, in KiB.
fn peak_memory() -> Option<usize> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse().ok()
}

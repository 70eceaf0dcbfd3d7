//! `sim SEED` replays a run, event by event; `sim --seconds N` explores fresh seeds and stops at the first broken promise.
//! `sim --scale` measures what many sites cost.

mod console;
mod meter;

use console::Console;
use sim::{Plant, Report, Stats, run, run_sites};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const USAGE: &str = "usage: sim [SEED] [--sites] [--seconds N] [--plant NAME] [--quiet]
       sim --scale [GRAPH SITES SERVERS DEVICES]

  SEED         replays this run, one line for each event; without it, fresh seeds are explored
  --sites      several sites with links between them, in place of one
  --seconds N  explores fresh seeds for N seconds (60, if not said)
  --plant NAME plants a fault into every node: echo, lost-retry, stale-overwrite, missed-withdrawal, intermediate-aggregate,
               and with --sites endless-hold, hasty-loss, stale-return
  --quiet      replays without the lines
  --scale      measures what it costs that sites know each other's states, at one size or at many: --scale star 3 2 50";

/// What the command line asks for.
struct Request {
    sites: bool,
    seed: Option<u64>,
    seconds: u64,
    plant: Option<Plant>,
    quiet: bool,
}

fn main() -> ExitCode {
    let console = Console::new();
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--scale", size)) = words.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return meter::run(&console, size);
    }
    match Request::read(words.into_iter()) {
        Ok(request) => match request.seed {
            Some(seed) => replay(&console, seed, &request),
            None => explore(&console, &request),
        },
        Err(problem) => {
            console.error(&format!("{problem}\n\n{USAGE}"));
            ExitCode::from(2)
        }
    }
}

impl Request {
    fn run(&self, seed: u64, reader: Option<&mut dyn FnMut(&str)>) -> Report {
        let run = if self.sites { run_sites } else { run };
        run(seed, self.plant, reader)
    }

    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut request = Self { sites: false, seed: None, seconds: 60, plant: None, quiet: false };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--seconds" => {
                    let text = arguments.next().ok_or("--seconds wants a number")?;
                    request.seconds = text.parse().map_err(|_| format!("--seconds {text}: not a number"))?;
                }
                "--plant" => {
                    let text = arguments.next().ok_or("--plant wants a name")?;
                    let plant = Plant::ALL.into_iter().find(|plant| plant.name() == text);
                    request.plant = Some(plant.ok_or(format!("--plant {text}: there is no such fault"))?);
                }
                "--sites" => request.sites = true,
                "--quiet" => request.quiet = true,
                seed => {
                    request.seed =
                        Some(seed.parse().map_err(|_| format!("{seed}: not a seed, which is a number"))?);
                }
            }
        }
        Ok(request)
    }
}

fn replay(console: &Console, seed: u64, request: &Request) -> ExitCode {
    let mut line = |text: &str| console.line(text);
    let report = request.run(seed, if request.quiet { None } else { Some(&mut line) });
    console.line(&format!("\nseed {seed}, options: {}", report.options));
    console.line(&format!("{:#?}", report.stats));
    verdict(console, &report, request)
}

fn verdict(console: &Console, report: &Report, request: &Request) -> ExitCode {
    match &report.failure {
        None => {
            console.line("every promise was kept");
            ExitCode::SUCCESS
        }
        Some(failure) => {
            console.line(&format!(
                "BROKEN: {failure}\nreproduce: ./just sim {}{}",
                report.seed,
                if request.sites { " --sites" } else { "" }
            ));
            ExitCode::FAILURE
        }
    }
}

/// Runs fresh seeds on all processors until the time is up or something is broken.
fn explore(console: &Console, request: &Request) -> ExitCode {
    let until = Instant::now() + Duration::from_secs(request.seconds);
    let first = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or_default());
    let (next, broken) = (AtomicU64::new(first), AtomicBool::new(false));
    let found: Mutex<(u64, Stats, Option<Report>)> = Mutex::default();
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while Instant::now() < until && !broken.load(Ordering::Relaxed) {
                    let report = request.run(next.fetch_add(1, Ordering::Relaxed), None);
                    let mut found = found.lock().expect("no worker panics");
                    found.0 += 1;
                    found.1.add(&report.stats);
                    if report.failure.is_some() {
                        broken.store(true, Ordering::Relaxed);
                        found.2.get_or_insert(report);
                    }
                }
            });
        }
    });
    let (runs, stats, report) = found.into_inner().expect("no worker panics");
    console.line(&format!("{runs} runs from seed {first}; {stats:#?}"));
    match report {
        Some(report) => {
            console.line(&format!("seed {}, options: {}", report.seed, report.options));
            verdict(console, &report, request)
        }
        None => {
            console.line("every promise was kept in every run");
            ExitCode::SUCCESS
        }
    }
}

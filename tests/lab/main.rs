//! The lab suite: scenarios that run one after the other on a lab of their own, whichever lab the user has up beside it.
//!
//! `cargo test -p lab --test lab -- [--list] [PART OF A NAME]...` with `SUBJECT=node` (nodes and servers), `SUBJECT=stock` (what can be
//! asked of stock servers alone, on stock servers alone; each must pass or fail as the list says) `SUBJECT=mixed` (what Asterisk 22
//! and 16 do with words that nodes may say) or `SUBJECT=sites` (two sites and what is between them); without it `node`, `mixed` and `sites`. The images must be there: `just test` builds them.

#![allow(clippy::print_stdout, reason = "a test program tells its results on standard output")]

mod breakage;
mod browser;
mod canaries;
mod house;
mod junk;
mod lamp;
mod logs;
mod mixed;
mod ring;
mod scenarios;
mod sites;
mod stage;
mod words;

use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use anyhow::{Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use house::House;
use scenarios::{Scenario, Stock};
use stage::Stage;

/// Whom the scenarios judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Node,
    Stock,
    Mixed,
    Sites,
}

struct Arguments {
    subjects: Vec<Subject>,
    list: bool,
    filters: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(complaint) => {
            eprintln!("{complaint}");
            return ExitCode::from(2);
        }
    };
    if arguments.list {
        let chosen = arguments.subjects.iter().flat_map(|subject| arguments.chosen(*subject));
        chosen.for_each(|scenario| println!("{}: test", scenario.name));
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(judge_all(&arguments)),
        Err(error) => {
            eprintln!("cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Arguments {
    fn read() -> Result<Self, String> {
        let subjects = match std::env::var("SUBJECT").as_deref() {
            Err(_) | Ok("") => vec![Subject::Node, Subject::Mixed, Subject::Sites],
            Ok("node") => vec![Subject::Node],
            Ok("stock") => vec![Subject::Stock],
            Ok("mixed") => vec![Subject::Mixed],
            Ok("sites") => vec![Subject::Sites],
            Ok(other) => return Err(format!("SUBJECT is {other}; it may be node, stock, mixed or sites")),
        };
        // cargo and its users pass the options of the usual harness; those that mean nothing here are let through.
        let (options, filters): (Vec<_>, Vec<_>) =
            std::env::args().skip(1).partition(|word| word.starts_with('-'));
        Ok(Self { subjects, list: options.iter().any(|option| option == "--list"), filters })
    }

    fn chosen(&self, subject: Subject) -> Vec<&'static Scenario> {
        let fits = |scenario: &&Scenario| {
            let named = |filter: &String| scenario.name.contains(filter.as_str());
            let asked = subject != Subject::Stock || scenario.stock != Stock::NotAsked;
            asked && (self.filters.is_empty() || self.filters.iter().any(named))
        };
        let all = match subject {
            Subject::Node | Subject::Stock => scenarios::ALL,
            Subject::Mixed => mixed::ALL,
            Subject::Sites => sites::ALL,
        };
        all.iter().filter(fits).collect()
    }
}

/// Each subject on a lab of its own.
async fn judge_all(arguments: &Arguments) -> ExitCode {
    let interrupted = interrupted();
    let mut outcome = ExitCode::SUCCESS;
    for subject in &arguments.subjects {
        let one = judge(*subject, &arguments.chosen(*subject), interrupted.clone()).await;
        if *interrupted.borrow() {
            return one;
        }
        if one != ExitCode::SUCCESS {
            outcome = one;
        }
    }
    outcome
}

/// Brings a lab up, runs the scenarios, and takes the lab away whatever happened.
async fn judge(subject: Subject, chosen: &[&Scenario], interrupted: watch::Receiver<bool>) -> ExitCode {
    println!("\nrunning {} tests", chosen.len());
    if chosen.is_empty() {
        println!("\ntest result: ok. 0 passed; 0 failed\n");
        return ExitCode::SUCCESS;
    }
    let mut house = match House::plan(subject).await {
        Ok(house) => house,
        Err(error) => {
            println!("no lab: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = run(&mut house, subject, chosen, interrupted).await;
    house.tear_down().await;
    outcome
}

/// Becomes true on Ctrl-C or SIGTERM. From the first call on neither ends this process: the lab must go first.
fn interrupted() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    if let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    {
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            println!("interrupted: the lab is being removed");
            sender.send_replace(true);
            sender.closed().await;
        });
    }
    receiver
}

async fn run(
    house: &mut House,
    subject: Subject,
    chosen: &[&Scenario],
    mut interrupted: watch::Receiver<bool>,
) -> ExitCode {
    let start = Instant::now();
    // Not given up halfway: compose would go on creating what has been removed.
    if let Err(error) = house.bring_up().await {
        println!("the lab {} does not come up: {error:#}", house.lab.project);
        house.show_ends_of_logs().await;
        return ExitCode::FAILURE;
    }
    println!(
        "lab {} on {}.0/24 is up ({:.1} s)",
        house.lab.project,
        house.lab.net,
        start.elapsed().as_secs_f64()
    );
    let mut failures = Vec::new();
    for scenario in chosen {
        let begin = Instant::now();
        let result = tokio::select! {
            result = run_one(house, scenario, subject) => result,
            Ok(_) = interrupted.wait_for(|yes| *yes) => return ExitCode::from(130),
        };
        let seconds = begin.elapsed().as_secs_f64();
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        println!("test {} ... {verdict} ({seconds:.1} s)", scenario.name);
        if let Err(error) = result {
            let error = format!("    {}", format!("{error:#}").replace('\n', "\n    "));
            println!("{error}");
            failures.push(format!("{}\n{error}", scenario.name));
        }
    }
    // Again: the end is where cargo's own harness tells them, and what a shortened log still has.
    if !failures.is_empty() {
        println!("\nfailures:\n\n{}", failures.join("\n\n"));
    }
    let verdict = if failures.is_empty() { "ok" } else { "FAILED" };
    let passed = chosen.len() - failures.len();
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "\ntest result: {verdict}. {passed} passed; {} failed; finished in {seconds:.1} s\n",
        failures.len()
    );
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One scenario, then health again, then a look at what our containers logged meanwhile.
async fn run_one(house: &House, scenario: &Scenario, subject: Subject) -> Result<()> {
    let since = SystemTime::now();
    let lab = house.lab.clone();
    let body = scenario.run;
    // In a task of its own, so that a panic ends the scenario and not the suite.
    let told = tokio::spawn(async move { body(Stage::set(lab).await?).await }).await;
    let told = told.unwrap_or_else(|panic| Err(anyhow!("{panic}")));
    let restored = house.restore().await;
    let renewed = if told.is_ok() { Ok(()) } else { house.renew().await };
    let told = if subject == Subject::Stock { as_recorded(told, scenario.stock) } else { told };
    let quiet = logs::quiet(&house.lab, since, scenario.expected).await;
    let result = told.and(restored).and(renewed).and(quiet);
    if result.is_err() {
        match logs::keep(&house.lab, since, scenario.name).await {
            Ok(folder) => println!("logs of {} are in {}", scenario.name, folder.display()),
            Err(error) => println!("the logs of {} are lost: {error:#}", scenario.name),
        }
    }
    result
}

/// Stock servers must do as the list of scenarios says of them, also where it says that they fail: the list is to stay true.
fn as_recorded(told: Result<()>, stock: Stock) -> Result<()> {
    match (told, stock) {
        (Err(error), Stock::Fails(complaint)) if format!("{error:#}").contains(complaint) => {
            println!("    stock fails: {error:#}");
            Ok(())
        }
        (Err(error), Stock::Fails(complaint)) => {
            Err(error.context(format!("stock servers are to fail, but with the words {complaint:?}")))
        }
        (Ok(()), Stock::Fails(_)) => Err(anyhow!(
            "stock servers pass what they are recorded to fail: mark it also_stock() in the list of scenarios, and in docs/FAULTS.md"
        )),
        (told, Stock::Passes | Stock::NotAsked) => told,
    }
}

//! `asterism-lab break …` and `asterism-lab heal`: the faults of the scenarios, for people.

use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use lab::{Container, Lab, Machine, event};

use crate::output::Screen;

/// What to break.
#[derive(Subcommand)]
pub(crate) enum Harm {
    /// Ends services as a power cut would: an Asterisk (pbx1), a corosync (pbx1-corosync), a node (node1); both of a machine.
    Kill {
        /// Compose services; the site may be left out.
        #[arg(required = true)]
        services: Vec<String>,
    },
    /// Stops the programs of services where they are (SIGSTOP).
    Freeze {
        /// Compose services; the site may be left out.
        #[arg(required = true)]
        services: Vec<String>,
    },
    /// Pulls the cable between some machines (`pbx1 node1 pbx3`) and all others.
    Partition {
        /// The machines of one side: servers and nodes.
        #[arg(required = true)]
        machines: Vec<String>,
    },
    /// Lets a second process of a machine join the group and leave it: the others take its server for gone.
    Intrude {
        /// A machine with a corosync: pbx1, pbx2, node1, node2.
        machine: String,
        /// What it says there: messages in hexadecimal digits. Stock servers believe all, and some crash them.
        messages: Vec<String>,
    },
}

pub(crate) async fn run(lab: &Lab, screen: &Screen, harm: &Harm) -> Result<bool> {
    match harm {
        Harm::Kill { services } => {
            let services = known(lab, services).await?;
            event("kill", &services.join(" ")).await?;
            lab.faults().kill(&words(&services)).await?;
        }
        Harm::Freeze { services } => {
            let services = known(lab, services).await?;
            event("freeze", &services.join(" ")).await?;
            lab.faults().freeze(&words(&services)).await?;
        }
        Harm::Partition { machines } => {
            let side = machines.iter().map(|name| machine(name)).collect::<Result<Vec<_>>>()?;
            let names: Vec<&str> = side.iter().map(|machine| machine.name).collect();
            event("partition", &names.join(" ")).await?;
            lab.faults().partition(&side).await?;
        }
        Harm::Intrude { machine: name, messages } => {
            let machine = machine(name)?;
            event("intrude", machine.name).await?;
            screen.line(&lab.faults().intrude(&machine, &words(messages)).await?);
            return Ok(true);
        }
    }
    screen.line("Done. `just status` shows what it does, `just heal` undoes it.");
    Ok(true)
}

/// Undoes whatever `run` did.
pub(crate) async fn heal(lab: &Lab, screen: &Screen) -> Result<bool> {
    event("heal", &lab.project).await?;
    let done = lab.faults().heal(&[]).await?;
    done.iter().for_each(|what| screen.line(what));
    screen.line(if done.is_empty() { "Nothing was broken." } else { "All containers are healthy." });
    Ok(true)
}

/// The full names of services that the lab has.
async fn known(lab: &Lab, names: &[String]) -> Result<Vec<String>> {
    let containers = lab.docker().containers().await?;
    names.iter().map(|name| service(&containers, name)).collect()
}

fn service(containers: &[Container], name: &str) -> Result<String> {
    let full = format!("east-{name}");
    let found = containers.iter().map(|found| &found.service).find(|known| *known == name || **known == full);
    let found = found.with_context(|| format!("the lab has no service {name}; `just status` lists them"))?;
    ensure!(
        !found.ends_with("-host"),
        "{found} only holds a network, which dies with it: kill the programs of that machine instead"
    );
    Ok(found.clone())
}

fn machine(name: &str) -> Result<Machine> {
    let Some(machine) = Machine::named(name) else {
        let all: Vec<&str> = Machine::all().map(|machine| machine.name).collect();
        bail!("there is no machine {name}; there are {}", all.join(", "));
    };
    Ok(machine)
}

fn words(owned: &[String]) -> Vec<&str> {
    owned.iter().map(String::as_str).collect()
}

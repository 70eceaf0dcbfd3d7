//! Who is in the group: scenarios part machines and wait until that is noticed.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::{Machine, NODES};

use crate::stage::{Stage, eventually};

/// Within this corosync has noticed who came or went, and agreed.
const AGREED: Duration = Duration::from_secs(20);

impl Stage {
    /// Pulls the cable between these machines and all others, and waits until both sides have noticed.
    pub(crate) async fn part(&self, side: &[&str]) -> Result<()> {
        let machines: Vec<Machine> =
            self.machines().filter(|machine| side.contains(&short(machine))).collect();
        self.faults().partition(&machines).await?;
        let others: Vec<&str> = self
            .machines()
            .filter(|machine| !machines.contains(machine))
            .map(|machine| machine.name)
            .collect();
        self.together(side).await?;
        self.together(&others).await
    }

    /// Puts the cables back and waits until all are one group again.
    pub(crate) async fn reunite(&self) -> Result<()> {
        self.faults().reunite().await?;
        self.all_together().await
    }

    /// Waits until the group of each of these machines has exactly these as its members.
    pub(crate) async fn together(&self, names: &[&str]) -> Result<()> {
        let side: Vec<Machine> = self
            .machines()
            .filter(|machine| names.contains(&machine.name) || names.contains(&short(machine)))
            .collect();
        let nodeids: BTreeSet<u32> = side.iter().filter_map(|machine| machine.nodeid).collect();
        for machine in side.iter().filter(|machine| machine.nodeid.is_some()) {
            let what = format!("{} sees the members {nodeids:?}", machine.name);
            eventually(&what, AGREED, || async { Ok(self.members(machine).await? == nodeids) }).await?;
        }
        Ok(())
    }

    /// Waits until this machine is out of the others' group.
    pub(crate) async fn together_without(&self, name: &str) -> Result<()> {
        let others: Vec<&str> =
            self.machines().filter(|machine| short(machine) != name).map(|machine| machine.name).collect();
        self.together(&others).await
    }

    /// Waits until all machines of the lab are one group.
    pub(crate) async fn all_together(&self) -> Result<()> {
        let all: Vec<&str> = self.machines().map(|machine| machine.name).collect();
        self.together(&all).await
    }

    /// The nodeids in the group, as a machine's server or node sees them.
    async fn members(&self, machine: &Machine) -> Result<BTreeSet<u32>> {
        if let Ok(pbx) = self.pbx(machine.name) {
            return Ok(pbx.members().await?.into_iter().collect());
        }
        let spec = NODES.iter().find(|node| node.name == machine.name).context("no such machine")?;
        let seen = self.lab.node(spec)?.members().await?;
        Ok(seen.members.iter().filter(|_| seen.joined).map(|member| member.nodeid).collect())
    }

    /// The machines that this lab has.
    pub(crate) fn machines(&self) -> impl Iterator<Item = Machine> {
        let nodes: Vec<&str> =
            self.nodes().map(|nodes| nodes.iter().map(|node| node.spec.name).collect()).unwrap_or_default();
        Machine::all().filter(move |machine| self.pbx(machine.name).is_ok() || nodes.contains(&machine.name))
    }
}

/// Without the site, as scenarios call them.
fn short(machine: &Machine) -> &'static str {
    machine.name.strip_prefix("east-").unwrap_or(machine.name)
}

//! Faults: what breaks a lab, and what mends it. `just break` and the scenarios do the same.
//!
//! Programs are killed and stopped by docker. What concerns the network or the group is done by short-lived helpers that join a
//! machine's namespaces and bring the right with them, so that nothing of the lab has it.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::task::JoinSet;

use crate::compose::Lab;
use crate::docker::{Container, docker};
use crate::topology::{Kind, Machine};

pub(crate) const IMAGE: &str = "asterism/faults";
pub(crate) const GROUP: &str = "asterisk";
/// The table of our own in a machine's nftables.
const TABLE: &str = "inet asterism_cut";
/// Compose's health checks take 30 s at most.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(60);

/// What can be done to a lab.
pub struct Faults<'a> {
    lab: &'a Lab,
}

impl Lab {
    /// What can be done to it.
    pub fn faults(&self) -> Faults<'_> {
        Faults { lab: self }
    }
}

impl Faults<'_> {
    /// Ends services at once and together, as a power cut would; nothing brings them back but [`Faults::heal`] or a start.
    pub async fn kill(&self, services: &[&str]) -> Result<()> {
        self.lab.docker().kill(services).await
    }

    /// Stops programs where they are (SIGSTOP); to the others they look as if they had no time.
    pub async fn freeze(&self, services: &[&str]) -> Result<()> {
        self.lab.docker().signal("STOP", services).await
    }

    /// Lets frozen programs go on.
    pub async fn thaw(&self, services: &[&str]) -> Result<()> {
        self.lab.docker().signal("CONT", services).await
    }

    /// Pulls the cable between these machines and all others. Among themselves they still speak, and we still reach all of them.
    pub async fn partition(&self, side: &[Machine]) -> Result<()> {
        let far = Machine::all().filter(|machine| !side.contains(machine));
        let far = far.map(|machine| self.lab.address(machine.host)).collect::<Result<Vec<_>>>()?;
        let rules = cut(&far.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
        self.filter(side, &rules).await
    }

    /// Lets nothing out that a machine would PUBLISH, as a careless firewall may; it seems to be well, for all else passes.
    pub async fn swallow_publishes(&self, machine: &Machine) -> Result<()> {
        self.filter(&[*machine], &swallow()).await
    }

    /// Filters what these machines hear and say, until [`Faults::reunite`].
    async fn filter(&self, machines: &[Machine], rules: &str) -> Result<()> {
        ensure!(self.cuts().await?.is_empty(), "there is a partition already; heal it first");
        let mut helpers = Vec::new();
        let label = self.label("cut");
        let options = ["--detach", "--label", &label, "--cap-add", "NET_ADMIN"];
        for machine in machines {
            helpers.push(self.helper(machine, &options, &["sleep", "infinity"]).await?);
        }
        nft(helpers, rules).await
    }

    /// Puts all cables back.
    pub async fn reunite(&self) -> Result<()> {
        let helpers = self.cuts().await?;
        nft(helpers.clone(), &format!("delete table {TABLE}")).await?;
        if !helpers.is_empty() {
            let mut remove = vec!["rm", "--force"];
            remove.extend(helpers.iter().map(String::as_str));
            docker(&remove).await?;
        }
        Ok(())
    }

    /// A second process on a machine joins the group, says these messages (in hexadecimal digits) and leaves. Stock servers
    /// believe every one of them.
    pub async fn intrude(&self, machine: &Machine, messages: &[&str]) -> Result<String> {
        ensure!(
            machine.nodeid.is_some(),
            "{} has no corosync, so nobody can join the group there",
            machine.name
        );
        let mut command = vec!["say", GROUP];
        command.extend(messages);
        // With --init it is not process 1: that one is in the group already, in a namespace of its own.
        self.helper(machine, &["--rm", "--init"], &command).await
    }

    /// Undoes every fault: cables, frozen and ended containers, and stock servers that lost the group, which they never find again
    /// by themselves. Waits until all is healthy; services that are `resting` are let be. Says what it did.
    pub async fn heal(&self, resting: &[&str]) -> Result<Vec<String>> {
        let mut done = Vec::new();
        if !self.cuts().await?.is_empty() {
            self.reunite().await?;
            done.push("the partition is over".to_owned());
        }
        let frozen = self.frozen().await?;
        if !frozen.is_empty() {
            self.thaw(&frozen.iter().map(String::as_str).collect::<Vec<_>>()).await?;
            done.extend(frozen.iter().map(|service| format!("{service} goes on")));
        }
        // A server that comes up before its corosync does without the group for ever.
        for stage in [is_host, is_corosync, is_program] {
            done.extend(self.revive(|service| stage(service) && !resting.contains(&service)).await?);
        }
        done.extend(self.bring_back_the_lost().await?);
        Ok(done)
    }

    /// The services whose program is stopped.
    async fn frozen(&self) -> Result<Vec<String>> {
        let mut all = JoinSet::new();
        for container in self.lab.docker().containers().await? {
            if container.state == "running" {
                all.spawn(async move { Ok((is_stopped(&container).await?, container.service)) });
            }
        }
        let looked = all.join_all().await.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(looked.into_iter().filter(|(stopped, _)| *stopped).map(|(_, service)| service).collect())
    }

    /// Brings back what has ended, and waits for its health.
    async fn revive(&self, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>> {
        let docker = self.lab.docker();
        let containers = docker.containers().await?.into_iter().filter(|found| wanted(&found.service));
        let (mut services, mut done) = (Vec::new(), Vec::new());
        for container in containers {
            done.extend(revive(&container).await?);
            services.push(container.service);
        }
        docker.healthy(&services.iter().map(String::as_str).collect::<Vec<_>>(), HEALTH_TIMEOUT).await?;
        Ok(done)
    }

    /// Restarts stock servers that their corosync does not count among the group's members.
    async fn bring_back_the_lost(&self) -> Result<Vec<String>> {
        let mut lost = Vec::new();
        for server in self.lab.servers.iter().filter(|server| server.kind == Kind::Stock) {
            if !self.is_member(server.name).await? {
                lost.push(server.name);
            }
        }
        self.restart(&lost).await?;
        Ok(lost.iter().map(|name| format!("{name} had lost the group and was restarted")).collect())
    }

    /// Kills servers or nodes, starts them again and waits until they are healthy.
    pub async fn restart(&self, services: &[&str]) -> Result<()> {
        if services.is_empty() {
            return Ok(());
        }
        self.kill(services).await?;
        self.lab.docker().start(services).await?;
        self.lab.docker().healthy(services, HEALTH_TIMEOUT).await
    }

    /// Whether a process of that machine is in the group, as its own corosync says.
    async fn is_member(&self, machine: &str) -> Result<bool> {
        let corosync = format!("{machine}-corosync");
        let listed = self.lab.docker().exec(&corosync, &["corosync-cpgtool"]).await?;
        let address = Machine::named(machine)
            .context("no such machine")
            .and_then(|machine| self.lab.address(machine.host))?;
        Ok(listed.contains(&format!("({address})")))
    }

    /// The helpers that hold a cut.
    async fn cuts(&self) -> Result<Vec<String>> {
        let filter = format!("label={}", self.label("cut"));
        Ok(docker(&["ps", "--all", "--quiet", "--filter", &filter])
            .await?
            .lines()
            .map(str::to_owned)
            .collect())
    }

    async fn helper(&self, machine: &Machine, options: &[&str], command: &[&str]) -> Result<String> {
        let run = self.helper_run(machine, options, command).await?;
        let run: Vec<&str> = run.iter().map(String::as_str).collect();
        docker(&run).await.with_context(|| format!("the helper on {}", machine.name))
    }

    /// What docker is told to start a helper.
    pub(crate) async fn helper_run(
        &self,
        machine: &Machine,
        options: &[&str],
        command: &[&str],
    ) -> Result<Vec<String>> {
        let owner = self.lab.docker().container(&machine.network()).await?.id;
        let (label, network, ipc) =
            (self.label("lab"), format!("container:{owner}"), format!("container:{owner}"));
        let mut run = vec!["run", "--label", &label, "--network", &network];
        run.extend([
            "--cap-drop",
            "ALL",
            "--cap-add",
            "NET_ADMIN",
            "--security-opt",
            "no-new-privileges:true",
        ]);
        if machine.nodeid.is_some() {
            run.extend(["--ipc", &ipc]);
        }
        run.extend(options);
        run.push(IMAGE);
        run.extend(command);
        Ok(run.into_iter().map(str::to_owned).collect())
    }

    fn label(&self, kind: &str) -> String {
        format!("asterism.{kind}={}", self.lab.project)
    }
}

/// The rules of a machine that hears and reaches none of these addresses.
fn cut(far: &str) -> String {
    format!(
        "table {TABLE} {{
            chain from {{ type filter hook input priority 0; ip saddr {{ {far} }} drop; }}
            chain to {{ type filter hook output priority 0; ip daddr {{ {far} }} drop; }}
        }}"
    )
}

/// The rules of a machine whose datagrams to port 5060 that begin with `PUBL` are lost.
fn swallow() -> String {
    format!(
        "table {TABLE} {{
            chain to {{ type filter hook output priority 0; udp dport 5060 @th,64,32 0x5055424c drop; }}
        }}"
    )
}

/// The same rules by all helpers at the same time.
async fn nft(helpers: Vec<String>, rules: &str) -> Result<()> {
    let mut all = JoinSet::new();
    for helper in helpers {
        let rules = rules.to_owned();
        all.spawn(async move { docker(&["exec", &helper, "nft", &rules]).await });
    }
    while let Some(one) = all.join_next().await {
        one?.context("nft")?;
    }
    Ok(())
}

/// Whether its first process is in state T, as `ps` on docker's machine says.
async fn is_stopped(container: &Container) -> Result<bool> {
    let listed = docker(&["top", &container.id, "-o", "pid,stat"]).await?;
    let first = listed.lines().find_map(|line| line.trim().strip_prefix(&format!("{} ", container.pid)));
    Ok(first.is_some_and(|state| state.trim().starts_with('T')))
}

/// Brings a container back from wherever a fault has put it, and says so.
async fn revive(container: &Container) -> Result<Option<String>> {
    let (verb, done) = match container.state.as_str() {
        "running" | "restarting" => return Ok(None),
        "paused" => ("unpause", "goes on"),
        "exited" | "created" | "dead" => ("start", "was started"),
        other => bail!("{} is {other}", container.service),
    };
    docker(&[verb, &container.id]).await?;
    Ok(Some(format!("{} {done}", container.service)))
}

fn is_host(service: &str) -> bool {
    service.ends_with("-host")
}

fn is_corosync(service: &str) -> bool {
    service.ends_with("-corosync")
}

fn is_program(service: &str) -> bool {
    !is_host(service) && !is_corosync(service)
}

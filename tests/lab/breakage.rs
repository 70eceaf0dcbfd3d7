//! What scenarios do to the programs of the lab, and what they see of it from outside.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use lab::{Docker, Faults, Kind, Machine, Node, ServerSpec};
use tokio::task::JoinSet;

use crate::lamp::Lamp;
use crate::stage::{POLL, SOON, STARTED, Stage, eventually};

/// Who may speak to a corosync of the lab, as it takes it over when it starts.
const CLIENTS: &str = "/usr/local/share/clients.conf";
const DATABASE: &str = "/var/lib/asterisk/astdb.sqlite3";

impl Stage {
    /// What can be done to this lab.
    pub(crate) fn faults(&self) -> Faults<'_> {
        self.lab.faults()
    }

    /// Kills a server's Asterisk, a node or a corosync.
    pub(crate) async fn kill(&self, service: &str) -> Result<()> {
        self.faults().kill(&[service]).await
    }

    /// Starts a node that has ended and waits until it is in the group and synced.
    pub(crate) async fn start_node(&self, number: usize) -> Result<()> {
        let node = self.node(number)?;
        self.lab.docker().start(&[node.spec.name]).await?;
        node.becomes_ready(STARTED, POLL).await
    }

    /// Starts a corosync that has ended and waits until it has found its ring.
    pub(crate) async fn start_corosync(&self, machine: &str) -> Result<()> {
        let corosync = format!("east-{machine}-corosync");
        self.lab.docker().start(&[&corosync]).await?;
        self.lab.docker().healthy(&[&corosync], STARTED).await
    }

    /// Starts a server that has ended, waits until it is healthy, and connects to it anew.
    pub(crate) async fn start_server(&mut self, name: &str) -> Result<()> {
        let spec = self.pbx(name)?.spec;
        self.lab.docker().start(&[spec.name]).await?;
        self.lab.docker().healthy(&[spec.name], STARTED).await?;
        self.connect(spec).await
    }

    /// Kills a corosync and starts it without the node's user among those who may speak to it.
    pub(crate) async fn forbid_corosync(&self, machine: &str) -> Result<()> {
        let corosync = format!("east-{machine}-corosync");
        self.lab.docker().exec(&corosync, &["sed", "-i", "s/951/9951/", CLIENTS]).await?;
        self.kill(&corosync).await?;
        self.together_without(machine).await?;
        self.start_corosync(machine).await
    }

    /// Does what the node's log says: allows its user and lets corosync read that.
    pub(crate) async fn allow_corosync(&self, machine: &str) -> Result<()> {
        let corosync = format!("east-{machine}-corosync");
        let docker = self.lab.docker();
        docker.exec(&corosync, &["sed", "-i", "s/9951/951/", CLIENTS]).await?;
        docker.exec(&corosync, &["cp", CLIENTS, "/etc/corosync/uidgid.d/"]).await?;
        docker.exec(&corosync, &["corosync-cfgtool", "-R"]).await.map(drop)
    }

    /// Waits until a service has logged this since the lab came up.
    pub(crate) async fn says(&self, service: &str, words: &str) -> Result<()> {
        let docker = self.lab.docker();
        eventually(&format!("{service} says: {words}"), SOON, || async {
            Ok(docker.logs(service, SystemTime::UNIX_EPOCH).await?.contains(words))
        })
        .await
    }

    /// Restarts a server with another EID than its own, until its container is started again.
    pub(crate) async fn clone_server(&mut self, name: &str, eid: &str) -> Result<()> {
        let spec = self.pbx(name)?.spec;
        let change = format!("s/^entityid = .*/entityid = {eid}/");
        let docker = self.lab.docker();
        docker.exec(spec.name, &["sed", "-i", &change, "/etc/asterisk/asterisk.conf"]).await?;
        // It ends the connection, too, and that may come before the answer.
        drop(self.pbx(name)?.cli("core restart now").await);
        let deadline = Instant::now() + STARTED;
        loop {
            let settings = match self.connect(spec).await {
                Ok(()) => self.pbx(name)?.cli("core show settings").await.unwrap_or_default(),
                Err(_) => Vec::new(),
            };
            if settings.iter().any(|line| line.contains("Entity ID:") && line.contains(eid)) {
                return self.all_together().await;
            }
            ensure!(Instant::now() < deadline, "{name} does not come up as {eid}");
            tokio::time::sleep(POLL).await;
        }
    }

    async fn connect(&mut self, spec: &'static ServerSpec) -> Result<()> {
        let anew = self.lab.pbx(spec).await?;
        if let Some(pbx) = self.pbxes.iter_mut().find(|pbx| pbx.spec == spec) {
            *pbx = anew;
        }
        Ok(())
    }

    /// Ends everything at once, and lets each machine come up as fast as it can: its corosync, then its server or node.
    pub(crate) async fn power_cut(&mut self) -> Result<()> {
        let machines: Vec<Machine> = self.machines().collect();
        let programs: Vec<&str> = machines.iter().map(|machine| machine.name).collect();
        let corosyncs: Vec<String> = machines.iter().filter_map(Machine::corosync).collect();
        let all = programs.iter().copied().chain(corosyncs.iter().map(String::as_str));
        self.faults().kill(&all.collect::<Vec<_>>()).await?;
        let mut boots = JoinSet::new();
        for machine in &machines {
            boots.spawn(boot(self.lab.docker(), *machine));
        }
        while let Some(booted) = boots.join_next().await {
            booted??;
        }
        self.lab.docker().healthy(&programs, STARTED).await?;
        self.pbxes = self.lab.pbxes().await?;
        self.load_cluster_modules().await
    }

    /// Does what an operator of stock servers has to do: one that starts while the ring is forming may not join (`Failed to join: (6)`), gives
    /// its module up and never tries again.
    async fn load_cluster_modules(&self) -> Result<()> {
        for pbx in self.all().into_iter().filter(|pbx| pbx.spec.kind == Kind::Stock) {
            let what = format!("{} has its res_corosync", pbx.spec.name);
            eventually(&what, STARTED, || async {
                let modules = pbx.cli("module show like res_corosync").await?;
                let loaded =
                    modules.iter().any(|line| line.contains("Running") && !line.contains("Not Running"));
                if !loaded {
                    pbx.cli("module load res_corosync.so").await?;
                }
                Ok(loaded)
            })
            .await?;
        }
        Ok(())
    }

    /// A second process on a machine joins the group, says something, and leaves.
    pub(crate) async fn intrude(&self, name: &str, messages: &[&str]) -> Result<()> {
        let machine = Machine::named(name).with_context(|| format!("there is no {name}"))?;
        self.faults().intrude(&machine, messages).await.map(drop)
    }

    /// Waits until a server's database has the lamp as lit. It is written a second late, and a kill before that undoes it.
    pub(crate) async fn written(&self, name: &str, lamp: &Lamp) -> Result<()> {
        let service = self.pbx(name)?.spec.name;
        let (docker, entry) = (self.lab.docker(), format!("/CustomDevstate/{}INUSE", lamp.exten));
        let search = ["grep", "--quiet", "--text", "--fixed-strings", &entry, DATABASE];
        eventually(&format!("{entry} is in the database of {name}"), SOON, || async {
            Ok(docker.exec(service, &search).await.is_ok())
        })
        .await
    }

    /// Waits until a node takes the lamp's device for being in that state.
    pub(crate) async fn knows(&self, node: &Node, lamp: &Lamp, state: &str) -> Result<()> {
        eventually(&format!("{} knows {} as {state}", node.spec.name, lamp.device), SOON, || async {
            Ok(node.states(&lamp.device).await?.is_some_and(|known| known.aggregate == state))
        })
        .await
    }

    /// What servers and nodes have warned of since then.
    pub(crate) async fn warnings(&self, since: SystemTime) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        for machine in self.machines() {
            let log = self.lab.docker().logs(machine.name, since).await?;
            let loud = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR"));
            warnings.extend(loud.map(str::to_owned));
        }
        Ok(warnings)
    }

    /// From now on the processor time of a node is counted.
    pub(crate) async fn work_of_node(&self, number: usize) -> Result<Work> {
        let (docker, service) = (self.lab.docker(), self.node(number)?.spec.name);
        let before = docker.processor_time(service).await?;
        Ok(Work { docker, service, before, since: Instant::now() })
    }
}

/// The processor time of a service since some moment.
pub(crate) struct Work {
    docker: Docker,
    service: &'static str,
    before: Duration,
    since: Instant,
}

impl Work {
    /// Of one processor.
    pub(crate) async fn percent(&self) -> Result<f64> {
        let taken = self.docker.processor_time(self.service).await?.saturating_sub(self.before);
        Ok(taken.as_secs_f64() / self.since.elapsed().as_secs_f64() * 100.0)
    }
}

/// As an init system does: the program when its own corosync answers, whether the others are there or not.
async fn boot(docker: Docker, machine: Machine) -> Result<()> {
    if let Some(corosync) = machine.corosync() {
        docker.start(&[&corosync]).await?;
        eventually(&format!("{corosync} answers"), STARTED, || async {
            Ok(docker.exec(&corosync, &["corosync-cpgtool"]).await.is_ok())
        })
        .await?;
    }
    docker.start(&[machine.name]).await
}

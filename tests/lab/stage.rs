//! What scenarios act on: the servers with fresh AMI connections, new lamps, and faults.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use lab::{Lab, NODES, Node, Pbx, Prometheus, Watcher};

use crate::house::EXPORTER;

/// Within this a change must show wherever nothing is broken.
pub(crate) const SOON: Duration = Duration::from_secs(5);
/// Within this a program that was started must be in service.
pub(crate) const STARTED: Duration = Duration::from_secs(30);
/// Within this all sources answer the exporter, and Prometheus knows.
const WATCHED: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(50);

pub(crate) struct Stage {
    pub(crate) lab: Lab,
    pbxes: Vec<Pbx>,
}

impl Stage {
    pub(crate) async fn set(lab: Lab) -> Result<Self> {
        let pbxes = lab.pbxes().await?;
        Ok(Self { lab, pbxes })
    }

    /// All servers of the lab.
    pub(crate) fn all(&self) -> Vec<&Pbx> {
        self.pbxes.iter().collect()
    }

    /// The server of that name (`pbx3`).
    pub(crate) fn pbx(&self, name: &str) -> Result<&Pbx> {
        let spec = lab::server(name).with_context(|| format!("there is no {name}"))?;
        self.pbxes.iter().find(|pbx| pbx.spec == spec).with_context(|| format!("{name} is not in this lab"))
    }

    /// All servers but that one.
    pub(crate) fn others<'a>(&'a self, name: &'a str) -> Vec<&'a Pbx> {
        self.pbxes.iter().filter(|pbx| lab::server(name) != Some(pbx.spec)).collect()
    }

    /// Every server with every other.
    pub(crate) fn directed_pairs(&self) -> Vec<(&Pbx, &Pbx)> {
        let all = || self.pbxes.iter();
        all()
            .flat_map(|from| all().map(move |to| (from, to)))
            .filter(|(from, to)| from.spec != to.spec)
            .collect()
    }

    /// The nodes, if the lab has any.
    pub(crate) fn nodes(&self) -> Result<Vec<Node>> {
        let served = |name| self.pbxes.iter().any(|pbx| pbx.spec.name == name);
        NODES.iter().filter(|node| served(node.serves)).map(|node| self.lab.node(node)).collect()
    }

    /// The node of that number.
    pub(crate) fn node(&self, number: usize) -> Result<Node> {
        self.lab.node(NODES.get(number - 1).context("there is no such node")?)
    }

    /// A lamp that nobody has seen before, with a hint at every server.
    pub(crate) async fn new_lamp(&self) -> Result<Lamp> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let exten = format!("new-lamp-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let lamp = Lamp { device: format!("Custom:{exten}"), exten };
        for pbx in &self.pbxes {
            pbx.add_hint(&lamp.exten, &lamp.device).await?;
        }
        Ok(lamp)
    }

    /// A phone that watches, at no server yet.
    pub(crate) async fn watcher(&self) -> Result<Watcher> {
        let toward = self.pbxes.first().context("no server")?.address;
        Ok(Watcher::open(toward, "watcher", &self.lab.secrets.sip).await?)
    }

    /// Starts the exporter, canaries and all, and waits until every source answers and Prometheus has heard of it.
    pub(crate) async fn watched(&self) -> Result<Prometheus> {
        self.lab.docker().start(&[EXPORTER]).await?;
        // Prometheus may still know of the one before.
        self.lab.docker().healthy(&[EXPORTER], STARTED).await?;
        let prometheus = self.lab.prometheus()?;
        let all =
            "min(asterism_exporter_scrape_success) == 1 and sum(asterism_server_up) == 4 and min(up) == 1";
        let watched = eventually("the exporter has all its sources", WATCHED, || async {
            Ok(prometheus.query(all).await.is_ok_and(|samples| !samples.is_empty()))
        });
        if let Err(error) = watched.await {
            let missing = "up == 0 or asterism_exporter_scrape_success == 0 or asterism_server_up == 0";
            let missing = prometheus.query(missing).await;
            return Err(error.context(format!("Prometheus lacks {missing:?}")));
        }
        Ok(prometheus)
    }

    /// Kills a server's Asterisk or a node.
    pub(crate) async fn kill(&self, service: &str) -> Result<()> {
        self.lab.docker().kill(&[service]).await
    }

    /// Starts a node that has ended and waits until it is in the group and synced.
    pub(crate) async fn start_node(&self, number: usize) -> Result<()> {
        let node = self.node(number)?;
        self.lab.docker().start(&[node.spec.name]).await?;
        let deadline = Instant::now() + STARTED;
        while !matches!(node.ready().await, Ok(true)) {
            ensure!(Instant::now() < deadline, "{} does not get ready", node.spec.name);
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Starts a server that has ended, waits until it is healthy, and connects to it anew.
    pub(crate) async fn start_server(&mut self, name: &str) -> Result<()> {
        let spec = lab::server(name).with_context(|| format!("there is no {name}"))?;
        self.lab.docker().start(&[spec.name]).await?;
        self.lab.docker().healthy(&[spec.name], STARTED).await?;
        let anew = self.lab.pbx(spec).await?;
        if let Some(pbx) = self.pbxes.iter_mut().find(|pbx| pbx.spec == spec) {
            *pbx = anew;
        }
        Ok(())
    }
}

/// Waits until a condition holds; `what` is what is missing when it never does.
pub(crate) async fn eventually<F: Future<Output = Result<bool>>>(
    what: &str,
    timeout: Duration,
    holds: impl Fn() -> F,
) -> Result<()> {
    let deadline = Instant::now() + timeout;
    while !holds().await? {
        ensure!(Instant::now() < deadline, "not within {} s: {what}", timeout.as_secs());
        tokio::time::sleep(POLL * 10).await;
    }
    Ok(())
}

/// A `Custom:` device and the hint of the same name.
pub(crate) struct Lamp {
    pub(crate) device: String,
    pub(crate) exten: String,
}

impl Lamp {
    /// Waits until the lamp is lit at all these servers.
    pub(crate) async fn lit(&self, at: &[&Pbx], timeout: Duration) -> Result<()> {
        self.becomes(at, true, Instant::now() + timeout).await
    }

    /// Waits until the lamp is out at all these servers.
    pub(crate) async fn out(&self, at: &[&Pbx], timeout: Duration) -> Result<()> {
        self.becomes(at, false, Instant::now() + timeout).await
    }

    async fn becomes(&self, at: &[&Pbx], lit: bool, deadline: Instant) -> Result<()> {
        for pbx in at {
            loop {
                let hint = pbx.hint(&self.exten).await?;
                if hint.is_lit() == lit {
                    break;
                }
                if Instant::now() > deadline {
                    let wanted = if lit { "lit" } else { "out" };
                    bail!("{} should show {} as {wanted} and shows {}", pbx.spec.name, self.exten, hint.text);
                }
                tokio::time::sleep(POLL).await;
            }
        }
        Ok(())
    }
}

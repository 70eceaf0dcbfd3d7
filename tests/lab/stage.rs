//! What scenarios act on: the servers with fresh AMI connections, and new lamps.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::{Lab, NODES, Node, Pbx, Prometheus, Watcher};

use crate::house::EXPORTERS;
use crate::lamp::Lamp;

/// Within this a change must show wherever nothing is broken.
pub(crate) const SOON: Duration = Duration::from_secs(5);
/// Within this a program that was started must be in service.
pub(crate) const STARTED: Duration = Duration::from_secs(30);
/// Within this everything is right again after a fault is over.
pub(crate) const REPAIRED: Duration = Duration::from_secs(10);
/// Within this all sources answer the exporter, and Prometheus knows.
const WATCHED: Duration = Duration::from_secs(90);
pub(crate) const POLL: Duration = Duration::from_millis(50);

pub(crate) struct Stage {
    pub(crate) lab: Lab,
    pub(crate) pbxes: Vec<Pbx>,
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

    /// The servers of these names, as far as the lab has them.
    pub(crate) fn those(&self, names: &[&str]) -> Vec<&Pbx> {
        names.iter().filter_map(|name| self.pbx(name).ok()).collect()
    }

    /// Their names.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.pbxes.iter().map(|pbx| pbx.spec.name).collect()
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
        self.lab.nodes.iter().map(|node| self.lab.node(node)).collect()
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

    /// Hints that a restarted server has lost.
    pub(crate) async fn add_hints(&self, name: &str, lamps: &[&Lamp]) -> Result<()> {
        for lamp in lamps {
            self.pbx(name)?.add_hint(&lamp.exten, &lamp.device).await?;
        }
        Ok(())
    }

    /// A phone that watches, at no server yet.
    pub(crate) async fn watcher(&self) -> Result<Watcher> {
        let toward = self.pbxes.first().context("no server")?.address;
        Ok(Watcher::open(toward, "watcher", &self.lab.secrets.sip).await?)
    }

    /// Starts the exporters, canaries and all, and waits until every source answers and Prometheus has heard of it.
    pub(crate) async fn watched(&self) -> Result<Prometheus> {
        let two_sites = self.lab.west_net.is_some();
        let exporters = if two_sites { &EXPORTERS[..] } else { &EXPORTERS[..1] };
        self.lab.docker().start(exporters).await?;
        // Prometheus may still know of the ones before.
        self.lab.docker().healthy(exporters, STARTED).await?;
        let prometheus = self.lab.prometheus()?;
        // Where there are two sites, every server is watched at its site and between the sites.
        let servers = self.lab.servers.len() * if two_sites { 2 } else { 1 };
        let all = format!(
            "min(asterism_exporter_scrape_success) == 1 and sum(asterism_server_up) == {servers} and min(up) == 1"
        );
        let watched = eventually("the exporters have all their sources", WATCHED, || async {
            Ok(prometheus.query(&all).await.is_ok_and(|samples| !samples.is_empty()))
        });
        if let Err(error) = watched.await {
            let missing = "up == 0 or asterism_exporter_scrape_success == 0 or asterism_server_up == 0";
            let missing = prometheus.query(missing).await;
            return Err(error.context(format!("Prometheus lacks {missing:?}")));
        }
        Ok(prometheus)
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

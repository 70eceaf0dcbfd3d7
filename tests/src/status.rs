//! `asterism-lab status`: containers, members of the group, lamps.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use lab::{Container, Exten, Lab, NODES, NodeLink, NodeMember, SERVERS, WEST_NODES, WEST_SERVERS};
use serde::Serialize;

use crate::clock::unix_time;
use crate::output::{Cell, Screen, Tone, header, number, text, toned};

/// The whole lab; the field names are an interface (`just status --json`).
#[derive(Serialize)]
pub(crate) struct Status {
    project: String,
    healthy: bool,
    containers: Vec<ContainerStatus>,
    pub(crate) group: Option<Group>,
    links: Vec<Links>,
    pub(crate) lamps: Vec<LampStatus>,
}

/// The links of a node.
#[derive(Serialize)]
struct Links {
    node: &'static str,
    links: Vec<NodeLink>,
}

#[derive(Serialize)]
struct ContainerStatus {
    service: String,
    state: String,
    health: Option<String>,
    healthy: bool,
    uptime_seconds: Option<u64>,
}

/// Who is in the CPG group, and who says so.
#[derive(Serialize)]
pub(crate) struct Group {
    source: &'static str,
    members: Vec<NodeMember>,
}

/// The hint `lamp` at one server; no status when the server does not answer.
#[derive(Serialize)]
pub(crate) struct LampStatus {
    pub(crate) server: &'static str,
    status: Option<i32>,
    text: String,
}

pub(crate) async fn run(lab: &Lab, screen: &Screen, json: bool) -> Result<bool> {
    let status = Status::read(lab).await?;
    if json {
        screen.line(&serde_json::to_string_pretty(&status)?);
        return Ok(status.healthy);
    }
    screen.heading("containers");
    screen.table(&status.container_rows());
    status.show_group(screen);
    status.show_links(screen);
    status.show_lamps(screen);
    Ok(status.healthy)
}

impl Status {
    pub(crate) async fn read(lab: &Lab) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let containers = lab.docker().containers().await?;
        let mut containers: Vec<_> =
            containers.into_iter().map(|found| ContainerStatus::new(found, now)).collect();
        let servers = lab.servers.iter().map(|server| server.name);
        let expected = servers.chain(lab.nodes.iter().map(|node| node.name));
        for service in expected {
            if !containers.iter().any(|container| container.service == service) {
                containers.push(ContainerStatus::missing(service));
            }
        }
        let lamps = lamps(lab).await;
        let healthy = containers.iter().all(|container| container.healthy)
            && lamps.iter().all(|lamp| lamp.status.is_some());
        let links = links(lab).await;
        let up = links.iter().flat_map(|node| &node.links).all(|link| link.up);
        let healthy = healthy && up;
        Ok(Self { project: lab.project.clone(), healthy, containers, group: group(lab).await, links, lamps })
    }

    pub(crate) fn all_healthy(&self) -> bool {
        self.healthy
    }

    fn container_rows(&self) -> Vec<Vec<Cell>> {
        let mut rows = vec![header(&["service", "state", "health", "up"])];
        rows.extend(self.containers.iter().map(|container| {
            let tone = if container.healthy { Tone::Good } else { Tone::Bad };
            let health = container.health.as_deref().unwrap_or("-");
            let uptime = container.uptime_seconds.map_or_else(|| "-".to_owned(), duration);
            vec![text(&container.service), toned(tone, &container.state), toned(tone, health), number(uptime)]
        }));
        rows
    }

    /// The processes that speak to each other on corosync.
    pub(crate) fn show_group(&self, screen: &Screen) {
        let Some(group) = &self.group else {
            screen.heading("group: nobody could be asked");
            return;
        };
        screen.heading(&format!("group asterisk, as {} sees it", group.source));
        let mut rows = vec![header(&["member", "address", "speaks for"])];
        rows.extend(group.members.iter().map(|member| {
            let eids: Vec<_> = member.eids.iter().map(|eid| name_of(eid)).collect();
            let me = if member.me { vec!["itself".to_owned()] } else { Vec::new() };
            let speaks = [me, eids].concat().join(", ");
            let address = member.address.clone().unwrap_or_else(|| "-".to_owned());
            vec![number(member.nodeid.to_string()), text(address), text(speaks)]
        }));
        screen.table(&rows);
    }

    /// The ways to the other site.
    fn show_links(&self, screen: &Screen) {
        if self.links.is_empty() {
            return;
        }
        screen.heading("links between the sites");
        let mut rows = vec![header(&["node", "link", "state", "over", "rtt", "lag", "waiting"])];
        for Links { node, links } in &self.links {
            rows.extend(links.iter().map(|link| {
                let state = if link.up { toned(Tone::Good, "up") } else { toned(Tone::Bad, "down") };
                let ms = |us: Option<u64>| {
                    number(us.map_or_else(|| "-".to_owned(), |us| format!("{:.1} ms", us as f64 / 1e3)))
                };
                vec![
                    text(*node),
                    text(&link.link),
                    state,
                    text(&link.transport),
                    ms(link.rtt_us),
                    ms(link.lag_us),
                    number(link.queue.to_string()),
                ]
            }));
        }
        screen.table(&rows);
    }

    fn show_lamps(&self, screen: &Screen) {
        screen.heading("hint lamp (Custom:lamp)");
        let rows: Vec<_> = self
            .lamps
            .iter()
            .map(|lamp| {
                let tone = if lamp.status.is_some() { Tone::Good } else { Tone::Bad };
                vec![text(lamp.server), toned(tone, &lamp.text)]
            })
            .collect();
        screen.table(&rows);
    }
}

impl ContainerStatus {
    fn missing(service: &str) -> Self {
        let (service, state) = (service.to_owned(), "missing".to_owned());
        Self { service, state, health: None, healthy: false, uptime_seconds: None }
    }

    fn new(container: Container, now: u64) -> Self {
        let running = container.state == "running";
        let started =
            running.then(|| unix_time(&container.started_at)).flatten().map(|started| started.as_secs());
        Self {
            healthy: container.is_well(),
            uptime_seconds: started.map(|started| now.saturating_sub(started)),
            service: container.service,
            state: container.state,
            health: container.health,
        }
    }
}

async fn lamps(lab: &Lab) -> Vec<LampStatus> {
    let mut lamps = Vec::new();
    for spec in &lab.servers {
        let hint = async { anyhow::Ok(lab.pbx(spec).await?.hint("lamp").await?) }.await;
        let (status, text) = match hint {
            Ok(Exten { status, text }) => (Some(status), text),
            Err(error) => (None, format!("{error:#}")),
        };
        lamps.push(LampStatus { server: spec.name, status, text });
    }
    lamps
}

/// The links of each node that has some and answers.
async fn links(lab: &Lab) -> Vec<Links> {
    let mut all = Vec::new();
    for spec in &lab.nodes {
        if let Ok(node) = lab.node(spec)
            && let Ok(links @ [_, ..]) = node.links().await.as_deref()
        {
            all.push(Links { node: spec.name, links: links.to_vec() });
        }
    }
    all
}

/// The members as a node tells them, else as a stock server does.
async fn group(lab: &Lab) -> Option<Group> {
    for spec in &NODES {
        if let Ok(node) = lab.node(spec)
            && let Ok(members) = node.members().await
        {
            return Some(Group { source: spec.name, members: members.members });
        }
    }
    for spec in &SERVERS {
        if let Ok(pbx) = lab.pbx(spec).await
            && let Ok(nodeids @ [_, ..]) = pbx.members().await.as_deref()
        {
            // It tells node ids and nothing else.
            let member = |&nodeid| NodeMember { nodeid, pid: 0, eids: Vec::new(), address: None, me: false };
            return Some(Group { source: spec.name, members: nodeids.iter().map(member).collect() });
        }
    }
    None
}

/// The lab's name of whoever has this EID.
fn name_of(eid: &str) -> String {
    let servers = SERVERS.iter().chain(&WEST_SERVERS).map(|server| (server.eid, server.name));
    let nodes = NODES.iter().chain(&WEST_NODES).map(|node| (node.eid, node.name));
    servers
        .chain(nodes)
        .find(|(known, _)| *known == eid)
        .map_or_else(|| eid.to_owned(), |(_, name)| name.to_owned())
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eid_of_the_lab_is_shown_by_name() {
        assert_eq!(name_of("02:00:00:00:01:03"), "east-pbx3");
        assert_eq!(name_of("02:00:00:00:01:22"), "east-node2");
        assert_eq!(name_of("00:11:22:33:44:55"), "00:11:22:33:44:55");
    }
}

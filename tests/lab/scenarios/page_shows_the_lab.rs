//! The exporter's page in a browser: everybody is named, paths have figures, nothing differs, and it asks nobody else.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Lab, NODES, SERVERS};

use crate::browser::{Look, Page, look};
use crate::house::EXPORTERS;
use crate::stage::{STARTED, Stage};

const PAGE: &str = "http://127.0.0.1:9711/";
const LIGHT: Look = Look { name: "page", window: "1280x1900", scheme: "light" };
/// The same for those who prefer dark, and on a phone: for people to look at.
const OTHERS: [Look; 2] = [
    Look { name: "page-dark", window: "1280x1900", scheme: "dark" },
    Look { name: "page-phone", window: "390x844", scheme: "light" },
];
/// Within this each path has been taken by a few canaries.
const FIGURES: Duration = Duration::from_secs(20);
/// 127.0.0.1 as the browser may write it, and pictures that the page has in itself.
const OWN: [&str; 2] = [PAGE, "data:"];

pub(super) async fn run(stage: Stage) -> Result<()> {
    let lab = &stage.lab;
    lab.docker().start(&EXPORTERS[..1]).await?;
    lab.docker().healthy(&EXPORTERS[..1], STARTED).await?;
    let exporter = lab.docker().container(EXPORTERS[0]).await?.id;
    asks_for_the_token(&look(lab, &exporter, PAGE, LIGHT).await?)?;

    // This lab's token dies with it; a person types it into the page.
    let address = format!("{PAGE}#token={}", lab.secrets.node);
    shows_the_lab(lab, &exporter, &address).await?;
    for other in OTHERS {
        look(lab, &exporter, &address, other).await?;
    }
    Ok(())
}

fn asks_for_the_token(page: &Page) -> Result<()> {
    ensure!(page.html.contains("<form id=\"ask\">"), "the page does not ask for the token");
    ensure!(page.html.contains("<main id=\"main\" hidden"), "the page shows itself without the token");
    Ok(())
}

async fn shows_the_lab(lab: &Lab, exporter: &str, address: &str) -> Result<()> {
    let deadline = tokio::time::Instant::now() + FIGURES;
    loop {
        let page = look(lab, exporter, address, LIGHT).await?;
        ensure!(page.console.is_empty(), "console: {:?}", page.console);
        let foreign = page.requests.iter().find(|url| !OWN.iter().any(|own| url.starts_with(own)));
        ensure!(foreign.is_none(), "it asks for {foreign:?}");
        ensure!(
            page.requests.iter().any(|url| url.ends_with("/v1/propagation")),
            "requests: {:?}",
            page.requests
        );

        let shown = everybody_is_named(&page).and_then(|()| figures_are_there(&page));
        if shown.is_ok() || tokio::time::Instant::now() > deadline {
            return shown;
        }
    }
}

fn everybody_is_named(page: &Page) -> Result<()> {
    let servers = page.table("servers");
    for server in &SERVERS {
        let row = row(&servers, server.name)?;
        ensure!(row[1] == "● up", "{row:?}");
    }
    let nodes = page.table("nodes");
    for node in &NODES {
        let row = row(&nodes, node.name)?;
        ensure!(row[1] == "● ready", "{row:?}");
        for eid in SERVERS.iter().map(|server| server.eid).chain(NODES.iter().map(|node| node.eid)) {
            ensure!(row[2].contains(eid), "{eid} is not among the members: {row:?}");
        }
    }
    let ring = page.section("ring");
    ensure!(ring.contains("● quorate, nodes 1, 2, 21, 22"), "{ring}");
    Ok(())
}

fn figures_are_there(page: &Page) -> Result<()> {
    let paths = page.table("paths");
    for path in ["local", "stock", "node", "node_node"] {
        for at in ["server (AMI)", "lamp (NOTIFY)"] {
            let found = paths.iter().find(|row| {
                row[0].split(' ').next() == Some(path) && row.len() > 6 && row[1] == at && row[2] == "canary"
            });
            let row = found.with_context(|| format!("no row for {path} at {at}: {paths:?}"))?;
            ensure!(row[3].parse::<u64>().is_ok_and(|seen| seen > 0), "{row:?}");
            ensure!(row[4..7].iter().all(|time| is_time(time)), "{row:?}");
        }
    }
    let cards = page.section("cards");
    for zero in ["devices that differ 0", "sources broken of 11 0"] {
        ensure!(cards.contains(zero), "{zero:?} is not in {cards}");
    }
    let differ = page.table("disagreements");
    ensure!(differ.len() == 2 && differ[0][0].contains("None"), "{differ:?}");
    Ok(())
}

fn row<'a>(table: &'a [Vec<String>], name: &str) -> Result<&'a Vec<String>> {
    table.iter().find(|row| row[0] == name).with_context(|| format!("no row of {name}: {table:?}"))
}

/// A number with its unit.
fn is_time(text: &str) -> bool {
    text.split_once(' ').is_some_and(|(number, unit)| {
        number.parse::<f64>().is_ok_and(|number| number > 0.0) && ["µs", "ms", "s"].contains(&unit)
    })
}

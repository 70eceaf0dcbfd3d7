//! A page as headless Chromium shows it, run beside the service that serves it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use lab::{Lab, docker};

const IMAGE: &str = "asterism/chromium";
/// Timers of the page run by a clock that stands still only while it waits for an answer: for as long as four of its turns.
const LOOK_MS: &str = "4000";

/// How somebody looks at a page.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    /// The screenshot kept is `NAME.png`.
    pub(crate) name: &'static str,
    /// WIDTHxHEIGHT of the window.
    pub(crate) window: &'static str,
    pub(crate) scheme: &'static str,
}

/// What was seen.
pub(crate) struct Page {
    /// The document as its scripts have made it.
    pub(crate) html: String,
    /// What it wrote to the console, and the browser about it.
    pub(crate) console: Vec<String>,
    /// Whatever it asked for, wherever.
    pub(crate) requests: BTreeSet<String>,
}

/// Where screenshots are kept, of failures too.
pub(crate) fn artefacts() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("../lab-artefacts")
}

/// Opens the address from inside a container's network and looks.
pub(crate) async fn look(lab: &Lab, container: &str, address: &str, look: Look) -> Result<Page> {
    let network = format!("container:{container}");
    let label = format!("asterism.lab={}", lab.project);
    let mut create = vec!["create", "--label", &label, "--network", &network];
    create.extend(["--cap-drop", "ALL", "--security-opt", "no-new-privileges:true", "--memory", "512m"]);
    create.extend([IMAGE, address, look.window, look.scheme, LOOK_MS]);
    let browser = docker(&create).await.context("no browser: `just test` builds its image")?;
    let seen = read(&browser, look.name).await;
    docker(&["rm", "--force", "--volumes", &browser]).await?;
    seen
}

/// Lets the browser look and end, and brings what it kept, even when it failed.
async fn read(browser: &str, name: &str) -> Result<Page> {
    let folder = artefacts().join(name);
    std::fs::create_dir_all(&folder)?;
    let ended = docker(&["start", "--attach", browser]).await;
    docker(&["cp", &format!("{browser}:/srv/seen/."), &folder.display().to_string()]).await?;
    let text =
        |file| std::fs::read_to_string(folder.join(file)).with_context(|| format!("no {file} of {name}"));
    let (html, log, requests) = (text("page.html")?, text("console.log")?, text("requests.json")?);
    ended.with_context(|| format!("the browser failed:\n{log}"))?;
    std::fs::copy(folder.join("page.png"), artefacts().join(format!("{name}.png")))?;
    std::fs::remove_dir_all(&folder)?;
    Ok(Page {
        html,
        console: log.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned).collect(),
        requests: requests
            .split("\"url\":\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .map(str::to_owned)
            .collect(),
    })
}

impl Page {
    /// The texts of a table's cells, row by row, heads too.
    pub(crate) fn table(&self, id: &str) -> Vec<Vec<String>> {
        let table = between(&self.html, &format!("<table id=\"{id}\">"), "</table>");
        let cells = |row: &str| row.split("</td>").flat_map(|cell| cell.split("</th>")).map(text).collect();
        table.split("</tr>").map(cells).collect()
    }

    /// The text of an element that has none of its own kind inside.
    pub(crate) fn section(&self, id: &str) -> String {
        text(between(&self.html, &format!("<section id=\"{id}\""), "</section>"))
    }
}

fn between<'a>(html: &'a str, start: &str, end: &str) -> &'a str {
    let rest = html.split_once(start).map_or("", |(_, rest)| rest);
    rest.split_once(end).map_or(rest, |(inner, _)| inner)
}

/// Without tags, with one space for each run of them.
fn text(html: &str) -> String {
    let pieces = html.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_, after)| after));
    pieces.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

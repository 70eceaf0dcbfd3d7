//! After each scenario our own containers must have been quiet: WARN means that somebody should look at once.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Result, ensure};
use lab::Lab;

/// No line of WARN or ERROR in a node's log since then, but those that contain one of the `expected` texts.
pub(crate) async fn quiet(lab: &Lab, since: SystemTime, expected: &[&str]) -> Result<()> {
    let mut loud = Vec::new();
    for node in &lab.nodes {
        let log = lab.docker().logs(node.name, since).await?;
        let lines = log.lines().filter(|line| is_loud(line));
        let unexpected = lines.filter(|line| !expected.iter().any(|text| line.contains(text)));
        loud.extend(unexpected.map(|line| format!("{}: {line}", node.name)));
    }
    loud.truncate(10);
    ensure!(loud.is_empty(), "unexpected in the logs:\n{}", loud.join("\n"));
    Ok(())
}

/// Keeps what every container has logged since then, for whoever looks into a failure; returns the folder.
pub(crate) async fn keep(lab: &Lab, since: SystemTime, scenario: &str) -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(scenario);
    std::fs::create_dir_all(&folder)?;
    for container in lab.docker().containers().await? {
        let log = lab.docker().logs(&container.service, since).await?;
        std::fs::write(folder.join(format!("{}.log", container.service)), log)?;
    }
    Ok(folder)
}

/// The level stands alone in a text line and as a field in JSON; a panic has neither.
fn is_loud(line: &str) -> bool {
    let text = line.split_whitespace().take(3).any(|word| word == "WARN" || word == "ERROR");
    let json = line.contains("\"level\":\"WARN\"") || line.contains("\"level\":\"ERROR\"");
    text || json || line.contains("panicked at") || line.starts_with("Error:")
}

//! Asterisk still makes of every set of states what it made when `crates/presence` was tested against it.
//!
//! `RECORD=1 SUBJECT=mixed cargo test -p lab --test lab -- aggregates_are_as_recorded` writes the files anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use lab::Pbx;

use super::speaker::Speaker;
use crate::stage::Stage;
use crate::words::Word;

/// By their numbers.
const STATES: [&str; 9] =
    ["UNKNOWN", "NOT_INUSE", "INUSE", "BUSY", "INVALID", "UNAVAILABLE", "RINGING", "RINGINUSE", "ONHOLD"];
const UNKNOWN: usize = 0;
const INVALID: usize = 4;
/// Nobody has introduced these servers, so nothing is cleared when the speaker leaves.
const EIDS: &str = "02:00:00:00:08:";
const DEVICES: &str = "Custom:set-";

pub(super) async fn run(stage: Stage) -> Result<()> {
    let sets = sets();
    let mut speaker = Speaker::join(&stage.lab).await?;
    for (number, set) in sets.iter().enumerate() {
        speaker.say(&words(&format!("{DEVICES}{number}"), set)).await?;
    }
    speaker.heard(&stage).await?;
    speaker.leave().await?;
    for pbx in stage.all() {
        let seen = read(pbx, &sets).await?;
        let file = file(pbx).await?;
        if std::env::var_os("RECORD").is_some() {
            record(&stage, pbx, &file, &seen).await?;
        }
        let recorded = recorded(&file)?;
        let differ: Vec<_> = seen.iter().filter(|row| !recorded.contains(row)).collect();
        ensure!(differ.is_empty(), "{} makes {differ:?}, unlike {}", pbx.spec.name, file.display());
        ensure!(recorded.len() == seen.len(), "{} has other sets", file.display());
    }
    Ok(())
}

/// Every set of different states, and with repeats all of two and three.
fn sets() -> Vec<Vec<usize>> {
    let different = (1..1_usize << STATES.len())
        .map(|bits| (0..STATES.len()).filter(|state| bits & (1 << state) != 0).collect());
    let all = || 0..STATES.len();
    let twice = all().map(|one| vec![one, one]);
    let thrice = all().flat_map(|one| all().map(move |other| vec![one, one, other]));
    different.chain(twice).chain(thrice).collect()
}

/// Each state under an EID of its own. To Asterisk 22.7 and later UNKNOWN is news only after something else.
fn words(device: &str, set: &[usize]) -> Vec<Word> {
    let mut words = Vec::new();
    for (number, state) in set.iter().enumerate() {
        let eid = format!("{EIDS}{number:02x}");
        let say = |state: usize| Word::state(&eid, device, u32::try_from(state).unwrap_or_default());
        if *state == UNKNOWN {
            words.push(say(INVALID));
        }
        words.push(say(*state));
    }
    words
}

/// The sets in words with the aggregates in the server's cache.
async fn read(pbx: &Pbx, sets: &[Vec<usize>]) -> Result<Vec<(String, String)>> {
    let events = pbx.ami.list("DeviceStateList", &[]).await?;
    let cached: BTreeMap<_, _> =
        events.iter().filter_map(|event| Some((event.field("Device")?, event.field("State")?))).collect();
    let aggregate = |number: usize, set: &Vec<usize>| {
        let words: Vec<&str> = set.iter().map(|state| STATES[*state]).collect();
        let device = format!("{DEVICES}{number}");
        let found = cached.get(device.as_str()).with_context(|| format!("nothing of {words:?}"))?;
        Ok((words.join(" "), found.to_string()))
    };
    sets.iter().enumerate().map(|(number, set)| aggregate(number, set)).collect()
}

/// `aggregate-22.tsv` for Asterisk 22.
async fn file(pbx: &Pbx) -> Result<PathBuf> {
    let version = version(pbx).await?;
    let major = version.split('.').next().unwrap_or_default().to_owned();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/presence/tests/oracle");
    Ok(folder.join(format!("aggregate-{major}.tsv")))
}

async fn version(pbx: &Pbx) -> Result<String> {
    let lines = pbx.cli("core show version").await?;
    let version = lines.first().and_then(|line| line.strip_prefix("Asterisk ")?.split(' ').next());
    Ok(version.context("no version")?.to_owned())
}

fn recorded(file: &Path) -> Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    Ok(rows.filter_map(|row| row.split_once('\t')).map(|(set, is)| (set.to_owned(), is.to_owned())).collect())
}

async fn record(stage: &Stage, pbx: &Pbx, file: &Path, seen: &[(String, String)]) -> Result<()> {
    let date = stage.lab.docker().exec(pbx.spec.name, &["date", "+%F"]).await?;
    let mut text = format!(
        "# What Asterisk {} makes of the states that servers say of one device, recorded on {date} by the lab's scenario\n\
         # aggregates_are_as_recorded: every set of different states, and with repeats all of two and three. After the tab is the aggregate.\n",
        version(pbx).await?
    );
    seen.iter().for_each(|(set, aggregate)| text.push_str(&format!("{set}\t{aggregate}\n")));
    Ok(std::fs::write(file, text)?)
}

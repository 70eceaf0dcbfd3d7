//! Stock servers ignore events of the type CUSTOM in silence, of any size and number.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use lab::{Lab, Mark, Pbx};

use super::speaker::{MARKER, Speaker, introduction};
use crate::stage::{SOON, Stage, eventually};
use crate::words::{Word, element};

const EID: &str = "02:00:00:00:09:02";
/// The longest event that its length can say.
const EVENT_MAX: usize = 65_535;
/// The event's own header, an EID, and the header of the one element of ours.
const HEADERS: usize = 4 + 10 + 4;

pub(super) async fn run(stage: Stage) -> Result<()> {
    let start = SystemTime::now();
    let mut speaker = Speaker::join(&stage.lab).await?;
    speaker.say(&[introduction(&stage.lab, EID)?]).await?;
    speaker.heard(&stage).await?;
    let before = look(&stage).await?;
    let marks: Vec<Mark> = stage.all().iter().map(|pbx| pbx.mark()).collect();

    speaker.say(&words()).await?;
    speaker.heard(&stage).await?;
    ensure!(look(&stage).await? == before, "something has changed: {before:?}, {:?}", look(&stage).await?);
    for (pbx, mark) in stage.all().into_iter().zip(marks) {
        let told = pbx.ami.events().since(mark, |event| {
            let marker = event.field("Device").is_some_and(|device| device.starts_with(MARKER));
            (!marker).then(|| format!("{:?}", event.field("Event")))
        });
        ensure!(told.is_empty(), "{} reports {told:?}", pbx.spec.name);
    }
    speaker.leave().await?;
    for pbx in stage.all() {
        said_nothing(&stage.lab, pbx, start).await?;
    }
    Ok(())
}

/// Short, long and longest, with the EID first and last; with the elements of a state inside; then a thousand.
fn words() -> Vec<Word> {
    let custom =
        |place, length| Word::custom(EID).with(place, &[element(0xa503, &vec![0x5a; length - HEADERS])]);
    let mut words: Vec<Word> = [40, 30_000, 65_000, EVENT_MAX]
        .into_iter()
        .flat_map(|length| [custom(0, length), custom(1, length)])
        .collect();
    words.push(Word::state(EID, "Custom:trap", 2).into_custom());
    words.push(Word::custom(EID).with(0, &[element(0xa503, &Word::state(EID, "Custom:trap", 2).bytes())]));
    words.extend((0..1_000).map(|number| custom(number % 2, 1_400)));
    words.extend((0..100).map(|number| custom(number % 2, 65_000)));
    words
}

/// The state of each device and the start of the process, at each server.
async fn look(stage: &Stage) -> Result<Vec<(String, BTreeMap<String, String>)>> {
    let mut seen = Vec::new();
    for pbx in stage.all() {
        let started = stage.lab.docker().container(pbx.spec.name).await?.started_at;
        let devices = pbx.ami.list("DeviceStateList", &[]).await?;
        let field = |event: &lab::ami::Message, name| event.field(name).unwrap_or_default().into_owned();
        let devices = devices.iter().map(|event| (field(event, "Device"), field(event, "State")));
        seen.push((started, devices.filter(|(device, _)| !device.starts_with(MARKER)).collect()));
    }
    Ok(seen)
}

/// Between the lines of the coming and of the going there is none.
async fn said_nothing(lab: &Lab, pbx: &Pbx, since: SystemTime) -> Result<()> {
    let name = pbx.spec.name;
    let docker = lab.docker();
    let log = || docker.logs(name, since);
    eventually(&format!("{name} has seen it leave"), SOON, || async {
        Ok(log().await?.contains("left the cluster"))
    })
    .await?;
    let log = log().await?;
    let (_, after) = log.split_once("joined the cluster\n").context("it has not seen it come")?;
    let between = after.lines().take_while(|line| !line.contains("Clearing")).collect::<Vec<_>>();
    ensure!(between.is_empty(), "{name} says {between:?}");
    Ok(())
}

//! One Asterisk of the lab over AMI: set a device, read it, add a hint, wait for a lamp.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::ami::{Ami, Message, Reply};
use crate::journal::Mark;
use crate::topology::ServerSpec;

const AMI_PORT: u16 = 5038;
const POLL: Duration = Duration::from_millis(50);

/// A hint as AMI reports it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exten {
    /// 0 idle, 1 in use, 2 busy, 4 unavailable, 8 ringing, 16 on hold; sums of them.
    pub status: i32,
    /// Asterisk's word for it.
    pub text: String,
}

/// What `core show hints` calls them.
const STATUSES: [(&str, i32); 8] = [
    ("Idle", 0),
    ("InUse", 1),
    ("Busy", 2),
    ("Unavailable", 4),
    ("Ringing", 8),
    ("InUse&Ringing", 9),
    ("Hold", 16),
    ("InUse&Hold", 17),
];

impl Exten {
    /// From the console: `1001@asterism : PJSIP/1001  State:Idle  Presence:not_set  Watchers  0`.
    fn shown(exten: &str, lines: &[String]) -> Option<Self> {
        let line = lines.iter().find(|line| line.split('@').next() == Some(exten))?;
        let text = line.split_once(" State:")?.1.split_whitespace().next()?;
        let (_, status) = STATUSES.iter().find(|(name, _)| *name == text)?;
        Some(Self { status: *status, text: text.to_owned() })
    }

    fn read(message: &Message) -> Option<Self> {
        let status = message.field("Status")?.trim().parse().ok()?;
        Some(Self { status, text: message.field("StatusText").unwrap_or_default().into_owned() })
    }

    /// Somebody talks, rings or holds: the lamp on a phone is on.
    pub fn is_lit(&self) -> bool {
        self.status > 0 && self.status != 4
    }
}

/// A server with an AMI connection of its own.
pub struct Pbx {
    /// Which server.
    pub spec: &'static ServerSpec,
    /// Its address.
    pub address: Ipv4Addr,
    /// The connection.
    pub ami: Ami,
}

impl Pbx {
    pub(crate) async fn connect(spec: &'static ServerSpec, address: Ipv4Addr, secret: &str) -> Result<Self> {
        let ami = Ami::connect((address, AMI_PORT).into(), "lab", secret).await;
        Ok(Self { spec, address, ami: ami.with_context(|| spec.name)? })
    }

    /// Sets a device of this server (`Custom:…`).
    pub async fn set(&self, device: &str, state: &str) -> Result<()> {
        self.start_set(device, state).await?.response().await?;
        Ok(())
    }

    /// Starts to set a device; many may be under way at once.
    pub async fn start_set(&self, device: &str, state: &str) -> Result<Reply> {
        let variable = format!("DEVICE_STATE({device})");
        Ok(self.ami.send("Setvar", &[("Variable", &variable), ("Value", state)]).await?)
    }

    /// Deletes a `Custom:` device from the server's database, so that a restart does not bring it back; lamps stay as they are.
    pub async fn forget(&self, device: &str) -> Result<()> {
        let key = device.strip_prefix("Custom:").unwrap_or(device);
        self.ami.action("DBDel", &[("Family", "CustomDevstate"), ("Key", key)]).await?;
        Ok(())
    }

    /// The device as this server sees it now: its aggregate of all servers' states.
    pub async fn device(&self, device: &str) -> Result<String> {
        let reply = self.ami.action("Getvar", &[("Variable", &format!("DEVICE_STATE({device})"))]).await?;
        Ok(reply.field("Value").context("Getvar without a value")?.into_owned())
    }

    /// The hint as this server last told its phones. (AMI's ExtensionState would ask the devices anew, and so hide a
    /// lamp that stays lit because nobody was told.)
    pub async fn hint(&self, exten: &str) -> Result<Exten> {
        let lines = self.cli(&format!("core show hint {exten}")).await?;
        Exten::shown(exten, &lines).with_context(|| format!("{} shows no hint {exten}", self.spec.name))
    }

    /// Adds a hint for a device to the running dialplan.
    pub async fn add_hint(&self, exten: &str, device: &str) -> Result<()> {
        self.cli(&format!("dialplan add extension {exten},hint,{device} into asterism")).await.map(drop)
    }

    /// Runs a console command and returns its lines.
    pub async fn cli(&self, command: &str) -> Result<Vec<String>> {
        let reply = self.ami.action("Command", &[("Command", command)]).await?;
        Ok(reply.values("Output").map(|line| String::from_utf8_lossy(line).into_owned()).collect())
    }

    /// The corosync nodeids of the group's members, as stock `res_corosync` sees them.
    pub async fn members(&self) -> Result<Vec<u32>> {
        Ok(parse_members(&self.cli("corosync show members").await?))
    }

    /// Lets Asterisk look at a mailbox's files anew and tell who subscribed.
    pub async fn refresh_voicemail(&self, mailbox: &str) -> Result<()> {
        self.ami.action("VoicemailRefresh", &[("Context", "default"), ("Mailbox", mailbox)]).await?;
        Ok(())
    }

    /// The place in the event journal from which to wait.
    pub fn mark(&self) -> Mark {
        self.ami.events().mark()
    }

    /// When this server reported the device in that state, from the mark on.
    pub async fn saw_device(
        &self,
        since: Mark,
        deadline: Instant,
        device: &str,
        state: &str,
    ) -> Result<Instant> {
        let seen = |event: &Message| {
            (event.is("Event", "DeviceStateChange") && event.is("Device", device) && event.is("State", state))
                .then_some(event.at)
        };
        match self.ami.events().first(since, deadline, seen).await {
            Some(at) => Ok(at),
            None => bail!("{} did not report {device} as {state} in time", self.spec.name),
        }
    }

    /// When this server reported the hint with that status, from the mark on.
    pub async fn saw_hint(
        &self,
        since: Mark,
        deadline: Instant,
        exten: &str,
        status: i32,
    ) -> Result<Instant> {
        let seen = |event: &Message| {
            let matches = event.is("Event", "ExtensionStatus") && event.is("Exten", exten);
            let found = matches.then(|| Exten::read(event)).flatten()?;
            (found.status == status).then_some(event.at)
        };
        match self.ami.events().first(since, deadline, seen).await {
            Some(at) => Ok(at),
            None => bail!("{} did not report hint {exten} with status {status} in time", self.spec.name),
        }
    }

    /// Waits until the hint has that status, whether it changes or has had it for long.
    pub async fn hint_becomes(&self, deadline: Instant, exten: &str, status: i32) -> Result<()> {
        loop {
            let hint = self.hint(exten).await?;
            if hint.status == status {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!(
                    "{} shows hint {exten} as {} ({}), not {status}",
                    self.spec.name,
                    hint.status,
                    hint.text
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until the device has that state here, whether it changes or has had it for long.
    pub async fn device_becomes(&self, deadline: Instant, device: &str, state: &str) -> Result<()> {
        loop {
            let found = self.device(device).await?;
            if found == state {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!("{} shows {device} as {found}, not {state}", self.spec.name);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Reads `corosync show members`, which lists all groups.
fn parse_members(lines: &[String]) -> Vec<u32> {
    let mut group = "";
    let mut members = Vec::new();
    for line in lines {
        if let Some((_, name)) = line.split_once("--> Group:") {
            group = name.trim();
        }
        let nodeid = line.split_once("--> Nodeid:").and_then(|(_, nodeid)| nodeid.trim().parse::<u32>().ok());
        members.extend(nodeid.filter(|_| group == "asterisk"));
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_members_of_the_group_asterisk_are_taken() {
        let text = "=== Node 1\n=== --> Group: asterisk\n=== --> Nodeid: 1\n=== Node 2\n=== --> Group: other\n\
                    === --> Nodeid: 7\n=== Node 3\n=== --> Group: asterisk\n=== --> Nodeid: 21\n===";
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        assert_eq!(parse_members(&lines), [1, 21]);
    }

    #[test]
    fn a_hint_is_read_from_the_console() {
        let text = "lamp@asterism : Custom:lamp  State:InUse&Ringing  Presence:not_set  Watchers  2\n1 hint matching";
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let lamp = Exten::shown("lamp", &lines).unwrap();
        assert_eq!((lamp.status, lamp.is_lit()), (9, true));
        assert_eq!(Exten::shown("la", &lines), None);
    }
}

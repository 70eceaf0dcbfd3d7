//! Real SIP phones: SIPp in short-lived containers on the lab's network.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use tokio::task::JoinHandle;

use crate::compose::Lab;
use crate::docker::docker_with_input;

const REGISTER: &str = include_str!("../sipp/register.xml");
const CALLEE: &str = include_str!("../sipp/callee.xml");
const CALLER: &str = include_str!("../sipp/caller.xml");

const IMAGE: &str = "asterism/phones";
const SIP_PORT: u16 = 5070;
/// Both phones come up at the same time: until the called one has registered, a call ends at once.
const CALLS_MAX: u32 = 20;

/// A phone: its number, and the server where it registers.
#[derive(Clone, Copy, Debug)]
pub struct Phone<'a> {
    /// User name and number.
    pub number: &'a str,
    /// The server's address.
    pub server: Ipv4Addr,
}

/// A call under way: the callee answers after two seconds, the caller hangs up two seconds later.
pub struct Phones {
    callee: JoinHandle<Result<String>>,
    caller: JoinHandle<Result<String>>,
}

impl Phones {
    /// Registers both phones and lets one call the other. Returns at once.
    pub fn call(lab: &Lab, caller: Phone<'_>, callee: Phone<'_>) -> Self {
        let answering = script(&callee, CALLEE, &[], 1);
        let calling = script(&caller, CALLER, &[("callee", callee.number)], CALLS_MAX);
        Self { callee: run(lab, callee.number, answering), caller: run(lab, caller.number, calling) }
    }

    /// Waits until both phones have hung up and unregistered.
    pub async fn end(self) -> Result<()> {
        self.caller.await?.context("the calling phone failed")?;
        self.callee.await?.context("the called phone failed")?;
        Ok(())
    }
}

/// Runs one SIPp scenario (XML) against `to` from inside the network of a container, once, and tells whether it ran as written.
pub async fn sipp_scenario(network: &str, xml: &str, to: Ipv4Addr, keys: &[(&str, &str)]) -> Result<()> {
    let script = format!("{}\n{}", file("scenario.xml", xml), sipp("scenario.xml", to, keys));
    start(network, &[], &script).await.map(drop)
}

/// Register, do what the scenario says, again if it failed and may, unregister: also when it failed for good, and then say so at the end.
fn script(phone: &Phone<'_>, scenario: &str, keys: &[(&str, &str)], attempts: u32) -> String {
    let register = |expires: &'static str| {
        sipp("register.xml", phone.server, &[("user", phone.number), ("expires", expires)])
    };
    let mut all = vec![("user", phone.number)];
    all.extend(keys);
    format!(
        "{}\n{}\n{}\nresult=1\nfor attempt in $(seq {attempts}); do {} && result=0 && break; sleep 0.5; done\n{}\nexit $result\n",
        file("register.xml", REGISTER),
        file("scenario.xml", scenario),
        register("120"),
        sipp("scenario.xml", phone.server, &all),
        register("0"),
    )
}

fn file(name: &str, content: &str) -> String {
    format!("set -e; cd /tmp; cat >{name} <<'END-OF-FILE'\n{content}\nEND-OF-FILE")
}

/// One SIPp run; its screen is shown only when it failed.
fn sipp(scenario: &str, server: Ipv4Addr, keys: &[(&str, &str)]) -> String {
    let keys: String = keys.iter().map(|(key, value)| format!("-key {key} '{value}' ")).collect();
    format!(
        "run() {{ sipp \"$@\" </dev/null >/tmp/screen 2>&1 || {{ tail -n 60 /tmp/screen >&2; return 1; }}; }}; \
         run {server}:5060 -sf /tmp/{scenario} -p {SIP_PORT} -m 1 -nostdin -timeout 40 -timeout_error \
         {keys}"
    )
}

fn run(lab: &Lab, number: &str, script: String) -> JoinHandle<Result<String>> {
    let network = format!("{}_east", lab.project);
    let label = format!("asterism.lab={}", lab.project);
    let script = script.replace("@SECRET@", &lab.secrets.sip);
    let number = number.to_owned();
    tokio::spawn(async move {
        start(&network, &["--label", &label], &script).await.with_context(|| format!("phone {number}"))
    })
}

/// The script, with the password in it, goes in by standard input: no command line shows it.
async fn start(network: &str, options: &[&str], script: &str) -> Result<String> {
    let mut arguments = vec!["run", "--rm", "-i", "--init", "--network", network];
    arguments.extend(options);
    arguments.extend(["--entrypoint", "sh", IMAGE, "-s"]);
    docker_with_input(&arguments, script).await
}

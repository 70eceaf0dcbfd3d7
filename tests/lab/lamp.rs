//! A lamp that a scenario watches at several servers.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use lab::{Mark, Pbx};

use crate::stage::POLL;

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

    /// Waits until the hint has this status (0 idle, 1 in use) at all these servers.
    pub(crate) async fn shows(&self, at: &[&Pbx], status: i32, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        for pbx in at {
            pbx.hint_becomes(deadline, &self.exten, status).await?;
        }
        Ok(())
    }

    /// From now on the lamp must not change at these servers.
    pub(crate) fn is_calm<'a>(&'a self, at: &[&'a Pbx]) -> Calm<'a> {
        Calm { lamp: self, since: at.iter().map(|pbx| (*pbx, pbx.mark())).collect() }
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

/// A lamp that is not to change at some servers, from some moment on.
pub(crate) struct Calm<'a> {
    lamp: &'a Lamp,
    since: Vec<(&'a Pbx, Mark)>,
}

impl Calm<'_> {
    /// No phone has been told anything of it.
    pub(crate) fn held(&self) -> Result<()> {
        for (pbx, mark) in &self.since {
            let told = pbx.ami.events().since(*mark, |event| {
                let fits = event.is("Event", "ExtensionStatus") && event.is("Exten", &self.lamp.exten);
                fits.then(|| event.field("StatusText").unwrap_or_default().into_owned())
            });
            ensure!(
                told.is_empty(),
                "{} told its phones of {}: {}",
                pbx.spec.name,
                self.lamp.exten,
                told.join(", ")
            );
        }
        Ok(())
    }
}

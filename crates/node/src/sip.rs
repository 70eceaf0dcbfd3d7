//! The agent's socket.

use crate::config::Config;
use asterisk::{Agent, AgentConfig, Credentials, ReportId, ServerConfig, Verdict};
use presence::{Outcome, Refusal};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;
use tokio::net::UdpSocket;

/// The longest datagram that can come.
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// The agent and the socket it speaks through.
pub(crate) struct Sip {
    pub(crate) agent: Agent,
    socket: UdpSocket,
    buffer: Vec<u8>,
}

impl Sip {
    pub(crate) fn new(config: &Config, socket: UdpSocket) -> Self {
        let servers = config.servers.iter().map(|server| ServerConfig {
            name: server.name.clone(),
            address: server.address,
            credentials: server.credentials.as_ref().map(|credentials| Credentials {
                user: credentials.user.clone(),
                password: credentials.password.expose().to_owned(),
            }),
        });
        let agent = AgentConfig {
            local: config.sip.address,
            eid: config.eid,
            servers: servers.collect(),
            // The hasher's keys are the standard library's own randomness.
            seed: RandomState::new().build_hasher().finish(),
        };
        Self { agent: Agent::new(agent, Duration::ZERO), socket, buffer: vec![0; DATAGRAM_BYTES_MAX] }
    }

    /// Waits until a datagram is there.
    pub(crate) async fn readable(&self) {
        if let Err(error) = self.socket.readable().await {
            tracing::error!("the SIP socket failed: {error}");
        }
    }

    /// Gives the agent one datagram; `false` when none is there.
    pub(crate) fn receive(&mut self, now: Duration) -> bool {
        match self.socket.try_recv_from(&mut self.buffer) {
            Ok((length, from)) => {
                self.agent.handle_datagram(now, from, &self.buffer[..length]);
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => false,
            // A server's machine that refuses our datagrams answers so; the agent notices its silence by itself.
            Err(error) => {
                tracing::debug!("receiving failed: {error}");
                true
            }
        }
    }

    /// Sends what the agent wants sent. A datagram that cannot be sent is as good as lost on the way.
    pub(crate) async fn flush(&mut self) {
        while let Some(transmit) = self.agent.poll_transmit() {
            if let Err(error) = self.socket.send_to(&transmit.payload, transmit.to).await {
                tracing::debug!(to = %transmit.to, "sending failed: {error}");
            }
        }
    }

    /// Tells a server whether its report was taken.
    pub(crate) fn answer(&mut self, now: Duration, report: ReportId, verdict: Result<(), Refusal>) {
        let verdict = match verdict {
            Ok(()) => Verdict::Accept,
            Err(Refusal::EqualEid) => Verdict::Refuse("Another Server Has This EID"),
            Err(Refusal::WrongEid) => Verdict::Refuse("Not The EID Configured For This Server"),
            Err(Refusal::Full) => Verdict::Refuse("Too Many States"),
            Err(Refusal::Stopping) => Verdict::Refuse("Node Is Stopping"),
        };
        self.agent.answer(now, report, verdict);
    }
}

/// How the one thing in flight to a server ended, as the core sees it.
pub(crate) fn outcome(outcome: asterisk::Outcome) -> Outcome {
    match outcome {
        asterisk::Outcome::Accepted => Outcome::Accepted,
        asterisk::Outcome::Rejected { .. } => Outcome::Rejected,
        asterisk::Outcome::Unanswered => Outcome::Unanswered,
    }
}

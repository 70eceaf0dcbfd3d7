//! What the core tells the operator, as log lines: one line a fact, level by consequence.
//!
//! ERROR: somebody must act (two servers with one EID). WARN: something is wrong that may heal by itself.
//! INFO: the cluster changed. DEBUG: one message among many.

use presence::link::PeerId;
use presence::{Holder, Note, ServerId};

/// The names of servers and links, as the configuration gives them.
pub(crate) struct Names {
    servers: Vec<String>,
    links: Vec<String>,
}

impl Names {
    pub(crate) fn new(
        servers: impl IntoIterator<Item = String>,
        links: impl IntoIterator<Item = String>,
    ) -> Self {
        Self { servers: servers.into_iter().collect(), links: links.into_iter().collect() }
    }

    pub(crate) fn of(&self, server: ServerId) -> &str {
        &self.servers[server.0]
    }

    pub(crate) fn of_link(&self, peer: PeerId) -> &str {
        &self.links[peer.0]
    }

    /// Every server with its name.
    pub(crate) fn all(&self) -> impl Iterator<Item = (ServerId, &str)> {
        self.servers.iter().enumerate().map(|(id, name)| (ServerId(id), name.as_str()))
    }

    /// Every link with its name.
    pub(crate) fn links(&self) -> impl Iterator<Item = (PeerId, &str)> {
        self.links.iter().enumerate().map(|(id, name)| (PeerId(id), name.as_str()))
    }

    fn holder(&self, holder: Holder) -> String {
        match holder {
            Holder::Node => "this node".to_owned(),
            Holder::Server(server) => format!("server {}", self.of(server)),
            Holder::Member(member) => format!("member {member}"),
            Holder::Elsewhere(node) => format!("another site, by its node {node}"),
        }
    }

    /// Writes a note to the log.
    pub(crate) fn log(&self, note: &Note) {
        match note {
            Note::Joined { members } => tracing::info!(members, "joined the group"),
            Note::Synced { silent } if silent.is_empty() => {
                tracing::info!("synced: the group and this node know all of each other")
            }
            Note::Synced { silent } => {
                tracing::info!(silent = ?silent, "synced; some members of the group never introduced themselves");
            }
            Note::GroupLost => {
                tracing::warn!("out of the group; the states of its servers are kept for a while")
            }
            Note::GroupWithdrawn { servers } => {
                tracing::warn!(servers, "out of the group for too long; withdrew the states of its servers")
            }
            Note::OutOfReach { .. } | Note::Barred { .. } => self.log_links(note),
            Note::MemberJoined(member) => tracing::info!(%member, "member joined"),
            Note::MemberLeft { member, eids } => {
                tracing::info!(%member, ?eids, "member left; withdrew the states of its servers")
            }
            Note::SpeakerLearned { eid, member } => {
                tracing::info!(%eid, %member, "member speaks for a server")
            }
            Note::PingHeard { eid, member } => tracing::info!(%eid, %member, "ping"),
            Note::ServerLearned { server, eid } => {
                tracing::info!(server = self.of(*server), %eid, "server reports its states")
            }
            Note::ServerAlive(server) => tracing::info!(server = self.of(*server), "server answers"),
            Note::ServerSilent(server) => {
                tracing::info!(server = self.of(*server), "server is gone; withdrew its states")
            }
            Note::ServerRestarted(server) => {
                tracing::info!(server = self.of(*server), "server began anew")
            }
            Note::Dumped { .. }
            | Note::Requested { .. }
            | Note::Swept { .. }
            | Note::TakenBack { .. }
            | Note::StaleWithdrawal { .. }
            | Note::Touched => log_repair(note),
            Note::Resync { server, states } => {
                tracing::info!(server = self.of(*server), states, "telling the server everything")
            }
            Note::EqualEid { eid, holder, second } => tracing::error!(
                %eid,
                holder = self.holder(*holder),
                refused = self.holder(*second),
                "two servers have the same EID; the second is refused until its entityid= in asterisk.conf differs"
            ),
            Note::WrongEid { server, eid, configured } => tracing::error!(
                server = self.of(*server),
                %eid,
                %configured,
                "the server speaks with another EID than this node's configuration gives it, and is refused; make its entityid= in asterisk.conf and eid here the same"
            ),
            Note::Rejected { server, again: true } => {
                tracing::debug!(server = self.of(*server), "server refuses a PUBLISH for good, again")
            }
            Note::Rejected { server, again: false } => tracing::warn!(
                server = self.of(*server),
                "server refuses a PUBLISH for good; look at its inbound-publication and asterisk-publication in pjsip.conf"
            ),
            Note::Repeated(words) => tracing::debug!(words, "repeating to the group what did not come back"),
            Note::Unanswered(server) => {
                tracing::debug!(server = self.of(*server), "no answer to a PUBLISH; trying again later")
            }
            Note::Dropped(reason) => tracing::debug!(%reason, "dropped"),
            Note::Ignored(kind) => tracing::trace!(%kind, "nothing new"),
        }
    }

    /// What concerns other sites.
    #[allow(clippy::wildcard_enum_match_arm, reason = "the caller gives it these alone")]
    fn log_links(&self, note: &Note) {
        match note {
            Note::OutOfReach { eids } => {
                tracing::warn!(?eids, "servers of other sites are out of reach; withdrew their states")
            }
            Note::Barred { peer, eid, rule } => tracing::warn!(
                link = self.of_link(*peer),
                %eid,
                rule = rule.as_str(),
                "the peer says what its link does not let in; look at take and eids of the [[link]], or at send of the peer's"
            ),
            _ => {}
        }
    }
}

/// What the node does to make all know the same again.
#[allow(clippy::wildcard_enum_match_arm, reason = "the caller gives it these alone")]
fn log_repair(note: &Note) {
    match note {
        Note::Dumped { states } => tracing::info!(states, "telling the group all that our servers say"),
        Note::Requested { from, eids } => {
            tracing::info!(%from, ?eids, "asking a node for what this one has missed")
        }
        Note::Swept { eid, states } => {
            tracing::info!(%eid, states, "withdrew what the server did not say again")
        }
        Note::TakenBack { states } => {
            tracing::info!(states, "taking back in the group what departed servers had said")
        }
        Note::StaleWithdrawal { eid } => {
            tracing::info!(%eid, "a state of a server that is there was taken back; repairing it")
        }
        Note::Touched => tracing::info!("making stock servers say all their states again"),
        _ => {}
    }
}

//! `res_corosync` as it is: speaks once and hopes, remembers its peers by nodeid, dumps when somebody joins.

use super::Asterisk;
use super::reader::{Event, Harm, read};
use crate::names::Word;
use presence::{Arrival, Eid, Member, Message};
use std::collections::BTreeMap;

/// The module of one server, while it is loaded.
pub(crate) struct Module {
    pub(crate) me: Member,
    /// Who introduced itself, by corosync node; the process does not count.
    peers: BTreeMap<u32, Eid>,
}

/// What the module wants to say, and why: it tries once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Speech {
    /// Something changed here.
    Change(Word),
    /// All of it again, because somebody came this way.
    Dump(Word, Arrival),
    /// Who it is.
    Discovery,
}

/// What a message did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Heard {
    /// A state is to be entered.
    State { eid: Eid, word: Word },
    /// A server that was not known has introduced itself: it is answered in kind.
    Newcomer,
    /// Nothing.
    Nothing,
}

impl Module {
    pub(crate) fn new(me: Member) -> Self {
        Self { me, peers: BTreeMap::new() }
    }

    /// The membership has changed. Returns what the module says at once, from inside of the change.
    pub(crate) fn change(
        &mut self,
        asterisk: &mut Asterisk,
        joined: &[(Member, Arrival)],
        left: &[Member],
    ) -> Vec<Speech> {
        for member in left {
            // Whatever process it was that left: the whole node goes.
            if let Some(eid) = self.peers.remove(&member.nodeid) {
                asterisk.clear(eid);
            }
        }
        let Some((_, arrival)) = joined.first() else { return Vec::new() };
        asterisk.own_words().into_iter().map(|word| Speech::Dump(word, *arrival)).collect()
    }

    /// A message was delivered; what it states is still to be entered.
    ///
    /// # Errors
    /// [`Harm`], when the message ends this server.
    pub(crate) fn deliver(&mut self, asterisk: &Asterisk, bytes: &[u8]) -> Result<Heard, Harm> {
        Ok(match read(asterisk.eid, bytes)? {
            Event::State { eid, word, cachable } => {
                assert_eq!(
                    cachable,
                    word.topic.is_cachable(),
                    "what is remembered depends on the topic alone"
                );
                Heard::State { eid, word }
            }
            Event::Discovery { eid, nodeid } if !self.peers.contains_key(&nodeid) => {
                self.peers.insert(nodeid, eid);
                Heard::Newcomer
            }
            Event::Discovery { .. } | Event::Ignored => Heard::Nothing,
        })
    }

    /// The bytes of a speech.
    pub(crate) fn encode(&self, eid: Eid, speech: &Speech) -> Vec<u8> {
        wire::event::encode(&match speech {
            Speech::Change(word) | Speech::Dump(word, _) => {
                Message::Change { eid, change: word.change(), stamp: None }
            }
            Speech::Discovery => Message::Discovery {
                eid,
                nodeid: self.me.nodeid,
                address: format!("192.0.2.{}", self.me.nodeid).into(),
                node: None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Flavour;
    use super::*;
    use crate::names::{Topic, Value, server_eid};
    use presence::DeviceState;

    const ME: Member = Member { nodeid: 1, pid: 1 };
    const PEER: Member = Member { nodeid: 2, pid: 1 };
    const HELPER: Member = Member { nodeid: 2, pid: 99 };

    fn word(state: DeviceState) -> Word {
        Word { topic: Topic::Device(7), value: Value::State(state) }
    }

    fn with_peer(introduced: bool) -> (Module, Asterisk) {
        let mut asterisk = Asterisk::new(server_eid(0), Flavour::Sixteen);
        let (mut module, peer) = (Module::new(ME), Module::new(PEER));
        if introduced {
            let bytes = peer.encode(server_eid(1), &Speech::Discovery);
            assert_eq!(module.deliver(&asterisk, &bytes), Ok(Heard::Newcomer));
            assert_eq!(module.deliver(&asterisk, &bytes), Ok(Heard::Nothing));
        }
        asterisk.enter(server_eid(1), word(DeviceState::InUse));
        (module, asterisk)
    }

    #[test]
    fn a_helper_that_leaves_takes_the_server_beside_it_along() {
        let (mut module, mut asterisk) = with_peer(true);
        assert_eq!(module.change(&mut asterisk, &[], &[HELPER]), []);
        assert_eq!(asterisk.heard(Topic::Device(7), server_eid(1)), None);
    }

    #[test]
    fn the_states_of_one_that_never_introduced_itself_stay() {
        let (mut module, mut asterisk) = with_peer(false);
        module.change(&mut asterisk, &[], &[PEER]);
        assert_eq!(asterisk.heard(Topic::Device(7), server_eid(1)), Some(DeviceState::InUse));
    }

    #[test]
    fn it_dumps_its_own_words_whenever_somebody_joins() {
        let (mut module, mut asterisk) = with_peer(true);
        asterisk.enter(server_eid(0), word(DeviceState::Ringing));
        let speeches = module.change(&mut asterisk, &[(PEER, Arrival::Machine)], &[]);
        assert_eq!(speeches, [Speech::Dump(word(DeviceState::Ringing), Arrival::Machine)]);
    }
}

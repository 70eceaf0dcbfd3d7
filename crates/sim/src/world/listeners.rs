//! What servers of either kind have in common: a life, a memory, and what enters it.

use super::World;
use crate::asterisk::Asterisk;
use crate::names::{Topic, Value, Word, server_number};
use crate::server::Side;
use presence::{DeviceState, Eid};

impl World<'_> {
    /// A server takes what another said. Returns the word if the aggregate changed by it.
    pub(super) fn enter(&mut self, server: usize, eid: Eid, word: Word) -> Option<Word> {
        self.judge_word(server, eid, word);
        let asterisk = self.servers[server].asterisk.as_mut()?;
        let before = asterisk.lamp(word.topic);
        let effect = asterisk.enter(eid, word);
        let after = asterisk.lamp(word.topic);
        if before != after {
            self.judge_lamp(server, word.topic, after);
        }
        let (who, whose) = (self.servers[server].name.clone(), self.name_of(eid));
        let shown = |lamp: Option<Value>| lamp.map_or("-".to_owned(), |value| value.to_string());
        self.note(&who, || format!("hears {word} of {whose}; lamp {} -> {}", shown(before), shown(after)));
        effect.aggregate.map(|_| word)
    }

    /// A new process with an empty memory. What it has to say of its own is said from [`Self::say_again`].
    pub(super) fn start_server(&mut self, server: usize) {
        let the = &mut self.servers[server];
        the.life += 1;
        the.started_at = self.now;
        the.frozen = false;
        the.asterisk = Some(Asterisk::new(the.eid, the.flavour));
        let who = the.name.clone();
        self.note(&who, || "starts");
        self.sight.forget(server);
        self.disturb();
        self.say_again(server);
    }

    /// The process is gone, and what it stood for.
    pub(super) fn end_server(&mut self, server: usize) {
        self.servers[server].asterisk = None;
        self.servers[server].frozen = false;
        self.model.end(self.now, server);
        let who = self.servers[server].name.clone();
        self.note(&who, || "ends");
        self.disturb();
        self.look();
    }

    /// A server has a word of its own, and passes it on as it does.
    pub(super) fn change_at(&mut self, server: usize, word: Word) {
        let Some(asterisk) = &mut self.servers[server].asterisk else { return };
        let effect = asterisk.enter(asterisk.eid, word);
        if !effect.passed_on {
            return;
        }
        self.record(server, word);
        match &self.servers[server].side {
            Side::Stock(_) => self.change_at_stock(server, word, effect.aggregate.is_some()),
            Side::Plain(_) => self.queue_report(server, word),
        }
    }

    fn say_again(&mut self, server: usize) {
        let topics = self.servers[server].topics.clone();
        for topic in topics {
            if topic.is_cachable() && self.random.chance(self.options.say_again) {
                let value = self.first_value(topic);
                self.change_at(server, Word { topic, value });
            }
        }
    }

    fn first_value(&mut self, topic: Topic) -> Value {
        match topic {
            Topic::Device(_) | Topic::Ephemeral(_) => Value::State(self.random.pick(&[
                DeviceState::NotInUse,
                DeviceState::NotInUse,
                DeviceState::InUse,
            ])),
            Topic::Mailbox(_) => self.new_counts(),
        }
    }

    /// The server behind an EID.
    pub(crate) fn server_of(&self, eid: Eid) -> Option<usize> {
        server_number(eid).filter(|number| *number < self.servers.len())
    }
}

//! The naive reference: everything that every server ever said, in order. What is right follows from it by looking.

use crate::names::{Topic, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// What servers said, by server and topic.
#[derive(Default)]
pub(crate) struct Model {
    histories: BTreeMap<(usize, Topic), Vec<Said>>,
}

/// One entry of a history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Said {
    pub(crate) at: Duration,
    /// `None`: the server ended, and stands for nothing it had said.
    pub(crate) value: Option<Value>,
}

impl Model {
    /// A server says something.
    pub(crate) fn say(&mut self, at: Duration, server: usize, topic: Topic, value: Value) {
        self.histories.entry((server, topic)).or_default().push(Said { at, value: Some(value) });
    }

    /// A server has ended.
    pub(crate) fn end(&mut self, at: Duration, server: usize) {
        for history in self
            .histories
            .range_mut((server, Topic::Device(0))..)
            .map_while(|((whose, _), history)| (*whose == server).then_some(history))
        {
            if history.last().is_some_and(|said| said.value.is_some()) {
                history.push(Said { at, value: None });
            }
        }
    }

    /// What a server stands for.
    pub(crate) fn current(&self, server: usize, topic: Topic) -> Option<Value> {
        self.history(server, topic).last().and_then(|said| said.value)
    }

    /// All that a server ever said of a topic, the oldest first.
    pub(crate) fn history(&self, server: usize, topic: Topic) -> &[Said] {
        self.histories.get(&(server, topic)).map_or(&[], Vec::as_slice)
    }

    /// Whether a server has lit a topic's lamp in its life, or in one whose end is still `recent`.
    pub(crate) fn is_lit_since(
        &self,
        server: usize,
        topic: Topic,
        recent: impl Fn(Duration) -> bool,
    ) -> bool {
        let newest_first = self.history(server, topic).iter().rev();
        newest_first
            .take_while(|said| said.value.is_some() || recent(said.at))
            .any(|said| said.value.is_some_and(Value::is_lit))
    }

    /// The servers that ever spoke of a topic.
    pub(crate) fn speakers(&self, topic: Topic) -> impl Iterator<Item = usize> {
        self.histories.keys().filter(move |(_, of)| *of == topic).map(|(server, _)| *server)
    }

    /// Every topic that anybody ever spoke of, each once.
    pub(crate) fn topics(&self) -> Vec<Topic> {
        let mut topics: Vec<Topic> = self.histories.keys().map(|(_, topic)| *topic).collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use presence::DeviceState::{InUse, NotInUse};

    const TOPIC: Topic = Topic::Device(3);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_server_that_ended_stands_for_nothing() {
        let mut model = Model::default();
        model.say(SECOND, 1, TOPIC, Value::State(InUse));
        model.say(SECOND, 2, TOPIC, Value::State(NotInUse));
        model.end(2 * SECOND, 1);
        model.end(3 * SECOND, 1);
        assert_eq!(model.current(1, TOPIC), None);
        assert_eq!(model.current(2, TOPIC), Some(Value::State(NotInUse)));
        assert_eq!(model.history(1, TOPIC).len(), 2);
        assert_eq!(model.speakers(TOPIC).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_lamp_may_be_lit_by_this_life_and_for_a_while_by_the_one_before() {
        let mut model = Model::default();
        model.say(SECOND, 1, TOPIC, Value::State(InUse));
        model.say(2 * SECOND, 1, TOPIC, Value::State(NotInUse));
        assert!(model.is_lit_since(1, TOPIC, |_| false));
        model.end(10 * SECOND, 1);
        assert!(model.is_lit_since(1, TOPIC, |end| end == 10 * SECOND));
        assert!(!model.is_lit_since(1, TOPIC, |_| false));
    }
}

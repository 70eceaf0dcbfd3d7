//! The sources that are asked, and how each answered last: one that is broken hides no other.

use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// What kind of source it is; the label `collector`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Collector {
    Asterisk,
    Lamps,
    Node,
    Corosync,
}

impl Collector {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Asterisk => "asterisk",
            Self::Lamps => "lamps",
            Self::Node => "node",
            Self::Corosync => "corosync",
        }
    }
}

/// How a source answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// It did; how long it took, where that was measured.
    Well(Option<Duration>),
    /// It did not, and why.
    Badly(String),
}

/// All sources of the configuration.
#[derive(Default)]
pub(crate) struct Sources {
    all: BTreeMap<(Collector, String), Source>,
}

#[derive(Default)]
struct Source {
    /// Nothing while it has not been asked.
    answer: Option<Answer>,
    took: Option<Duration>,
    since: Duration,
}

/// One source, for people and machines.
#[derive(Serialize)]
pub(crate) struct SourceView<'a> {
    collector: &'static str,
    target: &'a str,
    /// `null` while it has not been asked.
    ok: Option<bool>,
    error: Option<&'a str>,
    /// How long it has been so.
    since_s: f64,
}

impl Sources {
    pub(crate) fn add(&mut self, collector: Collector, target: &str) {
        self.all.insert((collector, target.to_owned()), Source::default());
    }

    /// Takes an answer. True when it is another than before.
    pub(crate) fn answered(
        &mut self,
        collector: Collector,
        target: &str,
        answer: Answer,
        now: Duration,
    ) -> bool {
        let Some(source) = self.all.get_mut(&(collector, target.to_owned())) else { return false };
        if let Answer::Well(Some(took)) = answer {
            source.took = Some(took);
        }
        let is_same = match (&source.answer, &answer) {
            (Some(Answer::Well(_)), Answer::Well(_)) => true,
            (Some(Answer::Badly(before)), Answer::Badly(after)) => before == after,
            _ => false,
        };
        if !is_same {
            source.since = now;
        }
        source.answer = Some(answer);
        !is_same
    }

    /// Whether each was asked at least once.
    pub(crate) fn all_asked(&self) -> bool {
        self.all.values().all(|source| source.answer.is_some())
    }

    pub(crate) fn is_ok(&self, collector: Collector, target: &str) -> bool {
        let source = self.all.get(&(collector, target.to_owned()));
        source.is_some_and(|source| matches!(source.answer, Some(Answer::Well(_))))
    }

    /// Collector, target, whether it answers, and how long it took when it last did.
    pub(crate) fn each(&self) -> impl Iterator<Item = (Collector, &str, bool, Option<Duration>)> {
        self.all.iter().map(|((collector, target), source)| {
            let ok = matches!(source.answer, Some(Answer::Well(_)));
            (*collector, target.as_str(), ok, source.took)
        })
    }

    pub(crate) fn views(&self, now: Duration) -> Vec<SourceView<'_>> {
        self.all
            .iter()
            .map(|((collector, target), source)| SourceView {
                collector: collector.as_str(),
                target,
                ok: source.answer.as_ref().map(|answer| matches!(answer, Answer::Well(_))),
                error: match &source.answer {
                    Some(Answer::Badly(why)) => Some(why),
                    Some(Answer::Well(_)) | None => None,
                },
                since_s: now.saturating_sub(source.since).as_secs_f64(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_for_better_or_worse_is_told_once() {
        let mut sources = Sources::default();
        sources.add(Collector::Node, "n");
        assert!(!sources.all_asked());
        let second = Duration::from_secs(1);
        let mut told = |answer, at: u32| sources.answered(Collector::Node, "n", answer, second * at);
        assert!(told(Answer::Badly("refused".into()), 1));
        assert!(!told(Answer::Badly("refused".into()), 2));
        assert!(told(Answer::Badly("timeout".into()), 3));
        assert!(told(Answer::Well(Some(second)), 4));
        assert!(!told(Answer::Well(Some(second * 2)), 5));
        assert!(sources.all_asked());
        assert_eq!(sources.each().next(), Some((Collector::Node, "n", true, Some(second * 2))));
        assert_eq!(sources.views(second * 9)[0].since_s, 5.0);
    }
}

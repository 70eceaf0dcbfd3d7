//! What is wrong with a configuration: file, line, field, what, and the fix.

use std::collections::BTreeSet;
use std::fmt;

/// Everything that is wrong with one configuration, in the order of its lines; one line of text each.
#[derive(Debug, thiserror::Error)]
pub struct Problems {
    file: String,
    list: BTreeSet<Problem>,
}

impl Problems {
    pub(super) fn new(file: &str, list: impl IntoIterator<Item = Problem>) -> Self {
        Self { file: file.to_owned(), list: list.into_iter().collect() }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, list } = self;
        for (index, Problem { place, text }) in list.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            match place {
                Place::File => write!(f, "{end}{file}: {text}")?,
                Place::Line(line) => write!(f, "{end}{file}:{line}: {text}")?,
                Place::Environment => write!(f, "{end}environment: {text}")?,
            }
        }
        Ok(())
    }
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Problem {
    place: Place,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Place {
    File,
    Line(usize),
    Environment,
}

impl Problem {
    /// About the file as a whole.
    pub fn in_file(text: String) -> Self {
        Self { place: Place::File, text }
    }

    /// About a line, counted from 1.
    pub fn at(line: usize, text: String) -> Self {
        Self { place: Place::Line(line), text }
    }
}

/// Where a value was written, so that whoever finds it wrong can say so.
#[derive(Clone, Debug)]
pub struct Origin {
    place: Place,
    /// Its table and field, or its environment variable.
    field: String,
}

impl Origin {
    /// A field of the table with this label, as in `[sip]`; the label of the top is empty.
    pub(super) fn field(line: usize, table: &str, field: &str) -> Self {
        let colon = if table.is_empty() { "" } else { ": " };
        Self { place: Place::Line(line), field: format!("{table}{colon}{field}") }
    }

    pub(super) fn variable(name: &str) -> Self {
        Self { place: Place::Environment, field: name.to_owned() }
    }

    /// A sentence about the value: what is wrong, and the fix.
    pub fn problem(&self, sentence: impl fmt::Display) -> Problem {
        Problem { place: self.place, text: format!("{} {sentence}", self.field) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::Line(line) => write!(f, "line {line}"),
            Place::File | Place::Environment => f.write_str(&self.field),
        }
    }
}

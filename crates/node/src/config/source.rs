//! Takes values out of the TOML document and the environment, and remembers where each was written.

use super::problem::{Origin, Problem, Problems};
use super::schema::{Field, closest};
use super::secret::Secret;
use super::values;
use std::collections::{BTreeMap, BTreeSet};
use toml::de::{DeTable, DeValue};

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

/// The file's text, the environment, and what was wrong so far.
pub(super) struct Source<'a> {
    text: &'a str,
    environment: &'a dyn Fn(&str) -> Option<String>,
    pub(super) problems: Vec<Problem>,
    pub(super) secret_in_file: bool,
}

/// Parses TOML; an error names the field but never shows the line, which may hold a secret.
pub(super) fn parse<'i>(file: &str, text: &'i str) -> Result<DeTable<'i>, Problems> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(document.into_inner());
    }
    let mut seen = BTreeSet::new();
    let problems = errors.iter().filter_map(|error| {
        let line = line_of(text, error.span().map_or(0, |span| span.start));
        // One slip makes several errors in its line; the first says most.
        seen.insert(line).then(|| {
            let field =
                text.lines().nth(line - 1).and_then(|line| line.split_once('=')).map(|(key, _)| key.trim());
            let field = field.filter(|key| {
                !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c))
            });
            let field = field.map_or(String::new(), |key| format!("{key}: "));
            let message = error.message().replace('\n', " ");
            Problem::at(
                line,
                format!("{field}not TOML: {message}; write field = \"value\", [table] or # comment"),
            )
        })
    });
    Err(Problems::new(file, problems))
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str, environment: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { text, environment, problems: Vec::new(), secret_in_file: false }
    }

    /// A variable of the environment; one that is empty is not set, as in a compose file with an unset variable.
    pub(super) fn variable(&self, name: &str) -> Option<Found<String>> {
        let value = (self.environment)(name).filter(|value| !value.is_empty())?;
        Some(Found { value, origin: Origin::variable(name) })
    }

    /// A text's meaning; one that has none is reported with the reason that `parse` gives.
    pub(super) fn read<T>(
        &mut self,
        text: Option<Found<String>>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Found<T>> {
        let Found { value, origin } = text?;
        match parse(&value) {
            Ok(value) => Some(Found { value, origin }),
            Err(reason) => {
                self.problems.push(origin.problem(format_args!("{value:?} {reason}")));
                None
            }
        }
    }

    /// A secret; what is wrong with it is reported without showing it.
    pub(super) fn read_secret(&mut self, text: Option<Found<String>>) -> Option<Found<Secret>> {
        let Found { value, origin } = text?;
        match values::secret(&value) {
            Ok(()) => Some(Found { value: Secret::new(value), origin }),
            Err(reason) => {
                self.problems.push(origin.problem(reason));
                None
            }
        }
    }

    /// The table of this name; reported if it is something else.
    pub(super) fn table<'d>(
        &mut self,
        root: &Table<'d>,
        name: &'static str,
        known: &'static [&'static str],
    ) -> Table<'d> {
        let label = format!("[{name}]");
        match root.entries.get(name) {
            None => Table { label, line: 1, known, entries: BTreeMap::new(), is_written: false },
            Some((line, DeValue::Table(table))) => Table::new(self, label, *line, table, known),
            Some((line, other)) => {
                self.problems.push(
                    Origin::field(*line, "", name).problem(format_args!(
                        "is of type {}; write it as a table: [{name}]",
                        other.type_str()
                    )),
                );
                Table { label, line: *line, known, entries: BTreeMap::new(), is_written: false }
            }
        }
    }

    /// The tables of this name; reported if it is something else.
    pub(super) fn tables<'d>(
        &mut self,
        root: &Table<'d>,
        name: &'static str,
        known: &'static [&'static str],
    ) -> Vec<Table<'d>> {
        let Some((line, value)) = root.entries.get(name) else {
            return Vec::new();
        };
        let elements: Vec<_> = value.as_array().into_iter().flat_map(|array| array.iter()).collect();
        let tables: Vec<_> = elements
            .iter()
            .filter_map(|each| Some((each.span().start, each.get_ref().as_table()?)))
            .collect();
        if tables.is_empty() || tables.len() < elements.len() {
            self.problems.push(Origin::field(*line, "", name).problem(format_args!(
                "is of type {}; write [[{name}]] with two brackets, once for each",
                value.type_str()
            )));
        }
        let tables = tables.into_iter().enumerate().map(|(index, (start, table))| {
            let label = match table.get("name").and_then(|value| value.get_ref().as_str()) {
                Some(text) => format!("[[{name}]] {text:?}"),
                None => format!("[[{name}]] number {}", index + 1),
            };
            Table::new(self, label, line_of(self.text, start), table, known)
        });
        tables.collect()
    }
}

/// A table of the document, or one that is not written.
pub(super) struct Table<'d> {
    label: String,
    line: usize,
    known: &'static [&'static str],
    entries: BTreeMap<&'d str, (usize, &'d DeValue<'d>)>,
    pub(super) is_written: bool,
}

impl<'d> Table<'d> {
    pub(super) fn root(
        source: &Source<'_>,
        document: &'d DeTable<'d>,
        known: &'static [&'static str],
    ) -> Self {
        Self::new(source, String::new(), 1, document, known)
    }

    fn new(
        source: &Source<'_>,
        label: String,
        line: usize,
        table: &'d DeTable<'d>,
        known: &'static [&'static str],
    ) -> Self {
        let entries = table.iter().map(|(key, value)| {
            (key.get_ref().as_ref(), (line_of(source.text, key.span().start), value.get_ref()))
        });
        Self { label, line, known, entries: entries.collect(), is_written: true }
    }

    /// What is said about a field that may not be written.
    pub(super) fn origin(&self, field: &Field) -> Origin {
        let line = self.entries.get(field.name).map_or(self.line, |(line, _)| *line);
        Origin::field(line, &self.label, field.name)
    }

    pub(super) fn has(&self, field: &Field) -> bool {
        self.entries.contains_key(field.name)
    }

    /// The field's text, from the environment or else from the file.
    pub(super) fn text(&self, source: &mut Source<'_>, field: &Field) -> Option<Found<String>> {
        if let Some(found) = field.variable.and_then(|name| source.variable(name)) {
            return Some(found);
        }
        let (_, value) = self.entries.get(field.name)?;
        if let Some(text) = value.as_str() {
            return Some(Found { value: text.to_owned(), origin: self.origin(field) });
        }
        source.problems.push(self.origin(field).problem(format_args!(
            "is of type {}; write it in quotes: {} = {:?}",
            value.type_str(),
            field.name,
            field.example
        )));
        None
    }

    /// As [`Table::text`], but reports a field that stands nowhere.
    pub(super) fn required(&self, source: &mut Source<'_>, field: &Field) -> Option<Found<String>> {
        let text = self.text(source, field);
        if text.is_none() && !self.has(field) {
            let or = field.variable.map_or(String::new(), |name| format!(" or set {name}"));
            source.problems.push(
                self.origin(field)
                    .problem(format_args!("is missing; write {} = {:?}{or}", field.name, field.example)),
            );
        }
        text
    }

    /// As [`Table::text`], with the field's example as its default.
    pub(super) fn or_default(&self, source: &mut Source<'_>, field: &Field) -> Option<Found<String>> {
        let text = self.text(source, field);
        if text.is_none() && !self.has(field) {
            return Some(Found { value: field.example.to_owned(), origin: self.origin(field) });
        }
        text
    }

    /// Reports every field that nobody knows.
    pub(super) fn report_unknown(&self, source: &mut Source<'_>) {
        for (name, (line, _)) in &self.entries {
            if self.known.contains(name) {
                continue;
            }
            let fix = match closest(name, self.known) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => "remove it".to_owned(),
            };
            let known = self.known.join(", ");
            let unknown = Origin::field(*line, &self.label, "unknown field");
            source.problems.push(unknown.problem(format_args!("{name:?}; {fix} (known: {known})")));
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count()
}

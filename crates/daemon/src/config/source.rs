//! Takes values out of the TOML document and the environment, and remembers where each was written.

use super::problem::{Origin, Problem, Problems};
use super::secret::Secret;
use super::table::Table;
use super::values;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use toml::de::{DeTable, DeValue};

/// A value and where it was written.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub origin: Origin,
}

/// The file, the environment, and what was wrong so far.
pub struct Source<'a> {
    text: &'a str,
    document: &'a DeTable<'a>,
    environment: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    secret_in_file: bool,
}

/// Parses TOML; an error names the field but never shows the line, which may hold a secret.
pub(super) fn document<'i>(file: &str, text: &'i str) -> Result<DeTable<'i>, Problems> {
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
    pub(super) fn new(
        text: &'a str,
        document: &'a DeTable<'a>,
        environment: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            text,
            document,
            environment,
            problems: Vec::new(),
            warnings: Vec::new(),
            secret_in_file: false,
        }
    }

    /// What was wrong, what was not good, and whether a secret stands in the file.
    pub(super) fn finish(self) -> (Vec<Problem>, Vec<Problem>, bool) {
        (self.problems, self.warnings, self.secret_in_file)
    }

    /// Notes what an operator may not have meant; it is a configuration all the same.
    pub fn warn(&mut self, warning: Problem) {
        self.warnings.push(warning);
    }

    /// Notes what is wrong; then there will be no configuration.
    pub fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Nothing was reported so far.
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    pub(super) fn note_secret_in_file(&mut self) {
        self.secret_in_file = true;
    }

    pub(super) fn line_of(&self, offset: usize) -> usize {
        line_of(self.text, offset)
    }

    /// A variable of the environment; one that is empty is not set, as in a compose file with an unset variable.
    pub fn variable(&self, name: &str) -> Option<Found<String>> {
        let value = (self.environment)(name).filter(|value| !value.is_empty())?;
        Some(Found { value, origin: Origin::variable(name) })
    }

    /// A text's meaning; one that has none is reported with the reason that `parse` gives.
    pub fn read<T>(
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
    pub fn read_secret(&mut self, text: Option<Found<String>>) -> Option<Found<Secret>> {
        let Found { value, origin } = text?;
        match values::secret(&value) {
            Ok(()) => Some(Found { value: Secret::new(value), origin }),
            Err(reason) => {
                self.problems.push(origin.problem(reason));
                None
            }
        }
    }

    /// The top of the file. Here and below, a field that is not among the `known` ones is reported.
    pub fn root(&mut self, known: &[&'static str]) -> Table<'a> {
        Table::new(self, String::new(), 1, self.document, known)
    }

    /// The table of this name; reported if it is something else.
    pub fn table<'d>(&mut self, root: &Table<'d>, name: &str, known: &[&'static str]) -> Table<'d> {
        let label = format!("[{name}]");
        match root.entry(name) {
            None => Table::unwritten(label, 1),
            Some((line, DeValue::Table(table))) => Table::new(self, label, line, table, known),
            Some((line, other)) => {
                self.problems.push(
                    Origin::field(line, "", name).problem(format_args!(
                        "is of type {}; write it as a table: [{name}]",
                        other.type_str()
                    )),
                );
                Table::unwritten(label, line)
            }
        }
    }

    /// The tables of this name; reported if it is something else.
    pub fn tables<'d>(&mut self, root: &Table<'d>, name: &str, known: &[&'static str]) -> Vec<Table<'d>> {
        let Some((line, value)) = root.entry(name) else {
            return Vec::new();
        };
        let elements: Vec<_> = value.as_array().into_iter().flat_map(|array| array.iter()).collect();
        let tables: Vec<_> = elements
            .iter()
            .filter_map(|each| Some((each.span().start, each.get_ref().as_table()?)))
            .collect();
        if tables.is_empty() || tables.len() < elements.len() {
            self.problems.push(Origin::field(line, "", name).problem(format_args!(
                "is of type {}; write [[{name}]] with two brackets, once for each",
                value.type_str()
            )));
        }
        let tables = tables.into_iter().enumerate().map(|(index, (start, table))| {
            let label = match table.get("name").and_then(|value| value.get_ref().as_str()) {
                Some(text) => format!("[[{name}]] {text:?}"),
                None => format!("[[{name}]] number {}", index + 1),
            };
            Table::new(self, label, self.line_of(start), table, known)
        });
        tables.collect()
    }

    /// Reports values that stand more than once.
    pub fn report_equal<'f, T: Ord + fmt::Display + 'f>(
        &mut self,
        values: impl Iterator<Item = &'f Found<T>>,
        own: &str,
    ) {
        let mut first_by_value = BTreeMap::new();
        for found in values {
            let first = first_by_value.entry(&found.value).or_insert(&found.origin);
            if !std::ptr::eq(*first, &raw const found.origin) {
                let value = found.value.to_string();
                let sentence = format_args!("{value:?} is taken already ({first}); each needs its own {own}");
                self.problems.push(found.origin.problem(sentence));
            }
        }
    }
}

impl fmt::Debug for Source<'_> {
    /// Without the text, which may hold a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("problems", &self.problems).finish_non_exhaustive()
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count()
}

//! One table of the document.

use super::field::{Field, closest};
use super::problem::Origin;
use super::source::{Found, Source};
use std::collections::BTreeMap;
use std::fmt;
use toml::de::{DeTable, DeValue};

/// A table, or one that is not written.
pub struct Table<'d> {
    label: String,
    line: usize,
    entries: BTreeMap<&'d str, (usize, &'d DeValue<'d>)>,
    is_written: bool,
}

impl<'d> Table<'d> {
    pub(super) fn new(
        source: &mut Source<'_>,
        label: String,
        line: usize,
        table: &'d DeTable<'d>,
        known: &[&'static str],
    ) -> Self {
        let entries = table.iter().map(|(key, value)| {
            (key.get_ref().as_ref(), (source.line_of(key.span().start), value.get_ref()))
        });
        let table = Self { label, line, entries: entries.collect(), is_written: true };
        table.report_unknown(source, known);
        table
    }

    pub(super) fn unwritten(label: String, line: usize) -> Self {
        Self { label, line, entries: BTreeMap::new(), is_written: false }
    }

    pub(super) fn entry(&self, name: &str) -> Option<(usize, &'d DeValue<'d>)> {
        self.entries.get(name).copied()
    }

    /// Somebody wrote it.
    pub fn is_written(&self) -> bool {
        self.is_written
    }

    /// Where the field stands, or else the table.
    pub fn origin(&self, field: &Field) -> Origin {
        let line = self.entry(field.name).map_or(self.line, |(line, _)| line);
        Origin::field(line, &self.label, field.name)
    }

    /// The field is written, right or wrong.
    pub fn has(&self, field: &Field) -> bool {
        self.holds(field.name)
    }

    /// Something of this name is written.
    pub fn holds(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The field's text, from the environment or else from the file.
    pub fn text(&self, source: &mut Source<'_>, field: &Field) -> Option<Found<String>> {
        if let Some(found) = field.variable.and_then(|name| source.variable(name)) {
            return Some(found);
        }
        let (_, value) = self.entry(field.name)?;
        if let Some(text) = value.as_str() {
            return Some(Found { value: text.to_owned(), origin: self.origin(field) });
        }
        source.report(self.origin(field).problem(format_args!(
            "is of type {}; write it in quotes: {} = {:?}",
            value.type_str(),
            field.name,
            field.example
        )));
        None
    }

    /// As [`Table::text`], but reports a field that stands nowhere.
    pub fn required(&self, source: &mut Source<'_>, field: &Field) -> Option<Found<String>> {
        let text = self.text(source, field);
        if text.is_none() && !self.has(field) {
            let or = field.variable.map_or(String::new(), |name| format!(" or set {name}"));
            let sentence = format_args!("is missing; write {} = {:?}{or}", field.name, field.example);
            source.report(self.origin(field).problem(sentence));
        }
        text
    }

    /// As [`Table::text`], with the field's example as its default.
    pub fn or_default(&self, source: &mut Source<'_>, field: &Field) -> Option<Found<String>> {
        let text = self.text(source, field);
        if text.is_none() && !self.has(field) {
            return Some(Found { value: field.example.to_owned(), origin: self.origin(field) });
        }
        text
    }

    /// As [`Table::text`], for a secret.
    pub fn secret_text(&self, source: &mut Source<'_>, field: &Field) -> Option<Found<String>> {
        if self.has(field) {
            source.note_secret_in_file();
        }
        self.text(source, field)
    }

    /// As [`Table::secret_text`], where tables without a secret of their own share the one of a variable.
    pub fn secret_text_or(
        &self,
        source: &mut Source<'_>,
        field: &Field,
        shared: &str,
    ) -> Option<Found<String>> {
        if self.has(field) { self.secret_text(source, field) } else { source.variable(shared) }
    }

    /// The field's texts; `None` if it is not written or is something else, which is reported.
    pub fn texts(&self, source: &mut Source<'_>, field: &Field) -> Option<Vec<Found<String>>> {
        let (_, value) = self.entry(field.name)?;
        let elements = value.as_array().into_iter().flat_map(|array| array.iter());
        let texts: Option<Vec<_>> = elements
            .map(|each| {
                let origin = Origin::field(source.line_of(each.span().start), &self.label, field.name);
                Some(Found { value: each.get_ref().as_str()?.to_owned(), origin })
            })
            .collect();
        if !value.is_array() || texts.is_none() {
            let Field { name, example, .. } = field;
            let sentence = format_args!("is no list of texts; write {name} = [{example:?}]");
            source.report(self.origin(field).problem(sentence));
            return None;
        }
        texts
    }

    /// The field's number; `None` if it is not written or is something else, which is reported.
    pub fn number(&self, source: &mut Source<'_>, field: &Field) -> Option<Found<f64>> {
        let (_, value) = self.entry(field.name)?;
        let integer = value.as_integer().filter(|integer| integer.radix() == 10);
        let digits = integer.map(|integer| integer.as_str()).or(value.as_float().map(|float| float.as_str()));
        self.plain(source, field, value, digits.and_then(|digits| digits.parse().ok()))
    }

    /// The field's truth; `None` if it is not written or is something else, which is reported.
    pub fn flag(&self, source: &mut Source<'_>, field: &Field) -> Option<Found<bool>> {
        let (_, value) = self.entry(field.name)?;
        self.plain(source, field, value, value.as_bool())
    }

    /// A value that is written without quotes.
    fn plain<T>(
        &self,
        source: &mut Source<'_>,
        field: &Field,
        written: &DeValue<'_>,
        value: Option<T>,
    ) -> Option<Found<T>> {
        let origin = self.origin(field);
        if value.is_none() {
            source.report(origin.problem(format_args!(
                "is of type {}; write it without quotes: {} = {}",
                written.type_str(),
                field.name,
                field.example
            )));
        }
        Some(Found { value: value?, origin })
    }

    fn report_unknown(&self, source: &mut Source<'_>, known: &[&'static str]) {
        for (name, (line, _)) in &self.entries {
            if known.contains(name) {
                continue;
            }
            let fix = match closest(name, known) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => "remove it".to_owned(),
            };
            let known = known.join(", ");
            let unknown = Origin::field(*line, &self.label, "unknown field");
            source.report(unknown.problem(format_args!("{name:?}; {fix} (known: {known})")));
        }
    }
}

impl fmt::Debug for Table<'_> {
    /// Without the values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("label", &self.label).field("line", &self.line).finish_non_exhaustive()
    }
}

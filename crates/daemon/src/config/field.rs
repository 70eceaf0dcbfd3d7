//! A field that a configuration may have.

/// Its name, how it may be written, and where else it may stand.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As it is written in the file.
    pub name: &'static str,
    /// Its default, where it has one; else what a message shows as the way to write it. Without quotes.
    pub example: &'static str,
    /// The environment variable that overrides it.
    pub variable: Option<&'static str>,
}

impl Field {
    /// A field.
    pub const fn new(name: &'static str, example: &'static str, variable: Option<&'static str>) -> Self {
        Self { name, example, variable }
    }
}

/// The known name that an unknown one was probably meant to be.
pub(super) fn closest(unknown: &str, known: &[&'static str]) -> Option<&'static str> {
    let near = known.iter().map(|name| (typing_errors(unknown, name), *name)).min()?;
    (near.0 <= 2 && near.0 < near.1.len()).then_some(near.1)
}

/// Levenshtein distance.
fn typing_errors(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.chars().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.chars().count()]
}

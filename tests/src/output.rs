//! The only place that prints: aligned columns, colours where there is a terminal.

#![allow(
    clippy::print_stdout,
    reason = "what this program has to say goes to standard output, from here alone"
)]

use std::io::{IsTerminal, Write};

/// What a word means to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
    Dim,
}

/// One field of a table.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
    right: bool,
    /// Stands where its column's numbers stand.
    heads: bool,
}

/// A text at the left of its column.
pub(crate) fn text(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), tone: Tone::Plain, right: false, heads: false }
}

/// A text with a meaning.
pub(crate) fn toned(tone: Tone, text: impl Into<String>) -> Cell {
    Cell { text: text.into(), tone, right: false, heads: false }
}

/// A number at the right of its column.
pub(crate) fn number(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), tone: Tone::Plain, right: true, heads: false }
}

/// Standard output.
pub(crate) struct Screen {
    colour: bool,
}

impl Screen {
    pub(crate) fn new() -> Self {
        Self { colour: std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    pub(crate) fn line(&self, text: &str) {
        println!("{text}");
    }

    /// A line that the next one of this kind replaces, where there is a terminal.
    pub(crate) fn progress(&self, text: &str) {
        if std::io::stdout().is_terminal() {
            print!("\r\x1b[K{text}");
            // A terminal that is gone hears nothing anyway.
            drop(std::io::stdout().flush());
        } else {
            println!("{text}");
        }
    }

    /// A heading above a table.
    pub(crate) fn heading(&self, text: &str) {
        println!("\n{}", if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() });
    }

    /// Rows with aligned columns; the first row may be the columns' names.
    pub(crate) fn table(&self, rows: &[Vec<Cell>]) {
        for line in self.render(rows) {
            println!("{line}");
        }
    }

    fn render(&self, rows: &[Vec<Cell>]) -> Vec<String> {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let length = |cell: &Cell| cell.text.chars().count();
        let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(length).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
        let numeric = |column: usize| rows.iter().filter_map(|row| row.get(column)).any(|cell| cell.right);
        rows.iter()
            .map(|row| {
                let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
                    self.pad(cell, width, cell.right || cell.heads && numeric(column))
                });
                format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
            })
            .collect()
    }

    fn pad(&self, cell: &Cell, width: usize, right: bool) -> String {
        let blank = " ".repeat(width - cell.text.chars().count());
        let shown = match (self.colour, cell.tone) {
            (false, _) | (_, Tone::Plain) => cell.text.clone(),
            (true, Tone::Good) => format!("\x1b[32m{}\x1b[0m", cell.text),
            (true, Tone::Bad) => format!("\x1b[31m{}\x1b[0m", cell.text),
            (true, Tone::Dim) => format!("\x1b[2m{}\x1b[0m", cell.text),
        };
        if right { blank + &shown } else { shown + &blank }
    }
}

/// The names of a table's columns.
pub(crate) fn header(names: &[&str]) -> Vec<Cell> {
    names.iter().map(|name| Cell { heads: true, ..toned(Tone::Dim, *name) }).collect()
}

/// Says on standard error what went wrong, and below it why.
pub(crate) fn complain(error: &anyhow::Error) {
    eprintln!("asterism-lab: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}

/// Milliseconds with two decimals.
pub(crate) fn milliseconds(duration: std::time::Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_numbers_stand_at_the_right() {
        let rows = [
            header(&["server", "ms"]),
            vec![text("east-pbx1"), number("0.59")],
            vec![toned(Tone::Bad, "ü"), number("12.00")],
        ];
        let lines = Screen { colour: false }.render(&rows);
        assert_eq!(lines, ["  server        ms", "  east-pbx1   0.59", "  ü          12.00"]);
    }

    #[test]
    fn colours_do_not_count_as_width() {
        let rows = [vec![toned(Tone::Good, "ok"), text("a")], vec![text("long"), text("b")]];
        let lines = Screen { colour: true }.render(&rows);
        assert_eq!(lines, ["  \u{1b}[32mok\u{1b}[0m    a", "  long  b"]);
    }
}

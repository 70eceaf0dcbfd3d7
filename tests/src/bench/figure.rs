//! What was measured, beside what it should be.

use serde::Serialize;

use crate::output::Screen;

/// The figures of one benchmark. Its field names are an interface.
#[derive(Default, Serialize)]
pub(super) struct Figures {
    figures: Vec<Figure>,
}

#[derive(Serialize)]
struct Figure {
    what: String,
    seen: f64,
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Figures {
    /// A figure that should be as large as this.
    pub(super) fn at_least(&mut self, what: impl Into<String>, unit: &'static str, target: f64, seen: f64) {
        self.add(what.into(), unit, Some(Target::AtLeast(target)), seen);
    }

    /// A figure that should be no larger than this.
    pub(super) fn at_most(&mut self, what: impl Into<String>, unit: &'static str, target: f64, seen: f64) {
        self.add(what.into(), unit, Some(Target::AtMost(target)), seen);
    }

    /// A figure without a target.
    pub(super) fn seen(&mut self, what: impl Into<String>, unit: &'static str, seen: f64) {
        self.add(what.into(), unit, None, seen);
    }

    /// As rows of a table in Markdown.
    pub(super) fn show(&self, screen: &Screen) {
        screen.line("\n| figure | target | seen | |\n|---|---:|---:|---|");
        self.figures.iter().for_each(|figure| screen.line(&figure.row()));
    }

    fn add(&mut self, what: String, unit: &'static str, target: Option<Target>, seen: f64) {
        self.figures.push(Figure { what, seen, unit, target });
    }
}

impl Figure {
    fn row(&self) -> String {
        let target = match self.target {
            Some(Target::AtLeast(target)) => format!("≥ {}", number(target)),
            Some(Target::AtMost(target)) => format!("≤ {}", number(target)),
            None => "–".to_owned(),
        };
        let seen = [number(self.seen).as_str(), self.unit].join(" ");
        format!("| {} | {target} | {} | {} |", self.what, seen.trim_end(), self.verdict())
    }

    fn verdict(&self) -> String {
        let (target, missed) = match self.target {
            Some(Target::AtLeast(target)) => (target, self.seen < target),
            Some(Target::AtMost(target)) => (target, self.seen > target),
            None => return String::new(),
        };
        let share = (self.seen / target - 1.0).abs() * 100.0;
        match missed {
            false => "met".to_owned(),
            true if target == 0.0 => "missed".to_owned(),
            true => format!("missed by {share:.0} %"),
        }
    }
}

/// With as many decimals as tell something, and with commas between thousands.
fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 100.0 && value.fract() != 0.0 {
        return format!("{value:.*}", if value.abs() < 1.0 { 3 } else { 2 });
    }
    let digits = format!("{:.0}", value.abs());
    let sign = if value < 0.0 && digits != "0" { "-" } else { "" };
    let mut grouped = String::from(sign);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The middle one; of an even number the upper one.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(super) fn max(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NAN, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_by_how_much_a_target_is_missed() {
        let mut figures = Figures::default();
        figures.at_most("ready", "s", 1.5, 1.8);
        figures.at_least("events", "/s", 20_000.0, 20_000.0);
        figures.at_most("lost", "", 0.0, 3.0);
        figures.seen("other", "B", 1_234_567.0);
        let rows: Vec<_> = figures.figures.iter().map(Figure::row).collect();
        assert_eq!(
            rows,
            [
                "| ready | ≤ 1.50 | 1.80 s | missed by 20 % |",
                "| events | ≥ 20,000 | 20,000 /s | met |",
                "| lost | ≤ 0 | 3 | missed |",
                "| other | – | 1,234,567 B |  |",
            ]
        );
    }

    #[test]
    fn numbers_are_short_and_readable() {
        let shown = [0.0, 0.0123, 1.5, 99.0, 123.4, 1000.0, -12_345.0].map(number);
        assert_eq!(shown, ["0", "0.012", "1.50", "99", "123", "1,000", "-12,345"]);
    }

    #[test]
    fn the_median_is_one_of_the_values() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(max(&[3.0, 1.0]), 3.0);
    }
}

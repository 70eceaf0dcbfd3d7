//! LATENCY.md, its histograms and its plots.

use std::fmt::Write;
use std::fs;
use std::path::Path as File;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::figures::{Book, Figures, Series, maximum, quantile};
use super::path::{PATHS, Setting};
use super::plan::{BURST, RATES, Rate};
use super::plot::{Curve, draw};
use crate::output::{Screen, header, number, text};

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];
const METHOD: &str = include_str!("method.md");

/// Everything that was learned.
pub(super) struct Run {
    pub(super) machine: Vec<(&'static str, String)>,
    pub(super) book: Book,
    pub(super) took: Duration,
    pub(super) minutes: f64,
}

impl Run {
    /// The document, a histogram log for each path, a plot for each rate.
    pub(super) fn write(&self, folder: &File) -> Result<()> {
        write(&folder.join("LATENCY.md"), self.document().as_bytes())?;
        for (index, path) in PATHS.iter().enumerate() {
            write(&folder.join(format!("latency/{}.hdr", path.tag)), &self.log(index)?)?;
        }
        for rate in RATES {
            write(&folder.join(format!("latency/{}.svg", rate.tag())), self.plot(rate).as_bytes())?;
        }
        Ok(())
    }

    /// The lamps' figures in short.
    pub(super) fn show(&self, screen: &Screen) {
        for rate in RATES {
            screen.heading(&format!("at the lamp, {}, in ms", rate.name()));
            let mut rows = vec![header(&["path", "n", "p50", "p90", "p99", "p99.9", "max", "lost"])];
            for (name, figures) in self.figures(rate) {
                let cells = series_cells(&figures.lamp);
                rows.push(std::iter::once(text(name)).chain(cells.into_iter().take(7).map(number)).collect());
            }
            screen.table(&rows);
        }
    }

    fn figures(&self, rate: Rate) -> impl Iterator<Item = (&'static str, &Figures)> {
        PATHS
            .iter()
            .enumerate()
            .filter_map(move |(index, path)| self.book.read(index, rate).map(|figures| (path.name, figures)))
    }

    fn document(&self) -> String {
        let mut text = String::from(
            "# How long a lamp takes\n\nWritten by `just bench latency`, which measures it again on your machine.\n\n",
        );
        let ways: Vec<_> = PATHS.iter().map(|path| vec![path.name.to_owned(), way(path)]).collect();
        text.push_str(&table(&["path", "what it is"], &ways));
        for rate in RATES {
            let _ = write!(text, "\n## {}\n\n![{0}](latency/{}.svg)\n", heading(rate), rate.tag());
            self.rate_tables(rate, &mut text);
        }
        text.push_str("\n## What the harness costs\n\nMilliseconds from the intended time until the change was written to the origin's AMI; they are part of all figures above. \
            The path *one server* tells what one Asterisk and AMI cost on top of that.\n\n");
        text.push_str(&self.harness_table());
        let machine: Vec<_> =
            self.machine.iter().map(|(key, value)| vec![(*key).to_owned(), value.clone()]).collect();
        text.push_str("\n## Machine and versions\n\n");
        text.push_str(&table(&["", ""], &machine));
        let seconds = self.took.as_secs();
        let _ = write!(text, "\nThe run took {seconds} s (`--minutes {}`).\n\n{METHOD}", self.minutes);
        text
    }

    fn rate_tables(&self, rate: Rate, text: &mut String) {
        let mut names = vec!["path", "n", "p50", "p90", "p99", "p99.9", "max", "lost", "wrong"];
        let lamps: Vec<_> =
            self.figures(rate).map(|(name, figures)| row(name, series_cells(&figures.lamp))).collect();
        let _ =
            write!(text, "\nAt the lamp (NOTIFY), ms after the intended time:\n\n{}", table(&names, &lamps));
        names.extend(["p50 after origin", "p99 after origin", "CPU %"]);
        if rate == Rate::Burst {
            names.push("changes/s");
        }
        let devices: Vec<_> =
            self.figures(rate).map(|(name, figures)| row(name, device_cells(figures, rate))).collect();
        let _ = write!(
            text,
            "\nAt AMI (DeviceStateChange), ms after the intended time:\n\n{}",
            table(&names, &devices)
        );
    }

    fn harness_table(&self) -> String {
        let mut rows = Vec::new();
        for rate in RATES {
            let mut all = super::figures::histogram();
            for (_, figures) in self.figures(rate) {
                // Same bounds: nothing can go wrong.
                let _ = all.add(&figures.behind);
            }
            rows.push(row(&rate.name(), latency_cells(&all)));
        }
        table(&["rate", "n", "p50", "p90", "p99", "p99.9", "max"], &rows)
    }

    /// An HdrHistogram interval log: one line for each rate and place, named by its tag.
    fn log(&self, path: usize) -> Result<Vec<u8>> {
        let mut log = Vec::new();
        let mut serializer = V2DeflateSerializer::new();
        let mut writer = IntervalLogWriterBuilder::new()
            .add_comment(&format!("{}; microseconds", PATHS[path].name))
            .with_start_time(SystemTime::now())
            .begin_log_with(&mut log, &mut serializer)?;
        for rate in RATES {
            let Some(figures) = self.book.read(path, rate) else { continue };
            for (place, values) in [
                ("lamp", &figures.lamp.latency),
                ("ami", &figures.device.latency),
                ("ami-after-origin", &figures.after_origin),
                ("written", &figures.behind),
            ] {
                let tag = format!("{}-{place}", rate.tag());
                let tag = Tag::new(&tag).context("a tag without spaces and commas")?;
                writer
                    .write_histogram(values, Duration::ZERO, self.took, Some(tag))
                    .map_err(|error| anyhow::anyhow!("cannot write a histogram: {error:?}"))?;
            }
        }
        Ok(log)
    }

    fn plot(&self, rate: Rate) -> String {
        let curves = |pick: fn(&Figures) -> &Histogram<u64>| {
            self.figures(rate)
                .map(|(name, figures)| Curve { name, values: pick(figures) })
                .collect::<Vec<_>>()
        };
        let lamp = curves(|figures| &figures.lamp.latency);
        let device = curves(|figures| &figures.device.latency);
        draw(&heading(rate), &[("at the lamp (NOTIFY)", lamp), ("at AMI (DeviceStateChange)", device)])
    }
}

fn way(path: &super::path::Path) -> String {
    match path.setting {
        Setting::Nodes | Setting::Wan(_) => path.way.to_owned(),
        Setting::NoNodes => format!("{} (measured before and after all others)", path.way),
    }
}

fn heading(rate: Rate) -> String {
    match rate {
        Rate::PerSecond(1) => "1 change a second".to_owned(),
        Rate::PerSecond(rate) => format!("{rate} changes a second"),
        Rate::Burst => format!("A burst of {BURST} devices at once"),
    }
}

fn row(name: &str, cells: Vec<String>) -> Vec<String> {
    std::iter::once(name.to_owned()).chain(cells).collect()
}

fn device_cells(figures: &Figures, rate: Rate) -> Vec<String> {
    let mut cells = series_cells(&figures.device);
    // At the origin itself both are the same event.
    let after = figures.after_origin.max() > 1;
    cells.extend([0.5, 0.99].map(|at| shown(quantile(&figures.after_origin, at).filter(|_| after))));
    cells.push(figures.processor.percent().map_or("–".to_owned(), |percent| format!("{percent:.0}")));
    if rate == Rate::Burst {
        let per_second = |longest: f64| format!("{:.0}", f64::from(BURST) * 1000.0 / longest);
        cells.push(maximum(&figures.device.latency).map_or("–".to_owned(), per_second));
    }
    cells
}

fn series_cells(series: &Series) -> Vec<String> {
    let mut cells = latency_cells(&series.latency);
    cells.extend([series.lost.to_string(), series.wrong.to_string()]);
    cells
}

fn latency_cells(values: &Histogram<u64>) -> Vec<String> {
    let mut cells = vec![values.len().to_string()];
    cells.extend(QUANTILES.map(|(_, at)| shown(quantile(values, at))));
    cells.push(shown(maximum(values)));
    cells
}

/// Three digits that mean something, or nothing.
fn shown(milliseconds: Option<f64>) -> String {
    match milliseconds {
        None => "–".to_owned(),
        Some(value) if value >= 100.0 => format!("{value:.0}"),
        Some(value) if value >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.2}"),
    }
}

/// A Markdown table; the first column holds text, the others numbers, unless there are but two.
fn table(names: &[&str], rows: &[Vec<String>]) -> String {
    let number = if names.len() > 2 { "---:|" } else { "---|" };
    let mut text = format!("| {} |\n|---|{}\n", names.join(" | "), number.repeat(names.len() - 1));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

fn write(file: &File, bytes: &[u8]) -> Result<()> {
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests;

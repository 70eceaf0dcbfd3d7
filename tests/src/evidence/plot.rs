//! Percentile curves as SVG, as HdrHistogram draws them: the horizontal axis gives each further nine the same room.

use std::fmt::Write;

use hdrhistogram::Histogram;

use super::figures::milliseconds;

/// Okabe and Ito's palette, without the yellow that vanishes on white.
const COLOURS: [&str; 7] = ["#000000", "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7"];
/// So that curves can be told apart without colours too.
const DASHES: [&str; 7] = ["", "8 3", "3 3", "", "8 3 2 3", "", "12 4"];

const WIDTH: f64 = 1060.0;
const PANEL_WIDTH: f64 = 440.0;
const PANEL_HEIGHT: f64 = 320.0;
const TOP: f64 = 70.0;
const LEFT: f64 = 70.0;
const GAP: f64 = 70.0;
const LEGEND: f64 = 60.0;
const QUANTILES: [(f64, &str); 6] =
    [(0.0, "0"), (0.5, "50"), (0.9, "90"), (0.99, "99"), (0.999, "99.9"), (0.9999, "99.99")];

/// A name and its values in microseconds; curves of the same place in each panel look alike.
pub(super) struct Curve<'a> {
    pub(super) name: &'a str,
    pub(super) values: &'a Histogram<u64>,
}

/// Two drawings side by side on the same axes, and the names of the curves below.
pub(super) fn draw(title: &str, panels: &[(&str, Vec<Curve<'_>>); 2]) -> String {
    let axes = Axes::around(panels.iter().flat_map(|(_, curves)| curves));
    let names: Vec<&str> = panels[0].1.iter().map(|curve| curve.name).collect();
    let rows = names.len().div_ceil(2);
    #[allow(clippy::cast_precision_loss, reason = "a few rows")]
    let height = TOP + PANEL_HEIGHT + LEGEND + 20.0 * rows as f64 + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\" role=\"img\">\n<title>{0}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"26\" font-size=\"16\" font-weight=\"bold\">{0}</text>\n",
        escape(title)
    );
    for ((name, curves), left) in panels.iter().zip([LEFT, LEFT + PANEL_WIDTH + GAP]) {
        let _ = writeln!(svg, "<g transform=\"translate({left} {TOP})\">");
        axes.frame(&mut svg, name);
        for (index, curve) in curves.iter().enumerate().filter(|(_, curve)| !curve.values.is_empty()) {
            let _ = writeln!(
                svg,
                "<polyline fill=\"none\" {} points=\"{}\"/>",
                stroke(index),
                axes.points(curve.values)
            );
        }
        svg.push_str("</g>\n");
    }
    legend(&mut svg, &names, rows);
    svg.push_str("</svg>\n");
    svg
}

/// Both axes are logarithmic; these are their ends, as powers of ten.
struct Axes {
    nines: f64,
    bottom: f64,
    top: f64,
}

impl Axes {
    fn around<'a>(curves: impl Iterator<Item = &'a Curve<'a>>) -> Self {
        let mut axes = Self { nines: 1.0, bottom: 0.0, top: 1.0 };
        for values in curves.map(|curve| curve.values).filter(|values| !values.is_empty()) {
            axes.nines = axes.nines.max(nines(values));
            axes.bottom = axes.bottom.min(milliseconds(values.min().max(1)).log10().floor());
            axes.top = axes.top.max(milliseconds(values.max()).log10().ceil());
        }
        axes
    }

    fn x(&self, nines: f64) -> f64 {
        PANEL_WIDTH * nines / self.nines
    }

    fn y(&self, milliseconds: f64) -> f64 {
        PANEL_HEIGHT * (self.top - milliseconds.log10()) / (self.top - self.bottom)
    }

    /// Lines, labels and units.
    fn frame(&self, svg: &mut String, name: &str) {
        let middle = PANEL_WIDTH / 2.0;
        let _ = writeln!(
            svg,
            "<text x=\"{middle}\" y=\"-12\" text-anchor=\"middle\" font-size=\"14\">{}</text>",
            escape(name)
        );
        for (quantile, label) in QUANTILES {
            let nines = -(1.0 - quantile).log10();
            if nines <= self.nines + 1e-9 {
                let x = self.x(nines);
                let _ = writeln!(
                    svg,
                    "<path d=\"M{x:.1} 0V{PANEL_HEIGHT}\" stroke=\"#ddd\"/>\
                     <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
                    PANEL_HEIGHT + 16.0
                );
            }
        }
        let mut power = self.bottom;
        while power <= self.top + 1e-9 {
            let (value, y) = (10f64.powf(power), self.y(10f64.powf(power)));
            let _ = writeln!(
                svg,
                "<path d=\"M0 {y:.1}H{PANEL_WIDTH}\" stroke=\"#ddd\"/>\
                 <text x=\"-6\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
                y + 4.0
            );
            power += 1.0;
        }
        let _ = writeln!(
            svg,
            "<rect width=\"{PANEL_WIDTH}\" height=\"{PANEL_HEIGHT}\" fill=\"none\" stroke=\"#555\"/>\
             <text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">percentile of changes (%)</text>\
             <text transform=\"translate(-54 {}) rotate(-90)\" text-anchor=\"middle\">latency (ms)</text>",
            PANEL_HEIGHT + 34.0,
            PANEL_HEIGHT / 2.0
        );
    }

    fn points(&self, values: &Histogram<u64>) -> String {
        const STEP: f64 = 0.025;
        let end = nines(values);
        let mut points = String::new();
        let mut at = 0.0;
        while at < end + STEP {
            let here = f64::min(at, end);
            let value = milliseconds(values.value_at_quantile(1.0 - 10f64.powf(-here)).max(1));
            let _ = write!(points, "{:.1},{:.1} ", self.x(here), self.y(value));
            at += STEP;
        }
        points
    }
}

/// Where the maximum of so many values stands.
#[allow(clippy::cast_precision_loss, reason = "runs have fewer changes than that")]
fn nines(values: &Histogram<u64>) -> f64 {
    (values.len() as f64).log10().max(0.5)
}

fn stroke(index: usize) -> String {
    let (colour, dash) = (COLOURS[index % COLOURS.len()], DASHES[index % DASHES.len()]);
    format!("stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"")
}

#[allow(clippy::cast_precision_loss, reason = "a few rows")]
fn legend(svg: &mut String, names: &[&str], rows: usize) {
    for (index, name) in names.iter().enumerate() {
        let x = LEFT + (PANEL_WIDTH + GAP) * (index / rows) as f64;
        let y = TOP + PANEL_HEIGHT + LEGEND + 20.0 * (index % rows) as f64;
        let _ = writeln!(
            svg,
            "<path d=\"M{x} {y}h40\" {}/><text x=\"{}\" y=\"{}\">{}</text>",
            stroke(index),
            x + 50.0,
            y + 4.0,
            escape(name)
        );
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::figures::histogram;
    use super::*;

    fn values(count: u64) -> Histogram<u64> {
        let mut values = histogram();
        for value in 1..=count {
            values.record(value * 100).unwrap();
        }
        values
    }

    #[test]
    fn a_drawing_has_axes_units_names_and_a_curve_for_each_that_has_values() {
        let (many, none) = (values(1000), histogram());
        let curves = || vec![Curve { name: "a < b", values: &many }, Curve { name: "empty", values: &none }];
        let svg = draw("at 10/s", &[("AMI", curves()), ("lamp", curves())]);
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
        for part in ["a &lt; b", "latency (ms)", "percentile of changes (%)", ">99.9</text>", ">100</text>"] {
            assert!(svg.contains(part), "{part}");
        }
        assert!(!svg.contains(">99.99</text>"), "a thousand values tell nothing of it");
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn a_curve_goes_from_the_least_value_to_the_largest() {
        let values = values(1000);
        let axes = Axes { nines: 3.0, bottom: -1.0, top: 2.0 };
        let points = axes.points(&values);
        let (first, last) =
            (points.split(' ').next().unwrap(), points.trim_end().rsplit(' ').next().unwrap());
        assert_eq!(first, "0.0,320.0");
        let (x, y) = last.split_once(',').unwrap();
        assert_eq!(x, "440.0");
        assert!((y.parse::<f64>().unwrap() - 0.0).abs() < 1.0);
    }
}

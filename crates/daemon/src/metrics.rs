//! Metrics over HTTP: OpenMetrics, with its exemplars, for who accepts it; for everybody else (a browser, `promtool`)
//! Prometheus' older text format, which says the same.

pub mod proof;

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text;
use prometheus_client::registry::{Metric, Registry};
use std::fmt::Write;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A registry that has what this process uses already (`process_…`).
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    crate::process::register(&mut registry);
    registry
}

/// Registers a metric under its name; counters get `_total` when they are encoded.
pub fn add<M: Metric + Default + Clone>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

/// All metrics as OpenMetrics text.
pub fn encode(registry: &Registry) -> String {
    let mut text = String::new();
    text::encode(&mut text, registry).expect("writing to a string does not fail");
    text
}

/// Answers a request with these metrics in the format that its `Accept` asks for.
pub fn answer(request: &HeaderMap, openmetrics: String) -> Response {
    let vary = (header::VARY, "Accept");
    if accepts_openmetrics(request) {
        ([(header::CONTENT_TYPE, OPENMETRICS), vary], openmetrics).into_response()
    } else {
        ([(header::CONTENT_TYPE, CLASSIC), vary], classic(&openmetrics)).into_response()
    }
}

/// Whether OpenMetrics is named, and no text format before it (RFC 9110, 12.5.1). Whoever takes anything gets the
/// older format: it did not say that it knows the newer one.
fn accepts_openmetrics(request: &HeaderMap) -> bool {
    let ranges = request.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let (mut openmetrics, mut classic) = (0.0, 0.0);
    for range in ranges.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let best = match parts.next() {
            Some("application/openmetrics-text") => &mut openmetrics,
            Some("text/plain") => &mut classic,
            Some(_) | None => continue,
        };
        let quality =
            parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |text| text.parse().ok());
        *best = f64::max(*best, quality.unwrap_or(0.0));
    }
    openmetrics > 0.0 && openmetrics >= classic
}

/// The same in the text format 0.0.4, which knows neither units nor exemplars nor the type `info`, and calls a counter
/// by its series' name.
pub(crate) fn classic(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut lines = openmetrics.lines().peekable();
    while let Some(line) = lines.next() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        if let Some(help) = line.strip_prefix("# HELP ") {
            // The type, which says the name, follows.
            let suffix = lines.peek().and_then(|next| next.strip_prefix("# TYPE ")).map_or("", suffix);
            let (name, help) = help.split_once(' ').unwrap_or((help, ""));
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name}{suffix} {help}");
        } else if let Some(metric) = line.strip_prefix("# TYPE ") {
            let (name, kind) = metric.split_once(' ').unwrap_or((metric, ""));
            let suffix = suffix(metric);
            let kind = if kind == "info" { "gauge" } else { kind };
            let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
        } else {
            text.push_str(without_exemplar(line));
            text.push('\n');
        }
    }
    text
}

/// What OpenMetrics adds to the name of such a metric in its series; `metric` is its name and type.
fn suffix(metric: &str) -> &'static str {
    match metric.split_once(' ') {
        Some((_, "counter")) => "_total",
        Some((_, "info")) => "_info",
        Some(_) | None => "",
    }
}

/// A series is `name{label="value",…} number`, and an exemplar follows behind ` # `; a value may have that, too.
fn without_exemplar(series: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    for (index, byte) in series.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'#' if !quoted => return series[..index].trim_end(),
            _ => {}
        }
    }
    series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_names_openmetrics_gets_it_and_everybody_else_text() {
        let accepts = |value: &'static str| {
            accepts_openmetrics(&HeaderMap::from_iter([(header::ACCEPT, value.parse().unwrap())]))
        };
        // Prometheus 2.53 and 3.5.
        assert!(accepts(
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        ));
        assert!(accepts(
            "text/plain;version=1.0.0;q=0.4, application/openmetrics-text; version=1.0.0; q=0.6"
        ));
        assert!(accepts("application/openmetrics-text"));
        // A browser, curl, and who says no.
        assert!(!accepts("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
        assert!(!accepts("*/*"));
        assert!(!accepts("application/openmetrics-text;q=0.3, text/plain;q=0.6"));
        assert!(!accepts("application/openmetrics-text;q=0"));
        assert!(!accepts("application/openmetrics-text;q=lots"));
        assert!(!accepts_openmetrics(&HeaderMap::new()));
    }

    #[test]
    fn the_older_format_says_the_same() {
        let openmetrics = concat!(
            "# HELP a_build The version.\n# TYPE a_build info\na_build_info{version=\"1\"} 1\n",
            "# HELP a_seen How often.\n# TYPE a_seen counter\na_seen_total{who=\"x # y\"} 2 # {id=\"7\"} 1.0\n",
            "# HELP a_took_seconds How long.\n# TYPE a_took_seconds histogram\n# UNIT a_took_seconds seconds\n",
            "a_took_seconds_bucket{le=\"1.0\",who=\"a\\\"} # {\\\\\"} 3 # {id=\"} # \\\"\"} 0.5 1.5\n",
            "a_took_seconds_bucket{le=\"+Inf\",who=\"b\"} 3\n",
            "# HELP a_up Whether it is.\n# TYPE a_up gauge\na_up{} 1\n# EOF\n",
        );
        assert_eq!(
            classic(openmetrics),
            concat!(
                "# HELP a_build_info The version.\n# TYPE a_build_info gauge\na_build_info{version=\"1\"} 1\n",
                "# HELP a_seen_total How often.\n# TYPE a_seen_total counter\na_seen_total{who=\"x # y\"} 2\n",
                "# HELP a_took_seconds How long.\n# TYPE a_took_seconds histogram\n",
                "a_took_seconds_bucket{le=\"1.0\",who=\"a\\\"} # {\\\\\"} 3\n",
                "a_took_seconds_bucket{le=\"+Inf\",who=\"b\"} 3\n",
                "# HELP a_up Whether it is.\n# TYPE a_up gauge\na_up{} 1\n",
            )
        );
    }
}

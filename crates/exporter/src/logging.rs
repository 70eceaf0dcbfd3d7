//! The log: one line per fact on stderr, as text for people or as JSON for machines.

use crate::config::{Log, LogFormat};
use std::io::IsTerminal;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// The crates whose facts the configured level is about.
const OWN_CRATES: [&str; 4] = ["asterism_exporter", "presence", "asterisk", "corosync_rs"];

/// Starts the log; fails if the process has one already.
pub(crate) fn init(log: Log) -> Result<(), TryInitError> {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    subscriber(log, std::io::stderr, colours).try_init()
}

fn subscriber<W>(log: Log, writer: W, colours: bool) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = LevelFilter::from_level(log.level);
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(OWN_CRATES.map(|name| (name, level)));
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_target(false);
    match log.format {
        LogFormat::Text => Box::new(registry.with(lines.with_ansi(colours))),
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(false);
            Box::new(registry.with(lines))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::{Level, debug, error, info, warn};

    #[test]
    fn text_has_one_line_per_fact_and_other_crates_only_warn() {
        let text = logged(Level::INFO, LogFormat::Text);
        let lines: Vec<_> = text.lines().map(|line| line.split_once(' ').unwrap().1.trim_start()).collect();
        assert_eq!(lines, [r#"INFO joined members=4 group="asterisk""#, "WARN other warns", "ERROR failed"]);
    }

    #[test]
    fn json_has_one_flat_object_per_line() {
        let text = logged(Level::INFO, LogFormat::Json);
        let first = text.lines().next().unwrap();
        assert!(first.starts_with(r#"{"timestamp":""#), "{first}");
        assert!(
            first.ends_with(r#","level":"INFO","message":"joined","members":4,"group":"asterisk"}"#),
            "{first}"
        );
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn the_level_also_limits_other_crates() {
        assert_eq!(logged(Level::ERROR, LogFormat::Text).lines().count(), 1);
        assert_eq!(logged(Level::DEBUG, LogFormat::Text).lines().count(), 4);
    }

    fn logged(level: Level, format: LogFormat) -> String {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&bytes);
        let subscriber = subscriber(Log { level, format }, move || Writer(Arc::clone(&writer)), false);
        tracing::subscriber::with_default(subscriber, || {
            info!(target: "asterism_exporter::driver", members = 4, group = "asterisk", "joined");
            debug!(target: "corosync_rs", "detail");
            info!(target: "other", "other talks");
            warn!(target: "other", "other warns");
            error!(target: "presence", "failed");
        });
        let bytes = bytes.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    struct Writer(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Writer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
}

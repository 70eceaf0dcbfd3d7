//! The log: one line per fact on stderr, as text for people or as JSON for machines.

use crate::config::{Field, Source, Table, values};
use std::io::IsTerminal;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// What is logged, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Log {
    /// The least important level of the program's own crates; others never log below `WARN`.
    pub level: Level,
    /// How a line looks.
    pub format: Format,
}

/// How a line of the log looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

impl Log {
    /// The fields of `[log]`.
    pub const FIELDS: &[&str] = &["level", "format"];
    /// `[log] level`.
    pub const LEVEL: Field = Field::new("level", "info", Some("ASTERISM_LOG"));
    /// `[log] format`.
    pub const FORMAT: Field = Field::new("format", "text", Some("ASTERISM_LOG_FORMAT"));

    /// Reads `[log]`; `None` if something in it is wrong, which is reported.
    pub fn read(source: &mut Source<'_>, root: &Table<'_>) -> Option<Self> {
        let table = source.table(root, "log", Self::FIELDS);
        let level = table.or_default(source, &Self::LEVEL);
        let level = source.read(level, values::level);
        let format = table.or_default(source, &Self::FORMAT);
        let format = source.read(format, values::format);
        Some(Self { level: level?.value, format: format?.value })
    }
}

/// Starts the log; fails if the process has one already.
pub(crate) fn init(log: Log, own_crates: &[&str]) -> Result<(), TryInitError> {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    subscriber(log, own_crates, std::io::stderr, colours).try_init()
}

fn subscriber<W>(log: Log, own_crates: &[&str], writer: W, colours: bool) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = LevelFilter::from_level(log.level);
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(own_crates.iter().map(|name| (*name, level)));
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_target(false);
    match log.format {
        Format::Text => Box::new(registry.with(lines.with_ansi(colours))),
        Format::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(false);
            Box::new(registry.with(lines))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use tracing::{debug, error, info, warn};

    #[test]
    fn text_has_one_line_per_fact_and_other_crates_only_warn() {
        let text = logged(Level::INFO, Format::Text);
        let lines: Vec<_> = text.lines().map(|line| line.split_once(' ').unwrap().1.trim_start()).collect();
        assert_eq!(lines, [r#"INFO joined members=4 group="asterisk""#, "WARN other warns", "ERROR failed"]);
    }

    #[test]
    fn json_has_one_flat_object_per_line() {
        let text = logged(Level::INFO, Format::Json);
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
        assert_eq!(logged(Level::ERROR, Format::Text).lines().count(), 1);
        assert_eq!(logged(Level::DEBUG, Format::Text).lines().count(), 4);
    }

    fn logged(level: Level, format: Format) -> String {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let writer = Arc::clone(&bytes);
        let own_crates = ["asterism_node", "presence", "corosync_rs"];
        let writer = move || Writer(Arc::clone(&writer));
        let subscriber = subscriber(Log { level, format }, &own_crates, writer, false);
        tracing::subscriber::with_default(subscriber, || {
            info!(target: "asterism_node::driver", members = 4, group = "asterisk", "joined");
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

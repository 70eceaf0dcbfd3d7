//! `rate=100 devices=1000 minutes=1 calls=3`: what to do, as a user writes it.

use std::fmt;

use anyhow::{Context, Result, bail, ensure};

/// How much work for how long.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Settings {
    /// Changes a second.
    pub(super) rate: f64,
    pub(super) devices: u32,
    pub(super) minutes: f64,
    /// Real calls a minute.
    pub(super) calls: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { rate: 100.0, devices: 1000, minutes: 1.0, calls: 3.0 }
    }
}

/// As it would be written.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rate, devices, minutes, calls } = self;
        write!(f, "rate={rate} devices={devices} minutes={minutes} calls={calls}")
    }
}

impl Settings {
    pub(super) fn parse(words: &[String]) -> Result<Self> {
        let mut settings = Self::default();
        for word in words {
            let (key, value) = word.split_once('=').with_context(|| format!("{word}: write KEY=NUMBER"))?;
            let number: f64 = value.parse().with_context(|| format!("{word}: {value} is no number"))?;
            match key {
                "rate" => settings.rate = number,
                "devices" => {
                    settings.devices = value.parse().with_context(|| format!("{word}: a whole number"))?;
                }
                "minutes" => settings.minutes = number,
                "calls" => settings.calls = number,
                _ => bail!("{key}: there are rate, devices, minutes and calls (a minute)"),
            }
        }
        let Self { rate, devices, minutes, calls } = settings;
        ensure!((0.01..=5000.0).contains(&rate), "rate: from 0.01 to 5000 changes a second");
        ensure!((1..=20_000).contains(&devices), "devices: from 1 to 20000");
        ensure!((0.01..=1440.0).contains(&minutes), "minutes: from 0.01 to 1440");
        ensure!((0.0..=6.0).contains(&calls), "calls: from 0 to 6 a minute");
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Settings> {
        Settings::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_is_not_said_is_as_usual() {
        assert_eq!(parse("").unwrap(), Settings::default());
        let settings = parse("devices=20 rate=0.5").unwrap();
        assert_eq!((settings.rate, settings.devices, settings.minutes), (0.5, 20, 1.0));
        assert_eq!(parse(&settings.to_string()).unwrap(), settings);
    }

    #[test]
    fn nonsense_is_refused_with_its_name() {
        for (line, word) in [
            ("rate", "KEY=NUMBER"),
            ("rate=fast", "fast"),
            ("speed=1", "speed"),
            ("rate=-1", "rate"),
            ("rate=NaN", "rate"),
            ("devices=1.5", "devices"),
            ("minutes=0", "minutes"),
        ] {
            assert!(parse(line).unwrap_err().to_string().contains(word), "{line}");
        }
    }
}

//! `just wan`: shows what is between the sites, or changes it.

use anyhow::{Context, Result, bail};
use lab::Lab;
use serde_json::{Map, Value, json};

use crate::output::Screen;

/// As the wan names its conditions.
const UNITS: [(&str, &str); 6] = [
    ("delay", "delay_ms"),
    ("jitter", "jitter_ms"),
    ("loss", "loss_percent"),
    ("reorder", "reorder_percent"),
    ("duplicate", "duplicate_percent"),
    ("bandwidth", "bandwidth_kbit"),
];

pub(crate) async fn run(lab: &Lab, screen: &Screen, words: &[String]) -> Result<()> {
    let wan = lab.wan()?;
    let conditions = match words {
        [] => wan.conditions().await?,
        [word] if word == "cut" => wan.cut().await?,
        [word] if word == "heal" => wan.heal().await?,
        [word] if word == "rebind" => {
            wan.rebind().await?;
            wan.conditions().await?
        }
        settings => wan.set(&changes(settings)?).await?,
    };
    let value = |name: &str| conditions.get(name).map(Value::to_string).unwrap_or_default();
    let shown: Vec<String> =
        UNITS.iter().map(|(word, name)| format!("{word}={}{}", value(name), unit(name))).collect();
    let cut = if value("cut") == "true" { "  CUT (`just wan heal` ends it)" } else { "" };
    screen.line(&format!("each way: {}{cut}", shown.join(" ")));
    Ok(())
}

fn changes(settings: &[String]) -> Result<Value> {
    let mut changes = Map::new();
    for setting in settings {
        let known = UNITS.map(|(word, _)| word).join(", ");
        let Some((word, value)) = setting.split_once('=') else {
            bail!("{setting:?} is no setting; write NAME=VALUE ({known}), cut, heal or rebind");
        };
        let name = UNITS.iter().find(|(known, _)| *known == word).map(|(_, name)| *name);
        let name = name.with_context(|| format!("there is no {word:?} between the sites; known: {known}"))?;
        let number: f64 = value.parse().with_context(|| format!("{word}={value}: {value:?} is no number"))?;
        changes.insert(name.to_owned(), json!(number));
    }
    Ok(Value::Object(changes))
}

fn unit(name: &str) -> &'static str {
    match name.rsplit('_').next() {
        Some("ms") => " ms",
        Some("percent") => " %",
        Some("kbit") => " kbit/s",
        Some(_) | None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_named_as_people_say_them() {
        let words = |text: &str| changes(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(words("delay=150 loss=5").unwrap(), json!({"delay_ms": 150.0, "loss_percent": 5.0}));
        assert!(words("speed=3").unwrap_err().to_string().contains("known: delay"));
        assert!(words("delay").unwrap_err().to_string().contains("cut, heal or rebind"));
    }
}

//! What the way between two sites does to what goes over it.

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::time::Duration;

/// The conditions of each direction; without any it is a straight way.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Args)]
pub struct Conditions {
    /// How long everything takes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0.0)]
    pub delay_ms: f64,
    /// By how much the delay of each packet differs from that at most, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0.0)]
    pub jitter_ms: f64,
    /// How many packets of a hundred are lost
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    pub loss_percent: f64,
    /// How many packets of a hundred are held back while others pass
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    pub reorder_percent: f64,
    /// How many packets of a hundred arrive twice
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    pub duplicate_percent: f64,
    /// How much the way carries, in kbit/s; 0 is no limit
    #[arg(long, value_name = "KBIT", default_value_t = 0.0)]
    pub bandwidth_kbit: f64,
    /// Nothing passes
    #[arg(long)]
    pub cut: bool,
}

/// A number of the conditions.
struct Field {
    name: &'static str,
    max: f64,
    of: fn(&mut Conditions) -> &mut f64,
}

const CUT: &str = "cut";

const FIELDS: [Field; 6] = [
    Field { name: "delay_ms", max: 10_000.0, of: |it| &mut it.delay_ms },
    Field { name: "jitter_ms", max: 10_000.0, of: |it| &mut it.jitter_ms },
    Field { name: "loss_percent", max: 100.0, of: |it| &mut it.loss_percent },
    Field { name: "reorder_percent", max: 100.0, of: |it| &mut it.reorder_percent },
    Field { name: "duplicate_percent", max: 100.0, of: |it| &mut it.duplicate_percent },
    Field { name: "bandwidth_kbit", max: 10_000_000.0, of: |it| &mut it.bandwidth_kbit },
];

/// Why something cannot be the conditions, in a sentence that names the field.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Invalid {
    /// A field has a value that it cannot have.
    #[error("{field}: {value} is not a number from 0 to {max}")]
    Number {
        /// The field.
        field: &'static str,
        /// What was given.
        value: String,
        /// The highest that is taken.
        max: String,
    },
    /// `cut` is neither true nor false.
    #[error("{CUT}: {0} is neither true nor false")]
    Cut(String),
    /// There is no such field.
    #[error("there is no field {0:?}; there are {known}", known = known())]
    Unknown(String),
    /// It is not a JSON object.
    #[error("want a JSON object with some of the fields {known}", known = known())]
    NoObject,
}

impl Conditions {
    /// These conditions with the fields that an object names.
    ///
    /// # Errors
    /// [`Invalid`] names the first field that is wrong; nothing is changed then.
    pub fn changed(mut self, json: &Value) -> Result<Self, Invalid> {
        for (name, value) in json.as_object().ok_or(Invalid::NoObject)? {
            if name == CUT {
                self.cut = value.as_bool().ok_or_else(|| Invalid::Cut(value.to_string()))?;
                continue;
            }
            let field = FIELDS.iter().find(|field| field.name == name);
            let field = field.ok_or_else(|| Invalid::Unknown(name.clone()))?;
            let number = value.as_f64().ok_or_else(|| field.invalid(value))?;
            *(field.of)(&mut self) = number;
        }
        self.checked()
    }

    /// The conditions, if all are within their ranges.
    ///
    /// # Errors
    /// [`Invalid`] names the first field that is not.
    pub fn checked(mut self) -> Result<Self, Invalid> {
        for field in &FIELDS {
            let number = *(field.of)(&mut self);
            if !(0.0..=field.max).contains(&number) {
                return Err(field.invalid(number));
            }
        }
        Ok(self)
    }

    /// The delay without jitter.
    #[must_use]
    pub fn delay(&self) -> Duration {
        milliseconds(self.delay_ms)
    }
}

impl Field {
    fn invalid(&self, value: impl ToString) -> Invalid {
        Invalid::Number { field: self.name, value: value.to_string(), max: self.max.to_string() }
    }
}

/// A time, none if it is below zero.
pub(crate) fn milliseconds(ms: f64) -> Duration {
    Duration::try_from_secs_f64(ms.max(0.0) / 1e3).unwrap_or(Duration::ZERO)
}

fn known() -> String {
    let names: Vec<_> = FIELDS.iter().map(|field| field.name).chain([CUT]).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_named_stays() {
        let before = Conditions { delay_ms: 40.0, loss_percent: 0.5, ..Conditions::default() };
        let after = before.changed(&json!({"delay_ms": 150, "cut": true})).unwrap();
        assert_eq!(after, Conditions { delay_ms: 150.0, cut: true, ..before });
        assert_eq!(before.changed(&json!({})), Ok(before));
    }

    #[test]
    fn every_field_that_is_shown_can_be_set() {
        let shown = serde_json::to_value(Conditions::default()).unwrap();
        assert_eq!(
            Conditions { delay_ms: 1.0, ..Conditions::default() }.changed(&shown).unwrap().delay_ms,
            0.0
        );
        assert_eq!(shown.as_object().unwrap().len(), FIELDS.len() + 1);
    }

    #[test]
    fn a_wrong_value_is_refused_in_words() {
        let said = |json| Conditions::default().changed(&json).unwrap_err().to_string();
        let range = "delay_ms: 10001 is not a number from 0 to 10000";
        assert_eq!(said(json!({"delay_ms": 10_001})), range);
        assert_eq!(said(json!({"loss_percent": -1})), "loss_percent: -1 is not a number from 0 to 100");
        assert_eq!(said(json!({"loss_percent": "5"})), "loss_percent: \"5\" is not a number from 0 to 100");
        assert_eq!(said(json!({"cut": 1})), "cut: 1 is neither true nor false");
        let fields =
            "delay_ms, jitter_ms, loss_percent, reorder_percent, duplicate_percent, bandwidth_kbit, cut";
        assert_eq!(said(json!({"delay": 1})), format!("there is no field \"delay\"; there are {fields}"));
        assert_eq!(said(json!([])), format!("want a JSON object with some of the fields {fields}"));
        let nan = Conditions { jitter_ms: f64::NAN, ..Conditions::default() };
        assert!(nan.checked().is_err());
    }
}

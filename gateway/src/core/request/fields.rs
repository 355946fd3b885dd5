//! Typed reading of JSON fields; `null` counts as absent, as in OpenAI's API.

use serde_json::{Map, Value};

use super::Refusal;

/// The fields of an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(super) const fn new(map: &'a Map<String, Value>) -> Self {
        Self(map)
    }

    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(self, name: &str) -> Result<Option<&'a str>, Refusal> {
        self.read(name, "a string", Value::as_str)
    }

    pub(super) fn boolean(self, name: &str) -> Result<Option<bool>, Refusal> {
        self.read(name, "a boolean", Value::as_bool)
    }

    pub(super) fn signed(self, name: &str) -> Result<Option<i64>, Refusal> {
        self.read(name, "an integer of 64 bits", Value::as_i64)
    }

    pub(super) fn integer(self, name: &str, least: u64, most: u64) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.read(name, "an integer", Value::as_i64)? else { return Ok(None) };
        match u64::try_from(value) {
            Ok(value) if value > most => {
                Err(out_of_range(name, &value, "integer_above_max_value", "<=", &most))
            }
            Ok(value) if value >= least => Ok(Some(value)),
            _ => Err(out_of_range(name, &value, "integer_below_min_value", ">=", &least)),
        }
    }

    pub(super) fn number(self, name: &str, least: f64, most: f64) -> Result<Option<f64>, Refusal> {
        let Some(value) = self.read(name, "a number", Value::as_f64)? else { return Ok(None) };
        if value > most {
            Err(out_of_range(name, &value, "decimal_above_max_value", "<=", &most))
        } else if value < least {
            Err(out_of_range(name, &value, "decimal_below_min_value", ">=", &least))
        } else {
            Ok(Some(value))
        }
    }

    fn read<T>(
        self,
        name: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let wrong = || Refusal::wrong_type(name, expected);
        self.get(name).map(|value| read(value).ok_or_else(wrong)).transpose()
    }
}

fn out_of_range<T: std::fmt::Display>(
    name: &str,
    value: &impl std::fmt::Display,
    code: &'static str,
    relation: &str,
    bound: &T,
) -> Refusal {
    let message = format!("Invalid '{name}': expected a value {relation} {bound}, but got {value} instead.");
    Refusal::new(Some(name), code, message)
}

//! Changing one parameter by name, as a vote does.

use super::{Params, ParamsError};

/// Why a parameter cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// No such parameter.
    #[error("there is no parameter of this name")]
    Unknown,
    /// Fixed at genesis.
    #[error("it is fixed at genesis")]
    Fixed,
    /// Not a value of its type.
    #[error("the value is none for it: {reason}")]
    Value {
        /// What is wrong.
        reason: String,
    },
    /// No chain can run with it.
    #[error(transparent)]
    Bounds(#[from] ParamsError),
}

/// Parameters that never change: heights of epochs and of validator sets must follow from genesis, the largest supply is
/// a promise, and records are forgotten one by one.
pub const FIXED: [&str; 3] = ["tempo_blocks", "max_supply", "epoch_records"];

impl Params {
    /// The same with one parameter changed; `value` as in a genesis document, amounts as digits without quotes.
    pub fn with(&self, name: &str, value: &str) -> Result<Self, ChangeError> {
        if FIXED.contains(&name) {
            return Err(ChangeError::Fixed);
        }
        let wrong = |error: serde_json::Error| ChangeError::Value { reason: error.to_string() };
        let mut all = serde_json::to_value(self).map_err(wrong)?;
        let place = all.get_mut(name).ok_or(ChangeError::Unknown)?;
        *place = if place.is_string() {
            serde_json::Value::String(value.to_owned())
        } else {
            serde_json::from_str(value).map_err(wrong)?
        };
        let changed: Self = serde_json::from_value(all).map_err(wrong)?;
        changed.check()?;
        Ok(changed)
    }
}

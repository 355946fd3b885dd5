//! Why a message from the wire is refused.

/// A message that the domain cannot hold.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("field `{field}`: {reason}")]
pub struct WireError {
    /// The field, with its path.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

impl WireError {
    pub(crate) fn new(field: &'static str, reason: impl ToString) -> Self {
        Self { field, reason: reason.to_string() }
    }

    pub(crate) fn missing(field: &'static str) -> Self {
        Self::new(field, "is missing")
    }
}

impl From<WireError> for tonic::Status {
    fn from(error: WireError) -> Self {
        Self::invalid_argument(error.to_string())
    }
}

/// Reads exactly `N` bytes.
pub(crate) fn bytes<const N: usize>(field: &'static str, value: &[u8]) -> Result<[u8; N], WireError> {
    value.try_into().map_err(|_| WireError::new(field, format!("has {} bytes, expected {N}", value.len())))
}

//! Why a request is refused: OpenAI's words where it has some.

/// A request that cannot be answered as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// For a person: what to change.
    pub message: String,
    /// The parameter, if one is to blame.
    pub param: Option<String>,
    /// For a program.
    pub code: &'static str,
}

/// Code of a refusal because of an unknown model: the one that is a 404.
const MODEL_NOT_FOUND: &str = "model_not_found";

impl Refusal {
    /// Any refusal.
    pub fn new(param: Option<&str>, code: &'static str, message: impl Into<String>) -> Self {
        Self { message: message.into(), param: param.map(str::to_owned), code }
    }

    /// Another model than the one there is.
    #[must_use]
    pub fn no_model(asked: &str, served: &str) -> Self {
        let asked: String = asked.chars().take(100).collect();
        let message = format!("The model `{asked}` does not exist here, `{served}` does.");
        Self::new(Some("model"), MODEL_NOT_FOUND, message)
    }

    /// True if the model is to blame.
    #[must_use]
    pub fn is_no_model(&self) -> bool {
        self.code == MODEL_NOT_FOUND
    }

    pub(super) fn wrong_type(param: &str, expected: &str) -> Self {
        Self::new(Some(param), "invalid_type", format!("Invalid type for '{param}': expected {expected}."))
    }

    pub(super) fn missing(param: &str) -> Self {
        let message = format!("Missing required parameter: '{param}'.");
        Self::new(Some(param), "missing_required_parameter", message)
    }

    pub(super) fn unrecognized(param: &str) -> Self {
        let param: String = param.chars().take(100).collect();
        let message = format!("Unrecognized request argument supplied: {param}");
        Self::new(Some(&param), "unrecognized_argument", message)
    }

    pub(super) fn unsupported(param: &str, instead: &str) -> Self {
        let message = format!("Unsupported parameter: '{param}' is not available here, {instead}.");
        Self::new(Some(param), "unsupported_parameter", message)
    }
}

//! Text to token ids and back, as the served model does it.

use crate::engine::Engine;
use crate::refusal::Refusal;

/// Name of the tokenizer whose ids are bytes.
const BYTES: &str = "bytes";

/// A model's way with text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    /// Id = byte.
    Bytes,
}

impl Text {
    /// The one of this model.
    pub(crate) fn of(engine: &Engine) -> Result<Self, Refusal> {
        match engine.info().tokenizer.as_str() {
            BYTES => Ok(Self::Bytes),
            other => Err(Refusal::Unsupported(format!(
                "this miner cannot use the tokenizer `{other}` of its model: send token ids"
            ))),
        }
    }

    pub(crate) fn encode(self, text: &str) -> Vec<u32> {
        match self {
            Self::Bytes => text.bytes().map(u32::from).collect(),
        }
    }

    /// The bytes of these tokens, which may end inside of a character.
    pub(crate) fn decode(self, ids: &[u32]) -> Vec<u8> {
        match self {
            Self::Bytes => ids.iter().filter_map(|id| u8::try_from(*id).ok()).collect(),
        }
    }
}

//! Text to token ids and back, as the served model does it.

use std::sync::Arc;

use acumen_models::Tokenizer;

use crate::engine::Engine;
use crate::refusal::Refusal;

/// A model's way with text.
#[derive(Clone, Debug)]
pub(crate) struct Text(Arc<Tokenizer>);

impl Text {
    /// The one of this model.
    pub(crate) fn of(engine: &Engine) -> Result<Self, Refusal> {
        let tokenizer = engine.tokenizer().cloned();
        tokenizer.map(Self).ok_or_else(|| {
            let kind = &engine.info().tokenizer;
            Refusal::Unsupported(format!(
                "this miner has no tokenizer (`{kind}`) for its model: send token ids"
            ))
        })
    }

    /// Whether a text of so many bytes is encoded in well under a millisecond.
    pub(crate) const fn is_short(bytes: usize) -> bool {
        bytes <= INLINE_BYTES
    }

    /// The ids that the model reads for this text, with the tokens that it is used to at a text's beginning: without them it
    /// answers with other numbers (docs/spec/stream.md, G-7).
    ///
    /// Encoding takes time that grows with the text: not on a thread of the runtime where it is long.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, Refusal> {
        let encode = || self.0.encode(text, true);
        let ids = if !Self::is_short(text.len()) && on_threads() {
            tokio::task::block_in_place(encode)
        } else {
            encode()
        };
        ids.map_err(|error| Refusal::Text(error.to_string()))
    }

    /// The bytes of these tokens, which may end inside of a character.
    pub(crate) fn decode(&self, ids: &[u32]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ids.len());
        for id in ids {
            match self.0.bytes(*id) {
                Some(known) => bytes.extend_from_slice(known),
                // A token whose text depends on its neighbours: what it is on its own.
                None => bytes.extend(self.0.decode(&[*id], true).unwrap_or_default().into_bytes()),
            }
        }
        bytes
    }

    /// Tokens after which a text ends.
    pub(crate) fn end_tokens(&self) -> Vec<u32> {
        self.0.end_tokens().to_vec()
    }
}

/// Texts up to this length are encoded in well under a millisecond.
const INLINE_BYTES: usize = 1 << 12;

/// Whether other threads can take over the runtime's work meanwhile.
fn on_threads() -> bool {
    let flavor = tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor());
    matches!(flavor, Ok(tokio::runtime::RuntimeFlavor::MultiThread))
}

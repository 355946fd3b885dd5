//! The calls with one answer.

use acumen_proto::{DETOKENIZE_PATH, EMBED_PATH, TOKENIZE_PATH, WireError, inference_v1 as wire};

use crate::call::proven;
use crate::{ClientError, MinerClient};

impl MinerClient {
    /// Token ids of a text, by the miner's tokenizer.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn tokenize(&self, text: String) -> Result<Vec<u32>, ClientError> {
        let call = self.call(TOKENIZE_PATH);
        let mut inner = self.inner.clone();
        let (request, transcript) = self.signed(&call, wire::TokenizeRequest { text });
        let asked = async { proven(self.miner, transcript, inner.tokenize(request).await).await };
        Ok(self.first(&call, asked).await?.ids)
    }

    /// The bytes of these tokens.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn detokenize(&self, ids: Vec<u32>) -> Result<Vec<u8>, ClientError> {
        let call = self.call(DETOKENIZE_PATH);
        let mut inner = self.inner.clone();
        let (request, transcript) = self.signed(&call, wire::DetokenizeRequest { ids });
        let asked = async { proven(self.miner, transcript, inner.detokenize(request).await).await };
        Ok(self.first(&call, asked).await?.text)
    }

    /// One vector per text.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Malformed`] if there are not as many vectors as texts.
    pub async fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, ClientError> {
        let call = self.call(EMBED_PATH);
        let mut inner = self.inner.clone();
        let expected = texts.len();
        let (request, transcript) = self.signed(&call, wire::EmbedRequest { texts });
        let asked = async { proven(self.miner, transcript, inner.embed(request).await).await };
        let answer = self.first(&call, asked).await?;
        let found = answer.embeddings.len();
        if found != expected {
            let reason = format!("has {found} vectors for {expected} texts");
            return Err(WireError { field: "response.embeddings", reason }.into());
        }
        Ok(answer.embeddings.into_iter().map(|embedding| embedding.values).collect())
    }
}

//! Text encoders: one vector for a text, for search and comparison.
//!
//! BERT and its distillations (MiniLM) in a Hugging Face folder, pooled, projected and normalised as the files of
//! sentence-transformers beside it say (`modules`); without them a vector is the mean over the tokens, of unit length.
//! Invariant: a text's vector does not depend on the other texts of its batch beyond floating-point noise (padding is
//! hidden from attention and left out of the pooling).

mod bert;
mod describe;
mod modules;
mod pooling;
mod text;

#[cfg(test)]
mod tests;

use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::arch::{self, config};
use crate::torch::{dim, size};
use crate::weights::safetensors::SafeTensorsSource;
use crate::weights::{Builder, Target};
use crate::{Dtype, LoadOptions, ModelError, Token, Tokenizer, files};
use bert::Bert;
pub(crate) use describe::describe;
use modules::{Modules, Step};
use pooling::Pooling;
use text::TextRules;

/// Largest `config.json` to read.
const MAX_CONFIG_BYTES: u64 = 4 << 20;
/// Tokens in one pass: bounds its activations.
const TOKENS_PER_PASS: usize = 8192;

/// An encoder with its weights. Belongs to the thread that loaded it.
#[derive(Debug)]
pub struct Encoder {
    network: Bert,
    pooling: Pooling,
    steps: Vec<Step>,
    width: usize,
    rules: TextRules,
    tokenizer: Option<Tokenizer>,
    name: String,
}

impl Encoder {
    /// Whether a folder holds an encoder, by the `config.json` of its network.
    #[must_use]
    pub fn is_encoder(folder: &Path) -> bool {
        let Ok(modules) = Modules::read(folder) else { return false };
        let path = modules.network.join("config.json");
        let config =
            files::read(&path, MAX_CONFIG_BYTES).ok().and_then(|text| serde_json::from_slice(&text).ok());
        config
            .and_then(|config: Value| arch::model_type(&path, &config).ok())
            .is_some_and(|kind| kind == "bert")
    }

    /// Loads a folder. Computes in f32, or in bf16 where the options ask for it.
    ///
    /// # Errors
    /// What is wrong with the folder, by file, field or tensor.
    pub fn load(folder: &Path, options: &LoadOptions) -> Result<Self, ModelError> {
        crate::torch::prepare(options.threads);
        let modules = Modules::read(folder)?;
        let path = modules.network.join("config.json");
        let text = files::read(&path, MAX_CONFIG_BYTES)?;
        let parsed: Value =
            serde_json::from_slice(&text).map_err(|error| files::corrupt(&path, error.to_string()))?;
        let kind = arch::model_type(&path, &parsed)?;
        if kind != "bert" {
            return Err(config::unsupported(&path, "model_type", &kind, "bert (as an encoder)"));
        }
        let dtype = if options.dtype == Dtype::Bf16 { Dtype::Bf16 } else { Dtype::F32 };
        let mut source = SafeTensorsSource::open(&modules.network, options.max_file_bytes)?;
        let target = Target::new(dtype, Device::Cpu);
        let _guard = tch::no_grad_guard();
        let network = bert::build(&path, &parsed, Builder::new(&mut source, target))?;
        let pooling = modules.pooling()?;
        // What follows has few weights and is computed in f32.
        let after = Target::new(Dtype::F32, Device::Cpu);
        let (steps, width) = modules.steps(pooling.width(network.width()), after, options.max_file_bytes)?;
        let has_tokenizer = modules.network.join("tokenizer.json").exists();
        let tokenizer = has_tokenizer.then(|| Tokenizer::from_folder(&modules.network)).transpose()?;
        let rules = TextRules::read(folder, &modules.network)?;
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { network, pooling, steps, width, rules, tokenizer, name })
    }

    /// Name of its folder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Numbers in a vector.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Most tokens that a text may have; what is longer is cut at the end.
    #[must_use]
    pub fn context(&self) -> usize {
        self.rules.most_tokens.unwrap_or(usize::MAX).min(self.network.positions())
    }

    /// How text becomes tokens, where the folder says so.
    #[must_use]
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        self.tokenizer.as_ref()
    }

    /// One vector a text.
    ///
    /// # Errors
    /// A folder without `tokenizer.json`, a text that is too long to encode, or a failure of the engine.
    pub fn embed_texts(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.embed(&self.tokens(texts)?)
    }

    /// The tokens of texts as [`Encoder::embed`] takes them: special ones included, cut to [`Encoder::context`].
    ///
    /// # Errors
    /// A folder without `tokenizer.json`, or a text that is too long to encode.
    pub fn tokens(&self, texts: &[&str]) -> Result<Vec<Vec<Token>>, ModelError> {
        let Some(tokenizer) = &self.tokenizer else {
            let reason = "this encoder came without tokenizer.json; give tokens".into();
            return Err(ModelError::Config { field: "text", reason });
        };
        let encode = |text: &&str| {
            let mut tokens = tokenizer
                .encode(&self.rules.apply(text), true)
                .map_err(|error| ModelError::Config { field: "text", reason: error.to_string() })?;
            // A token that ends every text stays at its end.
            if let Some(last) = tokens.last().copied().filter(|_| tokens.len() > self.context()) {
                tokens.truncate(self.context());
                if let Some(kept) = tokens.last_mut().filter(|_| tokenizer.is_special(last)) {
                    *kept = last;
                }
            }
            Ok(tokens)
        };
        texts.iter().map(encode).collect()
    }

    /// One vector for each text of tokens, special ones included.
    ///
    /// # Errors
    /// An empty text, one beyond [`Encoder::context`], a token outside the vocabulary, or a failure of the engine.
    pub fn embed(&self, texts: &[Vec<Token>]) -> Result<Vec<Vec<f32>>, ModelError> {
        self.check(texts)?;
        let _guard = tch::no_grad_guard();
        let mut order: Vec<usize> = (0..texts.len()).collect();
        // Like lengths together, so that little is padding.
        order.sort_by_key(|index| texts[*index].len());
        let mut vectors = vec![Vec::new(); texts.len()];
        let mut rest = order.as_slice();
        while let Some(longest) = rest.last().map(|index| texts[*index].len()) {
            let (before, group) =
                rest.split_at(rest.len().saturating_sub((TOKENS_PER_PASS / longest).max(1)));
            let rows: Vec<&[Token]> = group.iter().map(|index| texts[*index].as_slice()).collect();
            for (index, vector) in group.iter().zip(self.pass(&rows, longest)?) {
                vectors[*index] = vector;
            }
            rest = before;
        }
        Ok(vectors)
    }

    fn check(&self, texts: &[Vec<Token>]) -> Result<(), ModelError> {
        let (most, vocab) = (self.context(), self.network.vocab());
        for text in texts {
            if text.is_empty() || text.len() > most {
                let reason = format!("a text of {} tokens; between 1 and {most} can be encoded", text.len());
                return Err(ModelError::Config { field: "tokens", reason });
            }
            if let Some(token) = text.iter().find(|token| **token as usize >= vocab) {
                return Err(ModelError::Token {
                    token: *token,
                    vocab: u32::try_from(vocab).unwrap_or(u32::MAX),
                });
            }
        }
        Ok(())
    }

    fn pass(&self, rows: &[&[Token]], longest: usize) -> Result<Vec<Vec<f32>>, ModelError> {
        let ids = crate::torch::ids(rows, longest)?;
        let lengths: Vec<i64> = rows.iter().map(|row| dim(row.len())).collect();
        let lengths = Tensor::f_from_slice(&lengths)?.f_unsqueeze(1)?;
        let real = Tensor::f_arange(dim(longest), (Kind::Int64, Device::Cpu))?.f_lt_tensor(&lengths)?;
        let hidden = self.network.hidden(&ids, &real)?.f_to_kind(Kind::Float)?;
        let mut vectors = self.pooling.apply(&hidden, &real.f_to_kind(Kind::Float)?)?;
        for step in &self.steps {
            vectors = step.apply(&vectors)?;
        }
        let width = size(vectors.size2()?.1);
        let mut flat = vec![0f32; rows.len() * width];
        let count = flat.len();
        vectors.f_contiguous()?.f_view([dim(count)])?.f_copy_data(&mut flat, count)?;
        if flat.iter().any(|value| !value.is_finite()) {
            return Err(ModelError::Engine("the encoder answered with NaN".into()));
        }
        Ok(flat.chunks(width.max(1)).map(<[f32]>::to_vec).collect())
    }
}

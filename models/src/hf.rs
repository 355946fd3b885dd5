//! Hugging Face folders: `config.json`, `*.safetensors` and, for text, `tokenizer.json`.

use std::path::Path;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use serde_json::Value;

use crate::arch::{self, Decoder};
use crate::engine::{DecoderModel, Engine, longest_text};
use crate::options::Device;
use crate::quant::{Stored, memory_allows_copy};
use crate::weights::safetensors::SafeTensorsSource;
use crate::weights::{Builder, Target, WeightSource};
use crate::{Dtype, LoadOptions, ModelError, ModelInfo, Token, files};

/// Largest `config.json` and `generation_config.json` to read.
const MAX_CONFIG_BYTES: u64 = 4 << 20;
/// Memory of a cache whose size nobody chose.
const CACHE_BYTES: usize = 1 << 30;
/// Most tokens of such a cache: small networks need no more.
const MOST_CACHE_TOKENS: usize = 1 << 16;

/// Loads a folder.
pub(crate) fn load(folder: &Path, options: &LoadOptions) -> Result<DecoderModel, ModelError> {
    let path = folder.join("config.json");
    let text = files::read(&path, MAX_CONFIG_BYTES)?;
    let config = json(&path, &text)?;
    arch::check_known(&path, &config)?;
    check_plain(&path, &config)?;
    let mut source = SafeTensorsSource::open(folder, options.max_file_bytes)?;
    let digest = digest(std::iter::once(text.as_slice()).chain(source.files()));
    let mut parts = Parts {
        path: &path,
        name: folder_name(folder),
        format: "safetensors",
        tokenizer: if folder.join("tokenizer.json").exists() { "tokenizer.json" } else { "none" },
        config: &config,
        generation: generation(folder)?,
        digest,
        source: &mut source,
    };
    parts.load(options)
}

/// Refuses weights that another library packed: their tensors have other names and types.
fn check_plain(path: &Path, config: &Value) -> Result<(), ModelError> {
    let method = |packed: &Value| packed.get("quant_method").and_then(Value::as_str).map(str::to_owned);
    match config.get("quantization_config").filter(|packed| !packed.is_null()) {
        None => Ok(()),
        Some(packed) => {
            let found = method(packed).unwrap_or_else(|| "set".into());
            let known = "none: weights in F32, F16 or BF16 (a GGUF file may be quantised)";
            Err(arch::config::unsupported(path, "quantization_config", &found, known))
        }
    }
}

/// What a model is put together from, whatever the format.
pub(crate) struct Parts<'a> {
    /// File to blame for the configuration.
    pub(crate) path: &'a Path,
    pub(crate) name: String,
    pub(crate) format: &'static str,
    pub(crate) tokenizer: &'static str,
    /// The contents of `config.json`, or what stands for it.
    pub(crate) config: &'a Value,
    /// The contents of `generation_config.json`, or null.
    pub(crate) generation: Value,
    pub(crate) digest: [u8; 32],
    pub(crate) source: &'a mut dyn WeightSource,
}

impl Parts<'_> {
    /// Builds the network and its engine.
    pub(crate) fn load(&mut self, options: &LoadOptions) -> Result<DecoderModel, ModelError> {
        let device = device(options.device)?;
        let target = self.target(options, device)?;
        let _guard = tch::no_grad_guard();
        let network = arch::build(self.path, self.config, Builder::new(self.source, target))?;
        let shape = network.shape();
        let tokens = cache_tokens(network.as_ref(), options, target)?;
        let context = shape.context.min(longest_text(tokens));
        let info = ModelInfo {
            name: self.name.clone(),
            architecture: arch::model_type(self.path, self.config)?,
            format: self.format.into(),
            parameters: network.parameters(),
            vocab: u32::try_from(shape.vocab).unwrap_or(u32::MAX),
            context,
            digest: self.digest,
            tokenizer: self.tokenizer.into(),
        };
        let stops = self.tokens("eos_token_id", info.vocab);
        let begins = self.tokens("bos_token_id", info.vocab);
        let begin = begins.first().or_else(|| stops.first()).copied().unwrap_or(0);
        let engine = Engine::new(network, tokens, target.kind, target.device)?;
        Ok(DecoderModel::new(info, begin, stops, engine))
    }

    /// The number format, chosen where it is left open, and whether packed layers keep dense copies.
    fn target(&self, options: &LoadOptions, device: tch::Device) -> Result<Target, ModelError> {
        let stored = Stored::of(&self.source.tensors());
        let dtype = match (options.dtype, options.device) {
            (Dtype::Auto, Device::Cpu) => stored.fastest()?,
            (Dtype::Auto, Device::Cuda(_)) => Dtype::Bf16,
            (dtype, _) => dtype,
        };
        tracing::info!(model = self.name, %dtype, asked = %options.dtype, "number format");
        Ok(Target::new(dtype, device).with_dense_copy(memory_allows_copy(stored.values)))
    }

    /// A number or a list of them; the settings for generation go first, ids outside the vocabulary are dropped.
    fn tokens(&self, field: &str, vocab: u32) -> Vec<Token> {
        let given =
            self.generation.get(field).filter(|value| !value.is_null()).or_else(|| self.config.get(field));
        let list = match given {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_u64).collect(),
            Some(value) => value.as_u64().into_iter().collect::<Vec<u64>>(),
            None => Vec::new(),
        };
        list.into_iter().filter_map(|id| Token::try_from(id).ok()).filter(|id| *id < vocab).collect()
    }
}

/// libtorch's name of a device that is there.
fn device(device: Device) -> Result<tch::Device, ModelError> {
    match device {
        Device::Cpu => Ok(tch::Device::Cpu),
        Device::Cuda(number) if (number as i64) < tch::Cuda::device_count() => Ok(tch::Device::Cuda(number)),
        Device::Cuda(_) => Err(ModelError::Config {
            field: "device",
            reason: format!(
                "{device} is not there ({} CUDA devices); a build against a CUDA libtorch is needed: set LIBTORCH",
                tch::Cuda::device_count()
            ),
        }),
    }
}

/// Tokens that the cache holds. A window that does not fit it is cut.
fn cache_tokens(network: &dyn Decoder, options: &LoadOptions, target: Target) -> Result<usize, ModelError> {
    let shape = network.shape();
    let bytes = shape.cache_width * shape.windows.len() * target.kind.elt_size_in_bytes();
    let tokens = options.cache_tokens.unwrap_or_else(|| (CACHE_BYTES / bytes).min(MOST_CACHE_TOKENS));
    if tokens < 64 {
        let reason = format!("{tokens} tokens of {bytes} bytes each; at least 64 are needed");
        return Err(ModelError::Config { field: "cache_tokens", reason });
    }
    Ok(tokens)
}

/// blake2b-256 of what a model is read from.
pub(crate) fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hash = Blake2b::<U32>::new();
    parts.for_each(|part| hash.update(part));
    hash.finalize().into()
}

fn folder_name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    whole.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn json(path: &Path, text: &[u8]) -> Result<Value, ModelError> {
    serde_json::from_slice(text).map_err(|error| files::corrupt(path, error.to_string()))
}

fn generation(folder: &Path) -> Result<Value, ModelError> {
    let path = folder.join("generation_config.json");
    if !path.exists() {
        return Ok(Value::Null);
    }
    json(&path, &files::read(&path, MAX_CONFIG_BYTES)?)
}

#[cfg(test)]
mod tests;

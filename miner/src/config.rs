//! What an operator can set. Times are milliseconds, amounts are texts in ACU (`"1000"`, `"0.5"`).
//!
//! [`Config::check`] refuses what cannot work, naming the field; relative paths are relative to the file's folder
//! ([`Config::resolve_paths`]).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use acumen_models::{Device, Dtype, LoadOptions};
use acumen_proto::inference::MAX_DOCUMENTS;
use acumen_protocol::call::Endpoint;
use acumen_protocol::{AccountId, Hash, Nacu};
use serde::{Deserialize, Serialize};

pub use crate::encoder::EncoderConfig;
pub use crate::kserve::config::{KserveConfig, KserveModel, TensorConfig};
pub use crate::tls::TlsConfig;
pub use crate::upstream::config::{Tokens, UpstreamConfig};

/// Configuration of one miner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port to serve on, `0.0.0.0:8091` for all interfaces.
    pub listen: SocketAddr,
    /// Where others reach it, as published on the chain: `http://HOST:PORT`.
    pub public_url: String,
    /// Address and port of `/metrics`, `/livez` and `/readyz`; none of them is served without it.
    #[serde(default)]
    pub metrics_listen: Option<SocketAddr>,
    /// Folder of what must survive a restart: the used nonces.
    pub data_dir: PathBuf,
    /// The track that it serves.
    #[serde(default)]
    pub track: u16,
    /// Nodes to read the chain from and send to: `http://HOST:PORT`, tried in order.
    pub nodes: Vec<String>,
    /// Hash of the genesis header (`0x…`); a node of another chain is then refused.
    #[serde(default)]
    pub genesis: Option<String>,
    /// How often stakes and the own registration are read from the chain.
    #[serde(default = "defaults::chain_refresh_ms")]
    pub chain_refresh_ms: u64,
    /// What it serves.
    pub model: ModelConfig,
    /// A text encoder for `Embed`.
    #[serde(default)]
    pub encoder: Option<EncoderConfig>,
    /// TLS; `public_url` is then https.
    #[serde(default)]
    pub tls: Option<TlsConfig>,
    /// TorchScript modules over KServe v2, unsigned, on an address of their own.
    #[serde(default)]
    pub kserve: Option<KserveConfig>,
    /// Who may ask.
    #[serde(default)]
    pub access: AccessConfig,
    /// How much at once.
    #[serde(default)]
    pub limits: Limits,
}

/// The model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// File or folder of any format that the engine reads.
    #[serde(default)]
    pub path: PathBuf,
    /// Another server that runs the model, instead of `path`.
    #[serde(default)]
    pub upstream: Option<UpstreamConfig>,
    /// Name to report instead of the one in the file.
    #[serde(default)]
    pub name: Option<String>,
    /// Threads inside one operation of libtorch.
    #[serde(default = "defaults::threads")]
    pub threads: usize,
    /// How the weights are held: `auto`, `f32`, `bf16`, `int8` or `int4`.
    #[serde(default)]
    pub dtype: Dtype,
    /// Where the model runs: `cpu`, or `cuda:0`.
    #[serde(default)]
    pub device: Device,
    /// Tokens whose keys and values the cache holds; by default what one GiB holds.
    #[serde(default)]
    pub cache_tokens: Option<usize>,
    /// Answer byte by byte whatever the model's vocabulary is, as track 0 wants it.
    #[serde(default)]
    pub bytes: bool,
    /// How often to look whether the model's files have changed, and load it again if so; 0: only at SIGHUP.
    #[serde(default)]
    pub watch_ms: u64,
    /// A model from which nothing has come back for so long while somebody waits is replaced; 0: never.
    #[serde(default = "defaults::hang_timeout_ms")]
    pub hang_timeout_ms: u64,
}

impl ModelConfig {
    /// A model of this path, everything else by default.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            upstream: None,
            name: None,
            threads: defaults::threads(),
            dtype: Dtype::default(),
            device: Device::default(),
            cache_tokens: None,
            bytes: false,
            watch_ms: 0,
            hang_timeout_ms: defaults::hang_timeout_ms(),
        }
    }

    /// How the engine is to load it.
    #[must_use]
    pub fn load_options(&self) -> LoadOptions {
        LoadOptions {
            threads: Some(self.threads),
            dtype: self.dtype,
            device: self.device,
            cache_tokens: self.cache_tokens,
            bytes: self.bytes,
            ..LoadOptions::default()
        }
    }

    /// The name in `/metrics`: the configured one, else the file's.
    #[must_use]
    pub fn served_name(&self) -> String {
        if let (None, Some(upstream)) = (&self.name, &self.upstream) {
            return upstream.model.clone();
        }
        let of_file = || self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        self.name.clone().unwrap_or_else(of_file)
    }
}

/// Who may ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccessConfig {
    /// Least stake of a sender's hotkey in ACU. `"0"` lets everybody in.
    pub min_stake: String,
    /// Hotkeys that may ask whatever their stake.
    pub allow: Vec<AccountId>,
}

impl Default for AccessConfig {
    /// One ACU: enough to make a throw-away identity cost something.
    fn default() -> Self {
        Self { min_stake: "1".to_owned(), allow: Vec::new() }
    }
}

/// How much at once. Everything above a limit is refused, never queued without bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Documents in one stream.
    pub max_documents: usize,
    /// Tokens of one document's context.
    pub max_context_tokens: usize,
    /// Streams at once.
    pub max_streams: usize,
    /// Streams at once of one hotkey.
    pub max_streams_per_hotkey: usize,
    /// Tokens that may wait for the model.
    pub queue_tokens: usize,
    /// Requests that may wait for the model.
    pub queue_requests: usize,
    /// Requests of one hotkey that may wait for the model.
    pub queue_requests_per_hotkey: usize,
    /// Tokens of contexts that are with the model at once; the others wait in the order of stake.
    pub prefill_tokens: usize,
    /// The longest wait that a request is let into the queue for.
    pub max_wait_ms: u64,
    /// Bytes of one text to tokenize.
    pub max_text_bytes: usize,
    /// Tokens of one generation.
    pub max_new_tokens: u32,
    /// Positions that the sessions of all streams may hold (documents times the model's window).
    pub session_tokens: usize,
    /// Streams that a hotkey may open per second, whatever its stake.
    pub opens_per_second: f64,
    /// The same, more per 1,000 ACU of stake.
    pub opens_per_second_per_kacu: f64,
    /// How many seconds' worth of openings may come at once.
    pub burst_seconds: f64,
    /// The pause asked of a sender that met a full queue.
    pub retry_after_ms: u64,
    /// How long the first message of a stream may take.
    pub opening_timeout_ms: u64,
    /// How long a stream may wait for the sender's next step.
    pub idle_timeout_ms: u64,
    /// How long running streams may go on after the order to stop.
    pub drain_timeout_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_documents: MAX_DOCUMENTS,
            max_context_tokens: 4_096,
            max_streams: 256,
            max_streams_per_hotkey: 32,
            queue_tokens: 1 << 20,
            queue_requests: 1_024,
            queue_requests_per_hotkey: 256,
            prefill_tokens: 8_192,
            max_wait_ms: 10_000,
            max_text_bytes: 1 << 18,
            max_new_tokens: 4_096,
            session_tokens: 1 << 20,
            opens_per_second: 10.0,
            opens_per_second_per_kacu: 1.0,
            burst_seconds: 4.0,
            retry_after_ms: 100,
            opening_timeout_ms: 5_000,
            idle_timeout_ms: 60_000,
            drain_timeout_ms: 20_000,
        }
    }
}

mod defaults {
    pub(super) const fn chain_refresh_ms() -> u64 {
        5_000
    }
    pub(super) const fn threads() -> usize {
        1
    }
    pub(super) const fn hang_timeout_ms() -> u64 {
        120_000
    }
}

/// A field that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {reason}")]
pub struct ConfigError {
    /// The field, with its path.
    pub field: &'static str,
    /// What is wrong, and what to write instead.
    pub reason: String,
}

fn refuse<T>(field: &'static str, reason: impl ToString) -> Result<T, ConfigError> {
    Err(ConfigError { field, reason: reason.to_string() })
}

impl Config {
    /// Makes relative paths relative to `base`, the folder of the file that this configuration came from.
    pub fn resolve_paths(&mut self, base: &Path) {
        for path in [&mut self.data_dir, &mut self.model.path] {
            *path = base.join(&*path);
        }
        if let Some(upstream) = &mut self.model.upstream {
            upstream.resolve_paths(base);
            self.model.path = PathBuf::new();
        }
        if let Some(encoder) = &mut self.encoder {
            encoder.path = base.join(&encoder.path);
        }
        if let Some(tls) = &mut self.tls {
            tls.resolve_paths(base);
        }
        if let Some(kserve) = &mut self.kserve {
            kserve.resolve_paths(base);
        }
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.endpoint(Hash::ZERO, self.tls.as_ref().map(|_| Hash::ZERO))?;
        self.tls.as_ref().map_or(Ok(()), TlsConfig::check)?;
        self.kserve.as_ref().map_or(Ok(()), |kserve| kserve.check(&self.model.path))?;
        self.genesis()?;
        self.min_stake()?;
        if self.nodes.is_empty() {
            return refuse("nodes", "name at least one node, such as \"http://127.0.0.1:9944\"");
        }
        match &self.model.upstream {
            Some(upstream) => upstream.check()?,
            None if self.model.path.as_os_str().is_empty() => {
                return refuse("model.path", "name the model's file, or an engine in [model.upstream]");
            }
            None => {}
        }
        self.limits.check()
    }

    /// The endpoint to publish for a model with this digest and a certificate with this hash.
    ///
    /// # Errors
    /// If `public_url` is none, or does not go with the certificate.
    pub fn endpoint(&self, model: Hash, certificate: Option<Hash>) -> Result<Endpoint, ConfigError> {
        match (self.public_url.starts_with("https://"), certificate) {
            (true, None) => {
                return refuse(
                    "public_url",
                    "add a table [tls], empty for a certificate of the miner's own, or write http://",
                );
            }
            (false, Some(_)) => {
                return refuse("public_url", "there is a table [tls]: write https://HOST:PORT");
            }
            _ => {}
        }
        Endpoint::new(&self.public_url, model, certificate).or_else(|error| refuse("public_url", error))
    }

    /// The genesis that a node must have.
    ///
    /// # Errors
    /// If it is no hash.
    pub fn genesis(&self) -> Result<Option<Hash>, ConfigError> {
        let parsed = self.genesis.as_deref().map(str::parse).transpose();
        parsed.or_else(|error| refuse("genesis", error))
    }

    /// The least stake of a sender.
    ///
    /// # Errors
    /// If it is no amount.
    pub fn min_stake(&self) -> Result<Nacu, ConfigError> {
        self.access.min_stake.parse().or_else(|error| refuse("access.min_stake", error))
    }
}

impl Limits {
    fn check(&self) -> Result<(), ConfigError> {
        if self.max_documents > MAX_DOCUMENTS {
            return refuse("limits.max_documents", format!("the protocol allows at most {MAX_DOCUMENTS}"));
        }
        let counts = [
            ("limits.max_documents", self.max_documents),
            ("limits.max_context_tokens", self.max_context_tokens),
            ("limits.max_streams", self.max_streams),
            ("limits.max_streams_per_hotkey", self.max_streams_per_hotkey),
            ("limits.queue_tokens", self.queue_tokens),
            ("limits.queue_requests", self.queue_requests),
            ("limits.queue_requests_per_hotkey", self.queue_requests_per_hotkey),
            ("limits.prefill_tokens", self.prefill_tokens),
            ("limits.max_text_bytes", self.max_text_bytes),
            ("limits.max_new_tokens", self.max_new_tokens as usize),
            ("limits.session_tokens", self.session_tokens),
        ];
        if let Some((field, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return refuse(field, "must be at least 1, or nothing could be asked");
        }
        let rates = [
            ("limits.opens_per_second", self.opens_per_second),
            ("limits.opens_per_second_per_kacu", self.opens_per_second_per_kacu),
            ("limits.burst_seconds", self.burst_seconds),
        ];
        match rates.into_iter().find(|(_, rate)| !rate.is_finite() || *rate < 0.0) {
            Some((field, rate)) => refuse(field, format!("{rate} is no rate: write a number from 0 on")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;

//! What an operator can set. Times are milliseconds, amounts are texts in ACU (`"1000"`, `"0.5"`).
//!
//! [`Config::check`] refuses what cannot work, naming the field; relative paths are relative to the file's folder
//! ([`Config::resolve_paths`]).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use acumen_models::{Device, Dtype, LoadOptions};
use acumen_protocol::call::Endpoint;
use acumen_protocol::{AccountId, Hash, Nacu};
use serde::{Deserialize, Serialize};

mod files;
mod limits;

pub use crate::encoder::EncoderConfig;
pub use crate::kserve::config::{KserveConfig, KserveModel, TensorConfig};
pub use crate::tls::TlsConfig;
pub use crate::upstream::config::{Tokens, UpstreamConfig};
pub use limits::Limits;

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
    /// Whether to publish a signed record of the endpoint at the nodes, too, every ten minutes and whenever it changes:
    /// readers look there if the endpoint on the chain does not lead here.
    #[serde(default = "defaults::publish_record")]
    pub publish_record: bool,
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
    /// A model that takes so long for one step is loaded again on another thread; 0: never.
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

mod defaults {
    pub(super) const fn chain_refresh_ms() -> u64 {
        5_000
    }
    pub(super) const fn publish_record() -> bool {
        true
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
        self.nodes
            .iter()
            .try_for_each(|url| acumen_chain_client::check_url(url))
            .or_else(|error| refuse("nodes", error))?;
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

#[cfg(test)]
mod tests;

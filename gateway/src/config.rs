//! Configuration of a gateway, and what is wrong with one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use acumen_protocol::Hash;
use serde::{Deserialize, Serialize};

use crate::collective::Settings;
use crate::core::pooling::Pool;
use crate::core::request::Limits;

/// Configuration (TOML). Unknown keys are refused. Every field has a default except `nodes`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Address of the HTTP server. Without `api_keys`, keep it on this machine.
    pub listen: SocketAddr,
    /// Nodes to read the metagraph from, `http://HOST:PORT`; more than one to survive the loss of one.
    pub nodes: Vec<String>,
    /// Genesis hash that the nodes must have, `0x…`; without it the first answer is believed.
    pub genesis: Option<String>,
    /// Validators whose reports give the miners' weights, `http://HOST:PORT`; without any, incentive does.
    pub validators: Vec<String>,
    /// Track to serve; a track over bytes.
    pub track: u16,
    /// The model id that clients name.
    pub model: String,
    /// Miners asked per request: more predict better, the slowest sets the pace.
    pub miners: usize,
    /// How their distributions become one: `geometric` (default) or `linear`.
    pub pool: Pool,
    /// Limit for a miner's first answer, connection and prompt included.
    pub open_timeout_ms: u64,
    /// Limit for each later answer; a miner that misses it is dropped for the rest of the request.
    pub step_timeout_ms: u64,
    /// Limit for a whole request.
    pub request_timeout_ms: u64,
    /// How often the list of miners is read again.
    pub refresh_interval_ms: u64,
    /// How long requests in flight may go on after a stop was asked for.
    pub drain_timeout_ms: u64,
    /// Most requests answered at once; more are refused with 503.
    pub max_concurrent_requests: usize,
    /// Connections at once, with streams of answers and idle ones; more are closed.
    pub max_connections: usize,
    /// Those of them from one address; behind a proxy all come from one.
    pub max_connections_per_address: usize,
    /// Largest body of a request.
    pub max_body_bytes: usize,
    /// Most bytes of all prompts of a request.
    pub max_prompt_bytes: usize,
    /// Largest `max_tokens` of a request, in bytes.
    pub max_tokens: usize,
    /// Most choices of a request (prompts × n).
    pub max_choices: usize,
    /// Limit for reading a request's body: a client that sends more slowly gets 408.
    pub body_timeout_ms: u64,
    /// Origins of web pages that may ask from a browser, `https://HOST` or `*` for all; none by default.
    pub cors_origins: Vec<String>,
    /// File of hashes of accepted API keys: one blake2b-256 in hex per line, `#` begins a comment. Without it everybody
    /// may ask.
    pub api_keys: Option<PathBuf>,
    /// Requests that one API key may make per minute; more are refused with 429.
    pub requests_per_minute: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            nodes: Vec::new(),
            genesis: None,
            validators: Vec::new(),
            track: 0,
            model: "acumen-bytes".to_owned(),
            miners: 5,
            pool: Pool::default(),
            open_timeout_ms: 5_000,
            step_timeout_ms: 1_000,
            request_timeout_ms: 120_000,
            refresh_interval_ms: 3_000,
            drain_timeout_ms: 10_000,
            max_concurrent_requests: 64,
            max_connections: 512,
            max_connections_per_address: 256,
            max_body_bytes: 1 << 20,
            max_prompt_bytes: 32 << 10,
            max_tokens: 2_048,
            max_choices: 8,
            body_timeout_ms: 10_000,
            cors_origins: Vec::new(),
            api_keys: None,
            requests_per_minute: 600,
        }
    }
}

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {reason}")]
pub struct ConfigError {
    /// The field.
    pub field: &'static str,
    /// What is wrong, and what to write.
    pub reason: String,
}

impl Config {
    /// Checks what types cannot.
    ///
    /// # Errors
    /// The first field that cannot work.
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |field, reason: &str| Err(ConfigError { field, reason: reason.to_owned() });
        if self.nodes.is_empty() {
            return refuse("nodes", "is empty: name at least one node, as in [\"http://127.0.0.1:9944\"]");
        }
        self.addresses()?;
        if self.track != 0 {
            return refuse("track", "must be 0: the only track whose tokens are bytes");
        }
        if self.model.is_empty() || self.model.len() > 100 {
            return refuse("model", "must have 1 to 100 characters");
        }
        let sizes = [
            ("miners", self.miners),
            ("max_concurrent_requests", self.max_concurrent_requests),
            ("max_connections", self.max_connections),
            ("max_connections_per_address", self.max_connections_per_address),
            ("max_body_bytes", self.max_body_bytes),
            ("max_prompt_bytes", self.max_prompt_bytes),
            ("max_tokens", self.max_tokens),
            ("max_choices", self.max_choices),
            ("requests_per_minute", self.requests_per_minute as usize),
        ];
        let times = [
            ("open_timeout_ms", self.open_timeout_ms),
            ("step_timeout_ms", self.step_timeout_ms),
            ("request_timeout_ms", self.request_timeout_ms),
            ("refresh_interval_ms", self.refresh_interval_ms),
            ("body_timeout_ms", self.body_timeout_ms),
        ];
        let zero_size = sizes.iter().find(|(_, size)| *size == 0).map(|(field, _)| *field);
        let zero_time = times.iter().find(|(_, time)| *time == 0).map(|(field, _)| *field);
        if let Some(field) = zero_size.or(zero_time) {
            return refuse(field, "must be above 0");
        }
        let is_origin = |origin: &&String| *origin != "*" && !is_origin(origin);
        if let Some(origin) = self.cors_origins.iter().find(is_origin) {
            let reason =
                format!("holds `{origin}`: write https://HOST or https://HOST:PORT, without a path, or *");
            return refuse("cors_origins", &reason);
        }
        if self.max_choices > acumen_proto::inference::MAX_DOCUMENTS {
            return refuse("max_choices", "must be at most 256, the documents of one stream");
        }
        Ok(())
    }

    /// Addresses and hashes that are none.
    fn addresses(&self) -> Result<(), ConfigError> {
        let refuse = |field, reason: String| Err(ConfigError { field, reason });
        for (field, urls) in [("nodes", &self.nodes), ("validators", &self.validators)] {
            let is_url = |url: &&String| acumen_chain_client::check_url(url).is_ok();
            if let Some(wrong) = urls.iter().find(|url| !is_url(url)) {
                return refuse(field, format!("has `{wrong}`, which is no address: write http://HOST:PORT"));
            }
        }
        self.genesis().map(drop)
    }

    /// Reads the file of API keys, as a start would, and drops it again.
    ///
    /// # Errors
    /// If it cannot be used, with its line.
    pub fn check_files(&self) -> Result<(), crate::Error> {
        self.api_keys.as_deref().map_or(Ok(()), |path| crate::http::keys::load(path).map(drop))
    }

    /// Makes `api_keys` relative to `base`, the folder of the configuration file.
    pub fn resolve_paths(&mut self, base: &Path) {
        if let Some(path) = &mut self.api_keys {
            *path = base.join(&*path);
        }
    }

    /// The genesis that the nodes must have.
    ///
    /// # Errors
    /// If it is no hash.
    pub fn genesis(&self) -> Result<Option<Hash>, ConfigError> {
        let parsed = self.genesis.as_deref().map(str::parse::<Hash>).transpose();
        parsed.map_err(|error| ConfigError { field: "genesis", reason: format!("is no hash: {error}") })
    }

    /// How the collective is asked.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            miners: self.miners,
            pool: self.pool,
            open_timeout: Duration::from_millis(self.open_timeout_ms),
            step_timeout: Duration::from_millis(self.step_timeout_ms),
            request_timeout: Duration::from_millis(self.request_timeout_ms),
        }
    }

    /// Bounds of a request.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            model: self.model.clone(),
            max_prompt_bytes: self.max_prompt_bytes,
            max_tokens: self.max_tokens,
            max_choices: self.max_choices,
        }
    }
}

/// A scheme and a host, as a browser's `Origin` header has them.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic() && b != b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_named() {
        let good = Config { nodes: vec!["http://127.0.0.1:1".to_owned()], ..Config::default() };
        assert_eq!(good.check(), Ok(()));
        let field = |config: Config| config.check().unwrap_err().field;
        assert_eq!(field(Config::default()), "nodes");
        assert_eq!(field(Config { miners: 0, ..good.clone() }), "miners");
        assert_eq!(field(Config { step_timeout_ms: 0, ..good.clone() }), "step_timeout_ms");
        assert_eq!(field(Config { track: 1, ..good.clone() }), "track");
        let page = |origin: &str| Config { cors_origins: vec![origin.to_owned()], ..good.clone() };
        assert_eq!(page("https://app.example:8443").check(), Ok(()));
        for wrong in ["app.example", "https://", "https://app.example/"] {
            assert_eq!(field(page(wrong)), "cors_origins", "{wrong}");
        }
        assert_eq!(field(Config { max_choices: 257, ..good }), "max_choices");
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(serde_json::from_str::<Config>(r#"{"nodes": [], "step_timeout": 1}"#).is_err());
        let config: Config = serde_json::from_str(r#"{"nodes": ["http://a:1"], "pool": "linear"}"#).unwrap();
        assert_eq!(config.pool, Pool::Linear);
    }
}

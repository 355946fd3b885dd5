//! What an operator can set. Times are milliseconds, sizes bytes.
//!
//! [`Config::check`] refuses what cannot work, naming the field; relative paths are relative to the file's folder
//! ([`Config::resolve_paths`]).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use acumen_proto::inference::MAX_DOCUMENTS;
use acumen_protocol::{Hash, TrackId};
use serde::{Deserialize, Serialize};

use crate::core::plan::Size;
use acumen_scoring_value::encompass::EncompassRule;

use crate::core::score::Rules;

/// Fewest documents: two generated and two held out, or there would be no interval.
const MIN_DOCUMENTS: usize = 4;

/// Longest document, context and scored bytes together: what a byte model's window is likely to hold.
const MAX_DOCUMENT_BYTES: usize = 4_096;

/// Most scored bytes of all documents together; the cost of an epoch grows with it.
const MAX_SCORED: usize = 65_536;

/// Configuration of one validator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Nodes to read the chain from and send to: `http://HOST:PORT`, tried in order.
    pub nodes: Vec<String>,
    /// Hash of the genesis header (`0x…`); a node of another chain is then refused.
    #[serde(default)]
    pub genesis: Option<String>,
    /// The track that it evaluates; 0 is next-token prediction over bytes.
    #[serde(default)]
    pub track: u16,
    /// Folder of text files (`*.txt`) that miners cannot have seen; half of the questions are cut from them.
    pub held_out: PathBuf,
    /// Folder of what must survive a restart: the secret seed, scores, commitments, reports.
    pub data_dir: PathBuf,
    /// Address and port on which reports are served over gRPC.
    pub listen: SocketAddr,
    /// Address and port of `/metrics`, `/livez` and `/readyz`; none of them is served without it.
    #[serde(default)]
    pub metrics_listen: Option<SocketAddr>,
    /// Documents per epoch; the first half is generated, the rest held out.
    #[serde(default = "defaults::documents")]
    pub documents: usize,
    /// Bytes of each document that a miner sees before its first answer.
    #[serde(default = "defaults::context_bytes")]
    pub context_bytes: usize,
    /// Bytes of each document that are scored.
    #[serde(default = "defaults::scored_bytes")]
    pub scored_bytes: usize,
    /// How long one answer may take; the first one of a connection may take 3 s longer.
    #[serde(default = "defaults::answer_timeout_ms")]
    pub answer_timeout_ms: u64,
    /// Most miners asked at once.
    #[serde(default = "defaults::concurrency")]
    pub concurrency: usize,
    /// Most miners asked per epoch; of more, a fresh secret choice is asked each time.
    #[serde(default = "defaults::max_miners")]
    pub max_miners: usize,
    /// Share of the own gain in the reward, 0 to 1; the rest is marginal value.
    #[serde(default = "defaults::alpha")]
    pub alpha: f64,
    /// Hellinger distance below which two miners count as copies of one another, 0 (never) to 1.
    #[serde(default = "defaults::cluster_tau")]
    pub cluster_tau: f64,
    /// Nats per byte that a miner must add to any one registered before it, over the recent held-out bytes, to be paid
    /// beside it; 0 (never ask) to 1.
    #[serde(default = "defaults::least_added")]
    pub least_added: f64,
    /// Scored bytes after which an epoch's scores count half.
    #[serde(default = "defaults::half_life_bytes")]
    pub half_life_bytes: u64,
}

mod defaults {
    use acumen_scoring_value::{cluster::CLUSTER_TAU, encompass::LEAST_ADDED, reward::DEFAULT_ALPHA};

    pub(super) const fn documents() -> usize {
        16
    }
    pub(super) const fn context_bytes() -> usize {
        96
    }
    pub(super) const fn scored_bytes() -> usize {
        32
    }
    pub(super) const fn answer_timeout_ms() -> u64 {
        5_000
    }
    pub(super) const fn concurrency() -> usize {
        64
    }
    pub(super) const fn max_miners() -> usize {
        256
    }
    pub(super) const fn alpha() -> f64 {
        DEFAULT_ALPHA
    }
    pub(super) const fn cluster_tau() -> f64 {
        CLUSTER_TAU
    }
    pub(super) const fn least_added() -> f64 {
        LEAST_ADDED
    }
    pub(super) const fn half_life_bytes() -> u64 {
        8_192
    }
}

/// A field that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {reason}")]
pub struct ConfigError {
    /// The field.
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
        for path in [&mut self.held_out, &mut self.data_dir] {
            *path = base.join(&*path);
        }
    }

    /// Refuses what cannot work.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.nodes.is_empty() {
            return refuse("nodes", "name at least one node, such as \"http://127.0.0.1:9944\"");
        }
        self.nodes
            .iter()
            .try_for_each(|url| acumen_chain_client::check_url(url))
            .or_else(|error| refuse("nodes", error))?;
        self.genesis()?;
        if self.track != 0 {
            return refuse("track", "this version evaluates track 0, next-token prediction over bytes");
        }
        self.check_sizes()?;
        if !(0.0..=1.0).contains(&self.alpha) {
            return refuse("alpha", format!("{} is no share: write a number from 0 to 1", self.alpha));
        }
        if !(0.0..=1.0).contains(&self.cluster_tau) {
            let reason = format!("{} is no distance: write a number from 0 to 1", self.cluster_tau);
            return refuse("cluster_tau", reason);
        }
        if !(0.0..=1.0).contains(&self.least_added) {
            let reason = format!("{} is no threshold: write nats per byte from 0 to 1", self.least_added);
            return refuse("least_added", reason);
        }
        Ok(())
    }

    /// Reads the held-out texts, as a start would, and drops them again.
    ///
    /// # Errors
    /// If there is nothing to ask from.
    pub fn check_files(&self) -> Result<(), crate::Error> {
        crate::shell::held_out::load(&self.held_out, self.context_bytes + self.scored_bytes).map(drop)
    }

    fn check_sizes(&self) -> Result<(), ConfigError> {
        if !(MIN_DOCUMENTS..=MAX_DOCUMENTS).contains(&self.documents) {
            return refuse("documents", format!("write a number from {MIN_DOCUMENTS} to {MAX_DOCUMENTS}"));
        }
        let counts = [
            ("context_bytes", self.context_bytes),
            ("scored_bytes", self.scored_bytes),
            ("concurrency", self.concurrency),
            ("max_miners", self.max_miners),
        ];
        if let Some((field, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return refuse(field, "must be at least 1, or nothing could be asked");
        }
        if self.context_bytes.saturating_add(self.scored_bytes) > MAX_DOCUMENT_BYTES {
            let reason = format!("context_bytes and scored_bytes together may be {MAX_DOCUMENT_BYTES}");
            return refuse("scored_bytes", reason);
        }
        if self.documents.saturating_mul(self.scored_bytes) > MAX_SCORED {
            return refuse("scored_bytes", format!("documents × scored_bytes may be {MAX_SCORED}"));
        }
        if self.answer_timeout_ms == 0 || self.half_life_bytes == 0 {
            return refuse("answer_timeout_ms, half_life_bytes", "must be at least 1");
        }
        Ok(())
    }

    /// The genesis that a node must have.
    ///
    /// # Errors
    /// If it is no hash.
    pub fn genesis(&self) -> Result<Option<Hash>, ConfigError> {
        let parsed = self.genesis.as_deref().map(str::parse).transpose();
        parsed.or_else(|error| refuse("genesis", error))
    }

    pub(crate) fn track(&self) -> TrackId {
        TrackId::new(self.track)
    }

    pub(crate) fn size(&self) -> Size {
        Size { documents: self.documents, context_bytes: self.context_bytes, scored_bytes: self.scored_bytes }
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            alpha: self.alpha,
            tau: self.cluster_tau,
            half_life_bytes: self.half_life_bytes as f64,
            encompass: EncompassRule { least_added: self.least_added, ..EncompassRule::default() },
        }
    }

    pub(crate) fn answer_timeout(&self) -> Duration {
        Duration::from_millis(self.answer_timeout_ms)
    }
}

#[cfg(test)]
mod tests;

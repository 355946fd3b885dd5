//! What a miner says about itself: typed, and believed only where a reader can check it.

use std::time::Duration;

use acumen_proto::{WireError, inference_v1 as wire};
use acumen_protocol::{AccountId, Hash};

/// Longest text field that is kept, in characters: the miner chose it.
const MAX_TEXT_CHARS: usize = 100;

/// Most names of methods that are kept.
const MAX_METHODS: usize = 16;

/// What is served, and by whom. Unsigned: a hint, never a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MinerInfo {
    /// The miner's hotkey.
    pub hotkey: AccountId,
    /// Name given by the operator, cut to 100 characters.
    pub model: String,
    /// Family of the network.
    pub architecture: String,
    /// Number of parameters; 0 if unknown.
    pub parameters: u64,
    /// Size of the vocabulary.
    pub vocabulary: u32,
    /// Longest context in tokens that is not cut.
    pub context: u32,
    /// Digest of the model's files.
    pub digest: Hash,
    /// Name of the tokenizer; `bytes` means that a token id is a byte.
    pub tokenizer: String,
    /// Version of the server's software.
    pub version: String,
    /// Most documents in one stream.
    pub max_documents: u32,
    /// Methods that the model can answer.
    pub methods: Vec<String>,
    /// Counts the models loaded since the miner's start.
    pub generation: u64,
}

impl TryFrom<wire::GetInfoResponse> for MinerInfo {
    type Error = WireError;

    fn try_from(info: wire::GetInfoResponse) -> Result<Self, WireError> {
        let hotkey = info.hotkey.parse();
        let digest = <[u8; 32]>::try_from(info.digest.as_slice());
        Ok(Self {
            hotkey: hotkey.map_err(|_| wrong("info.hotkey", "is no SS58 address"))?,
            model: cut(&info.model),
            architecture: cut(&info.architecture),
            parameters: info.parameters,
            vocabulary: info.vocabulary,
            context: info.context,
            digest: digest.map(Hash).map_err(|_| wrong("info.digest", "must have 32 bytes"))?,
            tokenizer: cut(&info.tokenizer),
            version: cut(&info.version),
            max_documents: info.max_documents,
            methods: info.methods.iter().take(MAX_METHODS).map(|method| cut(method)).collect(),
            generation: info.generation,
        })
    }
}

fn wrong(field: &'static str, reason: &str) -> WireError {
    WireError { field, reason: reason.to_owned() }
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT_CHARS).collect()
}

/// How busy a miner says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadReport {
    /// Streams being served.
    pub running: u32,
    /// Requests waiting for the model.
    pub waiting: u32,
    /// Tokens in those requests.
    pub waiting_tokens: u64,
    /// Tokens held in KV caches.
    pub kv_used: u64,
    /// Tokens that KV caches can hold.
    pub kv_total: u64,
    /// Estimated wait before a new request reaches the model.
    pub estimated_wait: Duration,
}

impl From<wire::GetLoadResponse> for LoadReport {
    fn from(load: wire::GetLoadResponse) -> Self {
        Self {
            running: load.running,
            waiting: load.waiting,
            waiting_tokens: load.waiting_tokens,
            kv_used: load.kv_used,
            kv_total: load.kv_total,
            estimated_wait: Duration::from_millis(load.estimated_wait_ms),
        }
    }
}

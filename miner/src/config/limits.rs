//! How much a miner takes on at once.

use acumen_proto::inference::{MAX_DOCUMENTS, MAX_MESSAGE_BYTES};
use serde::{Deserialize, Serialize};

use super::{ConfigError, refuse};

/// Most bytes of a token id (a protobuf varint).
const TOKEN_BYTES: usize = 5;

/// Bytes of a request beside its text or its ids.
const SLACK_BYTES: usize = 4 << 10;

/// Bytes that the texts of one `Embed` call may have together, if `max_text_bytes` is not more: 256 texts of the 4 KiB that an
/// encoder reads of each at most.
const TEXTS_BYTES: usize = 1 << 20;

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
    /// Positions that the sessions of all streams may hold: for each document its context and 256 more, at most the model's
    /// window.
    pub session_tokens: usize,
    /// The same, of one hotkey.
    pub session_tokens_per_hotkey: usize,
    /// Streams that a hotkey may open per second, whatever its stake.
    pub opens_per_second: f64,
    /// The same, more per 1,000 ACU of stake.
    pub opens_per_second_per_kacu: f64,
    /// How many seconds' worth of openings may come at once.
    pub burst_seconds: f64,
    /// Connections at once.
    pub max_connections: usize,
    /// Connections at once from one address: that of IPv4, or the first 64 bits of that of IPv6.
    pub max_connections_per_address: usize,
    /// Bytes of messages above 4 KiB that are being read at once, before anybody knows who sends them; one address has an
    /// eighth of it, the others of its messages wait.
    pub unread_bytes: usize,
    /// The pause asked of a sender that met a full queue.
    pub retry_after_ms: u64,
    /// How long the first message of a stream, or the whole request of another call, may take.
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
            session_tokens_per_hotkey: 1 << 19,
            opens_per_second: 10.0,
            opens_per_second_per_kacu: 1.0,
            burst_seconds: 4.0,
            max_connections: 512,
            max_connections_per_address: 64,
            unread_bytes: 64 << 20,
            retry_after_ms: 100,
            opening_timeout_ms: 5_000,
            idle_timeout_ms: 60_000,
            drain_timeout_ms: 20_000,
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
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
            ("limits.session_tokens_per_hotkey", self.session_tokens_per_hotkey),
            ("limits.max_connections", self.max_connections),
            ("limits.max_connections_per_address", self.max_connections_per_address),
        ];
        if let Some((field, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return refuse(field, "must be at least 1, or nothing could be asked");
        }
        let least = self.largest_request();
        if self.unread_bytes < least {
            return refuse(
                "limits.unread_bytes",
                format!("the largest request that the other limits allow has {least}"),
            );
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

    /// The largest message of any method.
    pub(crate) fn largest_request(&self) -> usize {
        self.largest_question().max(self.largest_prompt()).max(self.largest_texts())
    }

    /// The largest message of `Predict`: a stranger cannot make the miner buffer more before it is known.
    pub(crate) fn largest_question(&self) -> usize {
        let document = self.max_context_tokens.saturating_mul(TOKEN_BYTES).saturating_add(16);
        message(document.saturating_mul(self.max_documents))
    }

    /// The largest request with a text.
    pub(crate) fn largest_text(&self) -> usize {
        message(self.max_text_bytes)
    }

    /// The largest request with a text or the ids of one document.
    pub(crate) fn largest_prompt(&self) -> usize {
        message(self.max_context_tokens.saturating_mul(TOKEN_BYTES).max(self.max_text_bytes))
    }

    /// The largest request with many texts.
    pub(crate) fn largest_texts(&self) -> usize {
        message(self.max_text_bytes.max(TEXTS_BYTES))
    }
}

/// With room for the other fields, and within what any message may have.
fn message(bytes: usize) -> usize {
    bytes.saturating_add(SLACK_BYTES).min(MAX_MESSAGE_BYTES)
}

//! Every bound of the protocol, in one place, with its reason.

/// Longest endpoint URL that a neuron may publish: a host name (253 bytes) with scheme, port and a short path.
pub const MAX_ENDPOINT_URL: usize = 300;

/// Most weights in one reveal: one per possible uid.
pub const MAX_WEIGHTS: usize = 65_536;

/// Largest encoded transaction: a reveal of [`MAX_WEIGHTS`] weights at four bytes each, and room for the rest.
pub const MAX_TRANSACTION_BYTES: usize = MAX_WEIGHTS * 4 + 1_024;

/// Most transactions in a block. With [`MAX_BLOCK_BYTES`] it bounds the work of one height.
pub const MAX_BLOCK_TRANSACTIONS: usize = 4_096;

/// Largest encoded block body.
pub const MAX_BLOCK_BYTES: usize = 1 << 20;

/// Most consensus validators; a certificate then stays below 10 KiB.
pub const MAX_CONSENSUS_VALIDATORS: usize = 100;

/// A signed request may be at most this old when it arrives, in nanoseconds (10 s).
pub const AUTH_WINDOW_BACK_NS: u64 = 10_000_000_000;

/// A signed request may be at most this far ahead of the receiver's clock, in nanoseconds (2 s).
pub const AUTH_WINDOW_AHEAD_NS: u64 = 2_000_000_000;

/// How long a seen nonce must be remembered, in nanoseconds: the whole width of the window, so that no request can be
/// replayed while its nonce would still be accepted.
pub const AUTH_RETENTION_NS: u64 = AUTH_WINDOW_BACK_NS + AUTH_WINDOW_AHEAD_NS;

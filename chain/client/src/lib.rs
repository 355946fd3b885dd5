//! acumen-chain-client

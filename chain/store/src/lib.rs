//! acumen-chain-store

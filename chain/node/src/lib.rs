//! acumen-chain-node

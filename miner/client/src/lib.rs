//! acumen-miner-client

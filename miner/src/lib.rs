//! acumen-miner

//! acumen-chain-ledger

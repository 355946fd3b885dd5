//! acumen-scoring-consensus

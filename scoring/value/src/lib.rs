//! acumen-scoring-value

//! acumen-proto

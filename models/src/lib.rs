//! acumen-models

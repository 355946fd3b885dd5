//! acumen-validator

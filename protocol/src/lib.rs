//! acumen-protocol

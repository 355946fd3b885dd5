//! acumen-gateway

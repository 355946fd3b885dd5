//! The shell: everything with a clock, a socket or a file.

pub(crate) mod ask;
pub(crate) mod chain;
pub(crate) mod cycle;
pub(crate) mod evaluate;
pub(crate) mod held_out;
pub(crate) mod metrics;
pub(crate) mod reports;
pub(crate) mod server;
pub(crate) mod store;

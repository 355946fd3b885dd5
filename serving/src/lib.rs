//! What every server of a subnet has in common: metrics that both Prometheus and `promtool` read, probes, gRPC reflection of
//! what is served and no more, limits on connections, and words for why a server ended.
//!
//! Nothing here knows what a server serves (docs/adr/0022-serving-glue.md).
#![forbid(unsafe_code)]

pub mod connections;
mod metrics;
mod pages;
mod reflection;

use tokio::task::JoinError;

pub use metrics::page as metrics_page;
pub use pages::{Pages, serve as serve_pages};
pub use reflection::{Reflection, reflection};

/// Why a server's task is over that should have gone on.
#[must_use]
pub fn ended(result: Result<Result<(), String>, JoinError>) -> String {
    match result {
        Ok(Ok(())) => "it ended by itself".to_owned(),
        Ok(Err(reason)) => reason,
        Err(error) => error.to_string(),
    }
}

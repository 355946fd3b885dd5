//! The miner's server: a model behind a signed Predict stream.
//!
//! A question passes these doors, in this order (docs/spec/auth.md): shape → receiver → freshness → signature → replay
//! → permission by stake → rate limit by stake → slots → the model's queue. Each can refuse, with a reason a person can
//! act on and a counter in `/metrics`; nothing behind a door is touched by what it refused.
//!
//! | module | what it is |
//! |---|---|
//! | [`config`] | what an operator can set |
//! | `server` | binds, serves, tells health, drains |
//! | `opening`, `stream` | one Predict stream: its doors, then its steps |
//! | `nonces` | used nonces on disk, many per commit |
//! | `access`, `rate`, `slots` | who may ask, how often, how much at once |
//! | [`chain`], `watch` | stakes from the chain and the endpoint published there |
//! | `metrics`, `http` | Prometheus |
//!
//! Invariants: a stream's answers are computed by one session of one model, in order; whatever a stream holds (slot,
//! session, queue place) is given back when it ends for any reason, a vanished client included.

#![forbid(unsafe_code)]

mod access;
pub mod chain;
pub mod config;
mod distribution;
pub mod error;
mod health;
mod http;
mod metrics;
mod model;
mod nonces;
mod opening;
mod rate;
mod refusal;
mod server;
mod service;
mod slots;
mod stream;
mod watch;

pub use config::Config;
pub use error::Error;
pub use server::{Miner, run};

//! The miner's server: a model behind a signed Predict stream.
//!
//! A question passes these doors, in this order (docs/spec/auth.md): shape → receiver → freshness → signature → replay
//! → permission by stake → rate limit by stake → slots → the model's queue. Each can refuse, with a reason a person can
//! act on and a counter in `/metrics`; nothing behind a door is touched by what it refused.
//!
//! | module | what it is |
//! |---|---|
//! | [`config`] | what an operator can set |
//! | `server`, `grpc` | binds, serves, tells health, drains |
//! | `intake` | connections and unread bytes of senders who are not known yet |
//! | `doors` | what every signed call passes |
//! | `opening`, `stream` | one Predict stream: its doors, then its steps |
//! | `generate`, `unary` | generation; the calls with one answer |
//! | `nonces` | used nonces: the window in memory, a mark on disk |
//! | `access`, `rate`, `slots` | who may ask, how often, how much at once |
//! | `admission` | the waiting queue: counted in tokens, ordered by stake |
//! | `engine`, `supervisor`, `reload` | the model: loaded, replaced, revived |
//! | [`chain`], `watch`, `lookups` | stakes from the chain and the endpoint published there |
//! | `record` | the endpoint in a signed record, for readers whom the chain's does not lead here |
//! | `encoder` | one vector for a text, on a thread of its own |
//! | `upstream` | a model that another engine runs behind OpenAI's API |
//! | `kserve` | TorchScript modules over KServe v2, on a listener of its own |
//! | `tls`, `trace` | the certificate that the chain names; request ids |
//! | `metrics`, `http` | Prometheus |
//!
//! Invariants: a stream's answers are computed by one session of one model, in order; whatever a stream holds (slot,
//! session, queue place) is given back when it ends for any reason, a vanished client included.

#![forbid(unsafe_code)]

mod access;
mod admission;
pub mod chain;
pub mod config;
mod deadline;
mod distribution;
mod doors;
mod encoder;
mod engine;
pub mod error;
mod generate;
mod grpc;
mod guard;
mod health;
mod http;
mod intake;
mod kserve;
mod lookups;
mod metrics;
mod nonces;
mod opening;
mod rate;
mod record;
mod refusal;
mod reload;
mod server;
mod service;
mod slots;
mod stream;
mod supervisor;
mod text;
mod tls;
mod trace;
mod unary;
mod upstream;
mod watch;

pub use config::Config;
pub use error::Error;
pub use reload::Reload;
pub use server::{Miner, run};

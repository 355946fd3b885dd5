//! What a request means and what comes out of it: pure, no clock, no socket.
//!
//! [`request`] turns JSON into a [`request::Query`] or a refusal; [`decode`] turns pooled distributions into tokens,
//! text and reasons to stop; the rest are its parts. Randomness is a seed and a counter ([`random`]).

pub mod decode;
pub mod fingerprint;
pub mod pooling;
pub mod random;
pub mod request;
pub mod sampling;
pub mod steering;
pub mod stop;
pub mod template;
pub mod utf8;
pub mod weights;

//! The validator: asks miners questions whose answers it knows, scores what they add, and sets weights.
//!
//! Two halves. [`core`] is pure: questions, judging, scores, weights, the rhythm of an epoch; seeds and heights are
//! arguments. The shell around it talks to miners and the chain, keeps state on disk and serves
//! `acumen.validation.v1` and metrics.
#![forbid(unsafe_code)]

pub mod core;

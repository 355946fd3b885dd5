//! The arithmetic of a decoder's step on the processor, where libtorch's own kernels leave time on the table: products
//! with weights that are packed once, attention of single queries over a cache, norms, rotation, gates and softmax.
//!
//! Everything takes slices and checks their lengths; nothing knows about libtorch. Work is shared by the threads of the
//! OpenMP runtime that the process has loaded (libtorch's), so that there is one pool and not two.
//!
//! | module | what it computes |
//! |---|---|
//! | `matrix` | `x · wᵀ + bias`, weights packed in blocks of 32 outputs |
//! | `attention` | one query each of many texts against keys and values in a cache |
//! | `rows` | RMSNorm, rotary positions, gated activation, log-softmax |
//! | `element` | 32-bit floats and bf16 as one trait |
//! | `threads`, `memory`, `cpu` | the pool, large pages, what the processor can do |
//!
//! Invariants: sums are in 32-bit floats; the result of a row does not depend on how many rows it is computed with
//! unless a function says so. `unsafe` is confined to this crate's inner loops and is reached only with checked lengths.

// Vector instructions, tiles and threads of a foreign runtime cannot be had without it.
#![allow(unsafe_code)]
#![deny(unsafe_op_in_unsafe_fn)]

mod attention;
mod cpu;
mod element;
mod math;
mod matrix;
mod memory;
mod rows;
mod shared;
mod threads;

pub use attention::{Attention, Query};
pub use cpu::Cpu;
pub use element::Element;
pub use half::bf16;
pub use matrix::Matrix;
pub use rows::{Rotation, gate_silu, log_softmax, rms_norm, rotate_and_store};
pub use threads::parallel;

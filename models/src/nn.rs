//! The parts that architectures are put together from.

mod linear;

pub(crate) use linear::Linear;

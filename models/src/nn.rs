//! The parts that architectures are put together from.

mod activation;
mod attention;
mod linear;
pub(crate) mod rope;

pub(crate) use activation::Activation;
pub(crate) use attention::Heads;
pub(crate) use linear::Linear;

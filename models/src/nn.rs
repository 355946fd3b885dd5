//! The parts that architectures are put together from.

mod activation;
mod attention;
mod dense;
mod linear;
mod norm;
mod numbers;
pub(crate) mod rope;

pub(crate) use activation::Activation;
pub(crate) use attention::Heads;
pub(crate) use dense::Dense;
pub(crate) use linear::Linear;
pub(crate) use norm::rms_norm;
pub(crate) use numbers::read as numbers;

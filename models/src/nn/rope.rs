//! Rotary position embedding and its variants for longer contexts, as Hugging Face's transformers defines them.
//!
//! Angles are computed in f32 from f32 frequencies, as there: at position 8,000 another rounding would show. Two variants
//! (`dynamic`, `longrope`) change their frequencies with the length of the text; `span` is that length at the time when a
//! token entered, so that a token keeps the angle under which its key was stored.

mod config;
mod frequencies;

use tch::{Device, Kind, TchError, Tensor};

use crate::torch::dim;

pub(crate) use config::{RopeConfig, RopeFields, Spans};

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Rope {
    config: RopeConfig,
    /// Frequencies of the variants whose frequencies are fixed.
    fixed: Option<Vec<f32>>,
    /// Factor on sines and cosines.
    attention: f32,
}

/// Sines and cosines for the rows of one batch.
#[derive(Debug)]
pub(crate) enum Angles {
    /// For our own kernels: half a head for each row.
    Host {
        /// Cosines.
        cos: Vec<f32>,
        /// Sines.
        sin: Vec<f32>,
    },
    /// For libtorch, each `[rows, 1, head]`.
    Device {
        /// Cosines, twice.
        cos: Tensor,
        /// Sines, negative in the first half: they multiply the halves swapped.
        sin: Tensor,
    },
}

impl Rope {
    pub(crate) fn new(config: RopeConfig) -> Self {
        let fixed = (config.spans() == Spans::Alike).then(|| frequencies::at(&config, 0));
        let attention = frequencies::attention(&config) as f32;
        Self { config, fixed, attention }
    }

    /// The angles of tokens at `positions` that entered when their texts had `spans` tokens.
    pub(crate) fn angles(
        &self,
        positions: &[usize],
        spans: &[usize],
        kind: Kind,
        device: Device,
    ) -> Result<Angles, TchError> {
        let half = self.config.dim / 2;
        let count = positions.len() * half;
        let (mut cos, mut sin) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let lengths = self.config.spans();
        let mut own = (None, Vec::new());
        for (position, span) in positions.iter().zip(spans) {
            let frequencies = match &self.fixed {
                Some(fixed) => fixed,
                None => {
                    let class = Some(lengths.class(*span));
                    if own.0 != class {
                        own = (class, frequencies::at(&self.config, *span));
                    }
                    &own.1
                }
            };
            for frequency in frequencies {
                let (sine, cosine) = (*position as f32 * frequency).sin_cos();
                cos.push(cosine * self.attention);
                sin.push(sine * self.attention);
            }
        }
        if device == Device::Cpu {
            return Ok(Angles::Host { cos, sin });
        }
        let tensor = |values: &[f32]| {
            Tensor::f_from_slice(values)?.f_view([dim(positions.len()), 1, dim(half)])?.f_to_device(device)
        };
        let (cos, sin) = (tensor(&cos)?, tensor(&sin)?);
        Ok(Angles::Device {
            cos: Tensor::f_cat(&[&cos, &cos], 2)?.f_to_kind(kind)?,
            sin: Tensor::f_cat(&[&sin.f_neg()?, &sin], 2)?.f_to_kind(kind)?,
        })
    }
}

impl Angles {
    /// Turns `x` `[rows, heads, head]` in place: pairs are (i, i + half).
    pub(crate) fn rotate(&self, x: &mut Tensor) -> Result<(), TchError> {
        let Self::Device { cos, sin } = self else {
            return Err(TchError::Kind("angles of the processor for another device".into()));
        };
        let swapped = x.f_unflatten(2, [2, -1])?.f_flip([2])?.f_flatten(2, 3)?;
        let _ = x.f_mul_(cos)?;
        let _ = x.f_addcmul_(&swapped, sin)?;
        Ok(())
    }
}

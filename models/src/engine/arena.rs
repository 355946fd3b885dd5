//! Keys and values of all open texts: one tensor a layer, `[tokens, keys | values]`, allocated once.
//!
//! The operating system commits its pages as they are first used. Invariant: what lies below `clean` is finite: an
//! attention call may read, behind a mask, places that no text has written, and 0 · NaN would be NaN.

use tch::{Device, Kind, TchError, Tensor};

use super::extents::Extent;
use crate::arch::Shape;
use crate::torch::dim;

/// See the module.
#[derive(Debug)]
pub(crate) struct Arena {
    layers: Vec<Tensor>,
    /// Tokens from the start that have been cleared once.
    clean: usize,
}

impl Arena {
    pub(crate) fn new(shape: &Shape, tokens: usize, kind: Kind, device: Device) -> Result<Self, TchError> {
        let empty = || Tensor::f_empty([dim(tokens), dim(shape.cache_width)], (kind, device));
        let layers = shape.windows.iter().map(|_| empty()).collect::<Result<_, TchError>>()?;
        Ok(Self { layers, clean: 0 })
    }

    /// The cache of each layer.
    pub(crate) fn layers(&self) -> &[Tensor] {
        &self.layers
    }

    /// Makes a stretch that has just been taken safe to read.
    pub(crate) fn prepare(&mut self, extent: Extent) -> Result<(), TchError> {
        let end = extent.start + extent.length;
        if end > self.clean {
            self.clear(Extent { start: self.clean, length: end - self.clean })?;
            self.clean = end;
        }
        Ok(())
    }

    /// Fills a stretch with zeros: after a failure it may hold what is not a number.
    pub(crate) fn clear(&self, extent: Extent) -> Result<(), TchError> {
        for layer in &self.layers {
            let _ = layer.f_narrow(0, dim(extent.start), dim(extent.length))?.f_zero_()?;
        }
        Ok(())
    }

    /// Copies tokens `from..to` of one stretch to the same places of another.
    pub(crate) fn copy(
        &self,
        source: Extent,
        target: Extent,
        from: usize,
        to: usize,
    ) -> Result<(), TchError> {
        let tokens = dim(to - from);
        for layer in &self.layers {
            let old = layer.f_narrow(0, dim(source.start + from), tokens)?;
            layer.f_narrow(0, dim(target.start + from), tokens)?.f_copy_(&old)?;
        }
        Ok(())
    }
}

//! Keys and values of the positions already seen, allocated once for a session.
//!
//! Layout: per layer `[documents, heads, context, head width]`. A document of length n has valid entries at positions
//! 0..n; what lies beyond is masked or overwritten before it is read.

use tch::{Device, Kind, TchError, Tensor};

use super::GptConfig;
use crate::torch::dim;

#[derive(Debug)]
pub(super) struct Cache {
    layers: Vec<(Tensor, Tensor)>,
}

impl Cache {
    pub(super) fn new(config: &GptConfig, documents: usize) -> Result<Self, TchError> {
        let shape =
            [dim(documents), dim(config.heads), dim(config.context), dim(config.width / config.heads)];
        let empty = || Tensor::f_zeros(shape, (Kind::Float, Device::Cpu));
        let layers = (0..config.layers).map(|_| Ok((empty()?, empty()?)));
        Ok(Self { layers: layers.collect::<Result<_, TchError>>()? })
    }

    /// Writes the keys and values of whole prefixes; `rows` says to which documents they belong.
    pub(super) fn fill(
        &self,
        layer: usize,
        rows: &Tensor,
        keys: &Tensor,
        values: &Tensor,
    ) -> Result<(), TchError> {
        let (_, _, length, _) = keys.size4()?;
        let (all_keys, all_values) = &self.layers[layer];
        all_keys.f_narrow(2, 0, length)?.f_index_copy_(0, rows, keys).map(drop)?;
        all_values.f_narrow(2, 0, length)?.f_index_copy_(0, rows, values).map(drop)?;
        Ok(())
    }

    /// Writes one position of every document; `places` is `[documents, 1, 1, 1]`.
    pub(super) fn append(
        &self,
        layer: usize,
        places: &Tensor,
        keys: &Tensor,
        values: &Tensor,
    ) -> Result<(), TchError> {
        let index = places.f_expand_as(keys)?;
        let (all_keys, all_values) = &self.layers[layer];
        all_keys.shallow_clone().f_scatter_(2, &index, keys).map(drop)?;
        all_values.shallow_clone().f_scatter_(2, &index, values).map(drop)?;
        Ok(())
    }

    /// The first `used` positions of a layer.
    pub(super) fn view(&self, layer: usize, used: i64) -> Result<(Tensor, Tensor), TchError> {
        let (keys, values) = &self.layers[layer];
        Ok((keys.f_narrow(2, 0, used)?, values.f_narrow(2, 0, used)?))
    }
}

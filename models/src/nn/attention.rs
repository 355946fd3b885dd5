//! Attention over the cache: many sequences at different lengths in few kernel calls.
//!
//! Heads that share keys and values are treated as further queries of one head, so that grouped attention copies nothing:
//! a step has queries `[sequences, key heads, group, head]`; a chunk of one text reads each key head under `group` names
//! with stride 0. Keys and values are views into the arena.
//!
//! On the processor single queries are not libtorch's: its kernel pays a fixed cost for each text and head, and pads all
//! texts of a call to the longest.

use acumen_models_kernels::{Attention, Rotation, rotate_and_store};
use tch::{Device, TchError, Tensor};

use super::numbers::{by_kind, is_host, read, write};
use super::rope::Angles;
use crate::engine::{Batch, Group};
use crate::torch::{dim, size};

/// The heads of a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Heads {
    /// Heads that ask.
    pub(crate) queries: usize,
    /// Heads that answer; they divide those that ask.
    pub(crate) keys: usize,
    /// Numbers in each.
    pub(crate) size: usize,
    /// Factor on the scores.
    pub(crate) scale: f64,
}

impl Heads {
    /// Width of one position in a layer's cache: keys, then values.
    pub(crate) fn cache_width(&self) -> usize {
        2 * self.keys * self.size
    }

    /// Turns queries and keys of `qkv` `[rows, queries | keys | values]` and puts keys and values into the cache.
    pub(crate) fn turn_and_store(
        &self,
        batch: &Batch,
        angles: &Angles,
        qkv: &mut Tensor,
        cache: &Tensor,
    ) -> Result<(), TchError> {
        let (queries, keys, size) = (self.queries, self.keys, self.size);
        let mut cache = cache.shallow_clone();
        match angles {
            Angles::Host { cos, sin } if is_host(qkv) && is_host(&cache) && qkv.kind() == cache.kind() => {
                let rotation = Rotation { cos, sin, queries, keys, size, places: batch.places() };
                by_kind!(qkv, T => rotate_and_store(&rotation, write::<T>(qkv), write(&mut cache)));
                Ok(())
            }
            _ => {
                let turned = qkv.f_narrow(1, 0, dim((queries + keys) * size))?;
                angles.rotate(&mut turned.f_unflatten(1, [dim(queries + keys), dim(size)])?)?;
                batch.store(&cache, &qkv.f_narrow(1, dim(queries * size), dim(2 * keys * size))?)
            }
        }
    }

    /// Attends from the queries that `qkv` `[rows, queries | …]` begins with to what `cache` `[tokens, cache width]`
    /// holds for each row's sequence.
    pub(crate) fn attend(
        &self,
        batch: &Batch,
        cache: &Tensor,
        qkv: &Tensor,
        window: Option<usize>,
    ) -> Result<Tensor, TchError> {
        let q = qkv.f_narrow(1, 0, dim(self.queries * self.size))?;
        let own = (batch.steps > 0).then(|| self.steps(batch, cache, qkv, window));
        let parts = own.into_iter().chain(batch.groups.iter().map(|group| {
            let rows = q.f_narrow(0, dim(group.first), dim(group.rows()))?;
            let mask = group.mask(window);
            if group.queries == 1 {
                self.step(group, cache, &rows, mask)
            } else {
                self.chunk(group, cache, &rows, mask)
            }
        }));
        let mut parts = parts.collect::<Result<Vec<_>, TchError>>()?;
        if parts.len() == 1 { Ok(parts.remove(0)) } else { Tensor::f_cat(&parts, 0) }
    }

    /// The batch's leading rows, one query each of a sequence of its own.
    fn steps(
        &self,
        batch: &Batch,
        cache: &Tensor,
        qkv: &Tensor,
        window: Option<usize>,
    ) -> Result<Tensor, TchError> {
        let heads =
            Attention { queries: self.queries, keys: self.keys, size: self.size, scale: self.scale as f32 };
        let (qkv, cache) = (qkv.f_contiguous()?, cache.f_contiguous()?);
        let (_, width) = qkv.size2()?;
        let sizes = [dim(batch.steps), dim(self.queries * self.size)];
        let mut mixed = Tensor::f_empty(sizes, (qkv.kind(), qkv.device()))?;
        let rows = batch.seen(window);
        by_kind!(qkv, T => {
            heads.attend(&rows, (read::<T>(&qkv), size(width)), read(&cache), write(&mut mixed));
        });
        Ok(mixed)
    }

    /// One query for each of many sequences.
    fn step(
        &self,
        group: &Group,
        cache: &Tensor,
        q: &Tensor,
        mask: Option<&Tensor>,
    ) -> Result<Tensor, TchError> {
        let (keys, size) = (dim(self.keys), dim(self.size));
        let sequences = dim(group.sequences);
        let q = q.f_unflatten(1, [keys, -1, size])?;
        let row = 2 * keys * size;
        let view = |from: i64| {
            let shape = [sequences, keys, dim(group.length), size];
            cache.f_as_strided(shape, [dim(group.stride) * row, size, row, 1], dim(group.start) * row + from)
        };
        let mixed = dot_product(&q, &view(0)?, &view(keys * size)?, mask, false, self.scale)?;
        mixed.f_reshape([sequences, -1])
    }

    /// Several queries of one sequence, each looking back from its own position.
    fn chunk(
        &self,
        group: &Group,
        cache: &Tensor,
        q: &Tensor,
        mask: Option<&Tensor>,
    ) -> Result<Tensor, TchError> {
        let (keys, size) = (dim(self.keys), dim(self.size));
        let shared = dim(self.queries / self.keys);
        let q = q.f_unflatten(1, [keys, shared, size])?.f_permute([1, 2, 0, 3])?;
        let row = 2 * keys * size;
        let view = |from: i64| {
            let shape = [keys, shared, dim(group.length), size];
            cache.f_as_strided(shape, [size, 0, row, 1], dim(group.start) * row + from)
        };
        let causal = mask.is_none();
        let mixed = dot_product(&q, &view(0)?, &view(keys * size)?, mask, causal, self.scale)?;
        mixed.f_permute([2, 0, 1, 3])?.f_reshape([dim(group.queries), -1])
    }
}

/// The kernel: on the processor without the layer that chooses one, which costs as much as a short step itself.
fn dot_product(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    mask: Option<&Tensor>,
    causal: bool,
    scale: f64,
) -> Result<Tensor, TchError> {
    if q.device() == Device::Cpu {
        return Tensor::f_internal_scaled_dot_product_flash_attention_for_cpu(
            q, k, v, 0.0, causal, mask, scale,
        )
        .map(|(mixed, _)| mixed);
    }
    Tensor::f_scaled_dot_product_attention(q, k, v, mask, 0.0, causal, scale, false)
}

#[cfg(test)]
mod tests;

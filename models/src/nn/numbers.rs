//! Tensors of the processor as slices, for the kernels that are not libtorch's.
//!
//! The only unsafe code beside the mapping of files. Invariant: a slice is given only of a tensor that lies in this
//! process's memory, without gaps, in the type that is asked for.

#![allow(unsafe_code)]

use acumen_models_kernels::{Element, bf16};
use tch::{Device, Kind, Tensor};

/// A number type of tensors.
pub(crate) trait Number: Element {
    /// libtorch's name of it.
    const KIND: Kind;
}

impl Number for f32 {
    const KIND: Kind = Kind::Float;
}

impl Number for bf16 {
    const KIND: Kind = Kind::BFloat16;
}

/// Whether the kernels can work on a tensor.
pub(crate) fn is_host(tensor: &Tensor) -> bool {
    tensor.device() == Device::Cpu
        && matches!(tensor.kind(), Kind::Float | Kind::BFloat16)
        && tensor.is_contiguous()
}

/// The numbers of a tensor for which [`is_host`] holds and which is of this type.
pub(crate) fn read<T: Number>(tensor: &Tensor) -> &[T] {
    let count = checked::<T>(tensor);
    if count == 0 {
        return &[];
    }
    // SAFETY: contiguous numbers of this type in memory that the tensor keeps alive. Tensors of a model belong to the
    // thread that runs it, and what may write to this one needs `&mut` of it or of another name for it (see `write`).
    unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast(), count) }
}

/// As [`read`], to write to. Another name for the same numbers (a shallow clone) must not be read meanwhile.
pub(crate) fn write<T: Number>(tensor: &mut Tensor) -> &mut [T] {
    let count = checked::<T>(tensor);
    if count == 0 {
        return &mut [];
    }
    // SAFETY: as `read`; callers write to fresh tensors, and to the cache, of which each call has one name only.
    unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast(), count) }
}

fn checked<T: Number>(tensor: &Tensor) -> usize {
    assert!(is_host(tensor) && tensor.kind() == T::KIND, "{tensor:?} as {:?}", T::KIND);
    tensor.numel()
}

/// Evaluates an expression with `$number` as the type of a tensor for which [`is_host`] holds.
macro_rules! by_kind {
    ($tensor:expr, $number:ident => $body:expr) => {
        if $tensor.kind() == tch::Kind::Float {
            type $number = f32;
            $body
        } else {
            type $number = acumen_models_kernels::bf16;
            $body
        }
    };
}
pub(crate) use by_kind;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_the_tensors_numbers() {
        let mut tensor = Tensor::arange(6, (Kind::Float, Device::Cpu)).view([2, 3]);
        write::<f32>(&mut tensor)[4] = -1.0;
        assert_eq!(read::<f32>(&tensor), [0.0, 1.0, 2.0, 3.0, -1.0, 5.0]);
        assert_eq!(tensor.double_value(&[1, 1]), -1.0);
        assert!(read::<f32>(&Tensor::zeros([0, 3], (Kind::Float, Device::Cpu))).is_empty());
    }

    #[test]
    fn gaps_and_other_types_are_not_for_the_kernels() {
        let tensor = Tensor::zeros([4, 4], (Kind::Float, Device::Cpu));
        assert!(is_host(&tensor) && !is_host(&tensor.narrow(1, 0, 2)) && !is_host(&tensor.tr()));
        assert!(!is_host(&tensor.to_kind(Kind::Half)));
    }

    #[test]
    #[should_panic(expected = "as BFloat16")]
    fn another_type_is_refused() {
        let _ = read::<bf16>(&Tensor::zeros([4], (Kind::Float, Device::Cpu)));
    }
}

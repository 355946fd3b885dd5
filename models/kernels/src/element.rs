//! The two types of activations.

use half::bf16;

/// A number that kernels read and write; they compute in 32-bit floats.
pub trait Element: Copy + Send + Sync + Default + 'static + sealed::Sealed {
    /// Whether it is the 32-bit float.
    const WIDE: bool;

    /// Its value.
    fn load(self) -> f32;
    /// The nearest to a value, ties to even; NaN stays NaN.
    fn store(value: f32) -> Self;
}

/// Loops that are compiled here for both types, where they are optimised as one unit, and not where they are used.
pub(crate) mod sealed {
    use crate::attention::{self, Heads};
    use crate::shared::Shared;
    use crate::{matrix, rows};

    macro_rules! loops {
        ($($name:ident($($argument:ident: $type:ty),*) = $path:path;)*) => {
            #[allow(missing_docs)]
            pub trait Sealed: Sized {
                $(fn $name($($argument: $type),*);)*
            }
            loops!(@ f32; $($name($($argument: $type),*) = $path;)*);
            loops!(@ half::bf16; $($name($($argument: $type),*) = $path;)*);
        };
        (@ $number:ty; $($name:ident($($argument:ident: $type:ty),*) = $path:path;)*) => {
            impl Sealed for $number {
                $(fn $name($($argument: $type),*) { $path($($argument),*) })*
            }
        };
    }

    loops! {
        mix(heads: Heads, q: &[Self], cache: &[Self], mixed: &mut [Self], scratch: &mut Vec<f32>) = attention::mix;
        norm(x: &[Self], weight: &[Self], epsilon: f32, y: &mut [Self]) = rows::norm_rows;
        gate(both: &[Self], width: usize, y: &mut [Self]) = rows::gate_rows;
        turn(heads: &mut [Self], cos: &[f32], sin: &[f32]) = rows::turn;
        write(sums: &[[f32; matrix::BLOCK]], bias: &[f32], y: Shared<'_, Self>, place: matrix::Place, add: bool) = matrix::write;
    }
}

impl Element for f32 {
    const WIDE: bool = true;

    #[inline(always)]
    fn load(self) -> f32 {
        self
    }

    #[inline(always)]
    fn store(value: f32) -> Self {
        value
    }
}

impl Element for bf16 {
    const WIDE: bool = false;

    #[inline(always)]
    fn load(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    /// Without a branch, so that loops over it become vectors.
    #[inline(always)]
    fn store(value: f32) -> Self {
        let bits = value.to_bits();
        let even = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
        let quiet = (bits >> 16) | 0x40;
        Self::from_bits(if value.is_nan() { quiet } else { even } as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bf16_rounds_as_the_half_crate_does(bits in any::<u32>()) {
            let value = f32::from_bits(bits);
            let (found, expected) = (<bf16 as Element>::store(value), bf16::from_f32(value));
            prop_assert!(found == expected || (found.is_nan() && value.is_nan()));
            prop_assert!(found.is_nan() || Element::load(found).to_bits() == found.to_f32().to_bits());
        }
    }
}

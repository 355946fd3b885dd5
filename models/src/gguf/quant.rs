//! How ggml stores numbers: the type of a tensor, the size of its blocks, and their values as `f32`.
//!
//! Pure functions over bytes. Source of the layouts: `ggml-common.h` of the ggml repository; checked against vectors
//! made with PyPI's `gguf` package (`models/tests/parity/gguf_quants.py`).

mod k;
mod legacy;

#[cfg(test)]
mod tests;

use half::{bf16, f16};

/// Values in a block of the older block types.
pub const BLOCK: usize = 32;
/// Values in a super-block of the K types.
pub const SUPER_BLOCK: usize = 256;

/// How a tensor's values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GgmlType {
    /// 32-bit floats.
    F32,
    /// 16-bit IEEE floats.
    F16,
    /// bfloat16.
    BF16,
    /// Blocks of 32: a scale, signed 8-bit values.
    Q8_0,
    /// Blocks of 32: a scale, 4-bit values around 8.
    Q4_0,
    /// Blocks of 32: a scale and a minimum, 4-bit values.
    Q4_1,
    /// Blocks of 32: a scale, 5-bit values around 16.
    Q5_0,
    /// Blocks of 32: a scale and a minimum, 5-bit values.
    Q5_1,
    /// Super-blocks of 256 in eight groups, each with 6-bit scale and minimum; 4-bit values.
    Q4K,
    /// As [`GgmlType::Q4K`] with 5-bit values.
    Q5K,
    /// Super-blocks of 256 in sixteen groups, each with an 8-bit scale; 6-bit values around 32.
    Q6K,
}

impl GgmlType {
    /// Every type that is read.
    pub const ALL: [Self; 11] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q8_0,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
    ];

    /// The type with this number in a file.
    ///
    /// # Errors
    /// A sentence that names the type and what to do.
    pub fn from_number(number: u32) -> Result<Self, String> {
        Ok(match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            30 => Self::BF16,
            other => {
                let name = unread(other).map_or(String::new(), |name| format!(" ({name})"));
                let known = Self::ALL.map(|kind| kind.to_string()).join(", ");
                return Err(format!(
                    "ggml type {other}{name} is not read; quantise the model to one of {known}"
                ));
            }
        })
    }

    /// Values in one block.
    #[must_use]
    pub const fn block_values(self) -> usize {
        match self {
            Self::F32 | Self::F16 | Self::BF16 => 1,
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 => BLOCK,
            Self::Q4K | Self::Q5K | Self::Q6K => SUPER_BLOCK,
        }
    }

    /// Bytes of one block.
    #[must_use]
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::Q8_0 => 2 + BLOCK,
            Self::Q4_0 => 2 + BLOCK / 2,
            Self::Q4_1 => 4 + BLOCK / 2,
            Self::Q5_0 => 2 + 4 + BLOCK / 2,
            Self::Q5_1 => 4 + 4 + BLOCK / 2,
            Self::Q4K => 4 + k::SCALE_BYTES + SUPER_BLOCK / 2,
            Self::Q5K => 4 + k::SCALE_BYTES + SUPER_BLOCK / 8 + SUPER_BLOCK / 2,
            Self::Q6K => SUPER_BLOCK / 2 + SUPER_BLOCK / 4 + SUPER_BLOCK / 16 + 2,
        }
    }

    /// Whether values are integers with a scale.
    #[must_use]
    pub const fn is_quantised(self) -> bool {
        !matches!(self, Self::F32 | Self::F16 | Self::BF16)
    }

    /// Writes the values of whole blocks as `f32`. What does not fill a block on either side is left alone.
    pub fn dequantize(self, bytes: &[u8], out: &mut [f32]) {
        let block: fn(&[u8], &mut [f32]) = match self {
            Self::F32 => |bytes, out| out[0] = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            Self::F16 => |bytes, out| out[0] = half(bytes),
            Self::BF16 => |bytes, out| out[0] = bf16::from_le_bytes([bytes[0], bytes[1]]).to_f32(),
            Self::Q8_0 => legacy::q8_0,
            Self::Q4_0 => legacy::q4_0,
            Self::Q4_1 => legacy::q4_1,
            Self::Q5_0 => legacy::q5_0,
            Self::Q5_1 => legacy::q5_1,
            Self::Q4K => k::q4_k,
            Self::Q5K => k::q5_k,
            Self::Q6K => k::q6_k,
        };
        let blocks = bytes.chunks_exact(self.block_bytes());
        for (bytes, out) in blocks.zip(out.chunks_exact_mut(self.block_values())) {
            block(bytes, out);
        }
    }
}

impl std::fmt::Display for GgmlType {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
            Self::Q8_0 => "Q8_0",
            Self::Q4_0 => "Q4_0",
            Self::Q4_1 => "Q4_1",
            Self::Q5_0 => "Q5_0",
            Self::Q5_1 => "Q5_1",
            Self::Q4K => "Q4_K",
            Self::Q5K => "Q5_K",
            Self::Q6K => "Q6_K",
        })
    }
}

/// Names of types that exist and are not read, so that the error can say which one it met.
const fn unread(number: u32) -> Option<&'static str> {
    Some(match number {
        9 => "Q8_1",
        10 => "Q2_K",
        11 => "Q3_K",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24 => "I8",
        25 => "I16",
        26 => "I32",
        27 => "I64",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        _ => return None,
    })
}

/// The f16 at the front of these bytes.
pub(crate) fn half(bytes: &[u8]) -> f32 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

/// Hands each group of 32 values of a 4-bit type to `each`, as numbers from 0 to 15 with `value = q · step + least`.
/// Other types have no such groups, and nothing happens.
pub(crate) fn four_bit_groups(kind: GgmlType, bytes: &[u8], mut each: impl FnMut(&[u8; BLOCK], f32, f32)) {
    for block in bytes.chunks_exact(kind.block_bytes()) {
        match kind {
            GgmlType::Q4_0 => {
                let step = half(block);
                each(&legacy::four_bits(&block[2..]), step, -8.0 * step);
            }
            GgmlType::Q4_1 => each(&legacy::four_bits(&block[4..]), half(block), half(&block[2..])),
            GgmlType::Q4K => k::four_bit_groups(block, &mut each),
            _ => {}
        }
    }
}
